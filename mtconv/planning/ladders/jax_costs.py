"""Estimated seconds of the algorithms of JAX on the CPU, from counts of a problem.

An estimate is a sum of counts, each with the time that one of it takes. These were fitted
to times of random layers, and to what the choices by them cost
(`tests/benchmarks/fit_jax.py`): they rank algorithms, and say little of a machine.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from mtconv.geometry import Axis, phase_groups, runs
from mtconv.planning.tuning import FEW_PRODUCTS, MOST_TERMS
from mtconv.spec import ConvSpec

__all__ = ["COUNTS", "PICOSECONDS", "counts", "seconds"]

# Elements of windows, columns or another array, above which their memory is new in every
# call.
LARGE = 2**22

# What an algorithm takes time for.
COUNTS = {
    "gemm": (
        *("call", "x", "y", "kernel", "products", "columns", "rows", "large", "dots"),
        *("x_of_samples", "y_of_samples", "columns_of_samples"),
    ),
    "polyphase": (
        *("call", "x", "y", "kernel", "products", "windows", "rows", "placed", "large"),
        *("dots", "windows_of_samples", "placed_of_samples"),
    ),
    "direct": (
        *("call", "x", "y", "kernel", "products", "columns", "rows", "sums", "few"),
        *("dots", "x_of_samples", "y_of_samples", "looped"),
    ),
    "native": ("call", "x", "y", "kernel", "products", "columns", "windows", "moved"),
}


# By map and algorithm; what is not listed takes no time of its own. Random layers have too
# few convolutions of stride 1 for "native": more of them were timed.
PICOSECONDS: dict[tuple[str, str], dict[str, int]] = {
    ("conv_transpose", "gemm"): {
        "call": 70_000_000,
        "x": 72,
        "y": 170,
        "kernel": 330,
        "products": 15,
        "columns": 360,
        "rows": 2200,
        "large": 590,
        "dots": 4_100_000,
        "x_of_samples": 1000,
        "y_of_samples": 1,
    },
    ("conv_transpose", "polyphase"): {
        "call": 20_000_000,
        "x": 2,
        "y": 10,
        "kernel": 2800,
        "products": 10,
        "windows": 410,
        "rows": 1000,
        "placed": 710,
        "large": 1800,
        "dots": 120_000,
        "windows_of_samples": 29,
        "placed_of_samples": 270,
    },
    ("conv_transpose", "direct"): {
        "call": 23000,
        "x": 1200,
        "kernel": 2100,
        "products": 26,
        "columns": 970,
        "rows": 120,
        "sums": 270,
        "few": 44,
        "dots": 1_100_000,
        "x_of_samples": 1400,
        "looped": 950,
    },
    ("conv_transpose", "native"): {
        "call": 35_000_000,
        "x": 1600,
        "y": 790,
        "kernel": 2200,
        "products": 13,
        "columns": 2000,
        "windows": 260,
        "moved": 550,
    },
    ("conv", "gemm"): {
        "call": 52_000_000,
        "x": 140,
        "y": 630,
        "kernel": 490,
        "products": 12,
        "columns": 92,
        "rows": 1900,
        "large": 1200,
        "dots": 37000,
        "x_of_samples": 860,
    },
    ("conv", "polyphase"): {
        "call": 12_000_000,
        "x": 140,
        "y": 3,
        "kernel": 2400,
        "products": 14,
        "windows": 140,
        "rows": 1700,
        "placed": 530,
        "large": 860,
        "dots": 11_000_000,
        "windows_of_samples": 87,
        "placed_of_samples": 1400,
    },
    ("conv", "direct"): {
        "call": 18_000_000,
        "x": 200,
        "y": 270,
        "kernel": 1600,
        "products": 28,
        "columns": 1400,
        "rows": 11,
        "sums": 59,
        "few": 6,
        "dots": 3700,
        "x_of_samples": 61,
        "y_of_samples": 92,
        "looped": 1300,
    },
    ("conv", "native"): {
        "call": 400_000,
        "x": 1100,
        "y": 390,
        "kernel": 4800,
        "products": 13,
        "columns": 800,
        "moved": 1500,
    },
    ("kernel_grad", "gemm"): {
        "call": 57000,
        "x": 1000,
        "y": 330,
        "kernel": 1700,
        "products": 17,
        "columns": 210,
        "rows": 740,
        "large": 1000,
        "dots": 10_000_000,
        "x_of_samples": 270,
        "y_of_samples": 430,
    },
    ("kernel_grad", "polyphase"): {
        "call": 4800,
        "kernel": 4100,
        "products": 15,
        "windows": 1100,
        "rows": 67,
        "placed": 580,
        "large": 2200,
        "dots": 210_000,
        "windows_of_samples": 18,
        "placed_of_samples": 1300,
    },
    ("kernel_grad", "direct"): {
        "call": 24_000_000,
        "x": 32,
        "kernel": 1100,
        "products": 12,
        "columns": 1800,
        "rows": 120,
        "sums": 75,
        "dots": 190_000,
        "x_of_samples": 990,
        "looped": 110,
    },
    ("kernel_grad", "native"): {
        "call": 3_700_000,
        "x": 990,
        "y": 540,
        "kernel": 1700,
        "products": 20,
        "columns": 1300,
        "moved": 1300,
    },
}


_NO_PRODUCTS = {"products": 0, "columns": 0, "rows": 0, "dots": 0}


class _Size(NamedTuple):
    """Sizes of a problem; channels are those of one group, cells those of all items."""

    groups: int
    small: int
    share: int
    taps: int
    cells: int
    row: int  # cells of the last axis


def counts(algorithm: str, spec: ConvSpec, form: str, batch: int) -> dict[str, float]:
    """Count what an algorithm multiplies and moves: what `COUNTS` lists, and others."""
    groups, taps = max(spec.groups, 1), prod(spec.kernel_size)
    small, share = spec.kernel_shape[0] // groups, spec.kernel_shape[1]
    cells = batch * prod(spec.small)
    size = _Size(groups, small, share, taps, cells, spec.small[-1])
    kernel = groups * small * share * taps
    counted: dict[str, float] = {
        "call": 1,
        "dots": groups,
        "x": size.cells * groups * small,
        "y": batch * prod(spec.big) * groups * share,
        "kernel": kernel,
        "products": size.cells * kernel,
        "columns": size.cells * taps * groups * share,
    }
    counted["rows"] = counted["columns"] / max(size.row, 1)
    if algorithm == "direct":
        counted |= _of_runs(spec, form, size, counted["x"], counted["y"])
    elif algorithm == "polyphase":
        counted |= _of_phases(spec, size, batch)
    elif algorithm == "native":
        counted |= _of_library(spec, form, size, batch)
        arrays = (counted["x"], counted["y"], counted["kernel"])
        counted["moved"] = sum(count for count in arrays if count > LARGE)
    copied = counted["windows" if algorithm == "polyphase" else "columns"]
    counted["large"] = copied if copied > LARGE else 0
    for name in ("x", "y", "columns", "windows", "placed"):
        # One sample needs no exchange of samples and channels.
        counted[f"{name}_of_samples"] = counted.get(name, 0) if batch > 1 else 0
    return counted


def _of_runs(
    spec: ConvSpec, form: str, size: _Size, x: float, y: float
) -> dict[str, float]:
    """Count what changes where every run of taps is a product of its own."""
    number = prod(len(runs(axis)) for axis in spec.axes)
    dots = size.groups * (number if number <= MOST_TERMS else size.taps)
    strides = prod(axis.stride for axis in spec.axes)
    summed, sums = size.small, y * max(1, size.taps / strides)
    if form != "conv_transpose":
        longest = prod(max(run.taps for run in runs(axis)) for axis in spec.axes)
        summed, sums = size.share * longest, x * number
    of_runs = {"sums": sums, "looped": sums if number > MOST_TERMS else 0}
    if form != "kernel_grad" and summed <= FEW_PRODUCTS:  # element by element
        products = size.cells * size.taps * size.groups * size.small * size.share
        return {**of_runs, "few": products, **_NO_PRODUCTS}
    return {**of_runs, "few": 0, "dots": dots}


def _of_library(spec: ConvSpec, form: str, size: _Size, batch: int) -> dict[str, float]:
    """Count what changes where XLA's convolution reads windows of x, not columns of y."""
    if form != "conv_transpose" or any(axis.stride > 1 for axis in spec.axes):
        return {"windows": 0}
    return {"columns": 0, "windows": batch * prod(spec.big) * size.taps * size.small}


def _of_phases(spec: ConvSpec, size: _Size, batch: int) -> dict[str, float]:
    """Count what changes where phases of as many taps are one product.

    Counts are products over axes, of sums over the numbers of taps that an axis has.
    """
    windows = rows = placed = products = batch * size.groups
    for axis in spec.axes:
        listed = _products(axis)
        windows *= sum(places * taps for places, taps, _ in listed)
        last = axis is spec.axes[-1]
        rows *= sum((1 if last else places) * taps for places, taps, _ in listed)
        placed *= sum(places * phases for places, _, phases in listed)
        products *= sum(places * taps * phases for places, taps, phases in listed)
    return {
        "windows": windows * size.small,
        "rows": rows * size.small,
        "placed": placed * size.share,
        "products": products * size.small * size.share,
        "dots": size.groups * prod(len(phase_groups(axis)) for axis in spec.axes),
    }


def _products(axis: Axis) -> list[tuple[int, int, int]]:
    """List places of windows, their taps and phases, for each number of taps."""
    cells = -(-axis.big // axis.stride)
    return [
        (
            cells + max(phase.shift for phase in group.phases) - group.first,
            group.reads.kernel,
            len(group.phases),
        )
        for group in phase_groups(axis)
    ]


def seconds(algorithm: str, spec: ConvSpec, form: str, batch: int) -> float:
    """Estimate an algorithm that `PICOSECONDS` has for a map."""
    counted = counts(algorithm, spec, form, batch)
    each = PICOSECONDS[form, algorithm]
    return 1e-12 * sum(counted[name] * time for name, time in each.items())
