"""Estimated seconds of the algorithms of JAX on the CPU, from counts of a problem.

An estimate is a sum of counts, each with the time that one of it takes. These were fitted
to times of random layers (`tests/benchmarks/fit_jax.py`): they rank algorithms, and say
little of a machine.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from mtconv.geometry import Axis, phase_groups, runs
from mtconv.planning.tuning import FEW_PRODUCTS
from mtconv.spec import ConvSpec

__all__ = ["COUNTS", "PICOSECONDS", "counts", "seconds"]

# Elements of windows or columns, from which on their memory is new in every call.
LARGE = 2**22

# What an algorithm takes time for.
COUNTS = {
    "gemm": ("call", "x", "y", "kernel", "products", "columns", "rows", "large", "dots"),
    "polyphase": (
        *("call", "x", "y", "kernel", "products"),
        *("windows", "rows", "placed", "large", "dots"),
    ),
    "direct": (
        *("call", "x", "y", "kernel", "products"),
        *("columns", "rows", "sums", "few", "dots"),
    ),
    "native": ("call", "x", "y", "kernel", "products", "columns", "windows"),
}


# By map and algorithm; what is not listed takes no time of its own. Random layers have too
# few transposed convolutions of stride 1 for "native": other layers were timed for that.
PICOSECONDS: dict[tuple[str, str], dict[str, int]] = {
    ("conv_transpose", "gemm"): {
        "x": 730,
        "y": 300,
        "kernel": 830,
        "products": 15,
        "columns": 460,
        "rows": 2700,
        "large": 420,
    },
    ("conv_transpose", "polyphase"): {
        "y": 580,
        "kernel": 2400,
        "products": 13,
        "windows": 340,
        "rows": 1600,
        "placed": 260,
        "large": 1800,
    },
    ("conv_transpose", "direct"): {
        "x": 1700,
        "kernel": 3500,
        "products": 21,
        "columns": 1000,
        "sums": 85,
        "few": 120,
    },
    ("conv_transpose", "native"): {
        "x": 1000,
        "y": 1000,
        "kernel": 4000,
        "products": 20,
        "columns": 1700,
    },
    ("conv", "gemm"): {
        "x": 560,
        "y": 830,
        "kernel": 110,
        "products": 16,
        "columns": 67,
        "rows": 1200,
        "large": 1000,
    },
    ("conv", "polyphase"): {
        "x": 440,
        "kernel": 2200,
        "products": 17,
        "rows": 2500,
        "placed": 1700,
        "large": 300,
    },
    ("conv", "direct"): {
        "x": 290,
        "y": 200,
        "kernel": 2200,
        "products": 20,
        "columns": 1300,
        "rows": 1200,
        "sums": 24,
        "few": 25,
    },
    ("conv", "native"): {
        "x": 1100,
        "y": 530,
        "kernel": 7700,
        "products": 10,
        "columns": 760,
    },
    ("kernel_grad", "gemm"): {
        "x": 1200,
        "y": 580,
        "kernel": 2400,
        "products": 15,
        "columns": 390,
        "large": 750,
    },
    ("kernel_grad", "polyphase"): {
        "kernel": 2700,
        "products": 14,
        "windows": 960,
        "rows": 760,
        "placed": 1600,
        "large": 2400,
    },
    ("kernel_grad", "direct"): {
        "x": 490,
        "kernel": 1900,
        "products": 13,
        "columns": 1600,
        "sums": 130,
    },
    ("kernel_grad", "native"): {
        "x": 1200,
        "y": 1100,
        "kernel": 3700,
        "products": 20,
        "columns": 640,
    },
}


# Runs of taps from which on they are taken tap by tap, in a loop.
MOST_TERMS = 64

_NO_PRODUCTS = {"products": 0, "columns": 0, "rows": 0}


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
        counted["windows"] = 0
        if form == "conv_transpose" and all(axis.stride == 1 for axis in spec.axes):
            # A plain convolution, which reads windows of x.
            windows = batch * prod(spec.big) * taps * small
            counted |= {"columns": 0, "windows": windows}
    copied = counted["windows" if algorithm == "polyphase" else "columns"]
    counted["large"] = copied if copied > LARGE else 0
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
    if form != "kernel_grad" and summed <= FEW_PRODUCTS:  # element by element
        products = size.cells * size.taps * size.groups * size.small * size.share
        return {"sums": sums, "few": products, "dots": 0} | _NO_PRODUCTS
    return {"sums": sums, "few": 0, "dots": dots}


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
