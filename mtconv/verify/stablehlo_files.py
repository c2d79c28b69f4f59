"""The core set as StableHLO modules with integer constants and the expected result.

A transposed convolution is a convolution of a dilated left side with the reversed kernel;
its padding is what the kernel reaches minus what is cropped, and may be negative.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.reference import reference_conv, reference_conv_transpose
from mtconv.verify.core import CoreCase, core_cases

__all__ = ["export_stablehlo"]

_MODULE = """\
// {title}
module {{
  func.func @case() -> {result} {{
    %lhs = stablehlo.constant dense<{lhs}> : {lhs_type}
    %rhs = stablehlo.constant dense<{rhs}> : {rhs_type}
    %0 = stablehlo.convolution(%lhs, %rhs)
      dim_numbers = {numbers},
      window = {{stride = {stride}, pad = {pad}, lhs_dilate = {lhs_dilate}, \
rhs_dilate = {rhs_dilate}, reverse = {reverse}}}
      {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}}
      : ({lhs_type}, {rhs_type}) -> {result}
    return %0 : {result}
  }}
  func.func @main() {{
    %0 = func.call @case() : () -> {result}
    check.expect_eq_const %0, dense<{expected}> : {result}
    return
  }}
}}
"""


class _Order(NamedTuple):
    """Where batch, channels and space are: of both sides, and of the kernel."""

    data: str  # of "b", "f" and "s", which stands for all of space
    kernel: str  # of "i", "o" and "s"


_ORDERS = (_Order("bfs", "ios"), _Order("bsf", "sio"), _Order("bfs", "ois"))


def export_stablehlo(folder: Path) -> Path:
    """Write a module for both maps of every core case; return the folder."""
    root = folder / "stablehlo"
    root.mkdir(parents=True, exist_ok=True)
    for number, core in enumerate(core_cases()):
        order = _ORDERS[number % len(_ORDERS)]
        reverse = number % 4 != 3
        for form, text in (
            ("conv_transpose", _transposed(core, order, reverse)),
            ("conv", _plain(core, order)),
        ):
            path = root / f"{core.name}_{form}.mlir"
            path.write_text(text, encoding="utf-8", newline="\n")
    return root


def _transposed(core: CoreCase, order: _Order, reverse: bool) -> str:
    case, axes = core.case, core.case.spec.axes
    groups = case.options["groups"]
    kernel = _with_inputs_of_a_group(case.kernel, groups)
    if not reverse:
        kernel = np.flip(kernel, tuple(range(2, kernel.ndim)))
    window: dict[str, list[Any]] = {
        "stride": [1] * len(axes),
        "pad": [[a.extent - 1 - a.lo, a.extent - 1 - a.hi] for a in axes],
        "lhs_dilate": [a.stride for a in axes],
        "rhs_dilate": [a.dilation for a in axes],
        "reverse": [reverse] * len(axes),
    }
    result = reference_conv_transpose(case.x, case.kernel, **case.options)
    title = f"{core.name}: transposed convolution"
    return _module(title, (case.x, kernel, result), order, window, groups)


def _plain(core: CoreCase, order: _Order) -> str:
    case, axes = core.case, core.case.spec.axes
    result = reference_conv(case.y, case.kernel, **case.conv_options)
    window: dict[str, list[Any]] = {
        "stride": [a.stride for a in axes],
        "pad": [[a.lo, (a.small - 1) * a.stride + a.extent - a.big - a.lo] for a in axes],
        "lhs_dilate": [1] * len(axes),
        "rhs_dilate": [a.dilation for a in axes],
        "reverse": [False] * len(axes),
    }
    # The kernel of the pair is (small, big / groups, *k): its big channels are inputs here.
    kernel = case.kernel.swapaxes(0, 1)
    title = f"{core.name}: convolution, the adjoint"
    groups = case.options["groups"]
    return _module(title, (case.y, kernel, result), order, window, groups)


def _with_inputs_of_a_group(kernel: NDArray[Any], groups: int) -> NDArray[Any]:
    """Rearrange (small, big / groups, *k) to (small / groups, big, *k)."""
    small, share, *taps = kernel.shape
    parts = kernel.reshape(groups, small // groups, share, *taps)
    return np.moveaxis(parts, 0, 1).reshape(small // groups, groups * share, *taps)


def _module(
    title: str,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    order: _Order,
    window: dict[str, list[Any]],
    groups: int,
) -> str:
    """Write a module; arrays are (batch, channels, *space), and the kernel (i, o, *k)."""
    rank = arrays[0].ndim - 2
    lhs, expected = (_ordered(a, "bfs", order.data) for a in (arrays[0], arrays[2]))
    rhs = _ordered(arrays[1], "ios", order.kernel)
    data, taps = _letters(order.data, rank), _letters(order.kernel, rank)
    return _MODULE.format(
        title=title,
        lhs=_dense(lhs),
        rhs=_dense(rhs),
        expected=_dense(expected),
        lhs_type=_type(lhs),
        rhs_type=_type(rhs),
        result=_type(expected),
        numbers=f"[{data}]x[{taps}]->[{data}]",
        groups=groups,
        **{name: str(value).lower() for name, value in window.items()},
    )


def _ordered(array: NDArray[Any], axes: str, order: str) -> NDArray[Any]:
    """Bring axes, of which "s" stands for all of space, into another order."""
    rank = array.ndim - 2
    spots: dict[str, list[int]] = {axes[0]: [0], axes[1]: [1]}
    spots["s"] = list(range(2, 2 + rank))
    return array.transpose([spot for letter in order for spot in spots[letter]])


def _letters(order: str, rank: int) -> str:
    space = [str(number) for number in range(rank)]
    parts = [part for letter in order for part in (space if letter == "s" else [letter])]
    return ", ".join(parts)


def _dense(array: NDArray[Any]) -> str:
    return str(array.astype(int).tolist()).replace(" ", "")


def _type(array: NDArray[Any]) -> str:
    return f"tensor<{'x'.join(map(str, array.shape))}xi32>"
