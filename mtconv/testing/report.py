"""What a failed comparison prints: the geometry, the first wrong index and its taps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.problem.build import Problem
from mtconv.spec import ConvSpec
from mtconv.testing.reference import taps

__all__ = ["compare", "describe_geometry"]

_MOST_TAPS = 12


def compare(
    title: object,
    form: str,
    solved: Problem,
    got: Any,
    expected: NDArray[Any],
    tolerance: float = 0.0,
) -> None:
    """Raise AssertionError with a full account unless got equals expected.

    ``tolerance`` bounds the difference of each element; 0 asks for equality.
    """
    array = np.asarray(got)
    if array.shape != expected.shape:
        msg = (
            f"{title}: the result has shape {array.shape} instead of {expected.shape}\n"
            + describe_geometry(solved.spec)
        )
        raise AssertionError(msg)
    wrong = _differences(array, expected, tolerance)
    if not wrong.any():
        return
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    allowed = f", tolerance {tolerance:.3g}" if tolerance else ""
    lines = [
        f"{title}: {int(wrong.sum())} of {wrong.size} elements are wrong; the first is at "
        f"index {index}: got {array[index]}, expected {expected[index]}{allowed}",
        describe_geometry(solved.spec),
        *_taps_at(form, solved, index),
    ]
    raise AssertionError("\n".join(lines))


def _differences(
    got: NDArray[Any], expected: NDArray[Any], tolerance: float
) -> NDArray[np.bool_]:
    same = got == expected
    if expected.dtype.kind not in "iu":
        same |= (got != got) & (expected != expected)  # NaN where NaN is due
        if tolerance:
            wide = np.result_type(expected.dtype, np.float64)
            with np.errstate(invalid="ignore"):
                gap = np.abs(got.astype(wide) - expected.astype(wide))
            same |= gap <= tolerance
    return np.asarray(~same)


def describe_geometry(spec: ConvSpec) -> str:
    """Write the relation of every axis, and the channels."""
    lines = ["geometry:"]
    for number, axis in enumerate(spec.axes):
        lines.append(
            f"  axis {number}: o = {axis.stride}*i + {axis.dilation}*j - {axis.lo}, "
            f"0 <= i < {axis.small}, 0 <= j < {axis.kernel}, 0 <= o < {axis.big}"
        )
    if spec.small_channels is not None:
        lines.append(
            f"  channels: {spec.small_channels} on the small side, "
            f"{spec.big_channels} on the big side, groups={spec.groups}"
        )
    if spec.padding_mode != "zeros":
        lines.append(f"  padding_mode: {spec.padding_mode}")
    return "\n".join(lines)


def _taps_at(form: str, solved: Problem, index: tuple[int, ...]) -> list[str]:
    """List the taps that reach one element of the result, in spatial indices."""
    spec = solved.spec
    arrangement = solved.kernel if form == "kernel_grad" else solved.data
    if arrangement.order is not None:
        index = tuple(index[axis] for axis in arrangement.order)
    cell = index[len(index) - spec.rank :]
    if form == "kernel_grad":
        lines = [f"x{_at(i)} * y{_at(o)}" for i, j, o in taps(spec) if j == cell]
    elif form == "conv_transpose":
        lines = [f"x{_at(i)} * kernel{_at(j)}" for i, j, o in taps(spec) if o == cell]
    else:
        lines = [f"x{_at(o)} * kernel{_at(j)}" for i, j, o in taps(spec) if i == cell]
    if not lines:
        return ["no tap reaches it: it is zero, or the bias"]
    left_out = len(lines) - _MOST_TAPS
    head = ["taps that reach it (spatial indices, summed over channels and batch):"]
    tail = [f"  and {left_out} more"] if left_out > 0 else []
    return head + ["  " + line for line in lines[:_MOST_TAPS]] + tail


def _at(index: tuple[int, ...]) -> str:
    return "[..., " + ", ".join(map(str, index)) + "]"
