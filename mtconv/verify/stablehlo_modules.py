"""Modules of StableHLO with one convolution of integer constants, and its result.

A transposed convolution is a convolution of a dilated left side with the reversed kernel;
its padding is what the kernel reaches minus what is cropped, and may be negative. The
gradient by the kernel is a convolution whose window is the small side, and whose batch is
summed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.case import Case
from mtconv.testing.reference import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)

__all__ = ["FORMS", "Module", "Numbers"]

_TEXT = """\
// {title}
module {{
  func.func @case() -> {result} {{
    %lhs = stablehlo.constant dense<{lhs}> : {lhs_type}
    %rhs = stablehlo.constant dense<{rhs}> : {rhs_type}
    %0 = stablehlo.convolution(%lhs, %rhs)
      dim_numbers = {numbers},
      window = {{stride = {stride}, pad = {pad}, lhs_dilate = {lhs_dilate}, \
rhs_dilate = {rhs_dilate}, reverse = {reverse}}}
      {{batch_group_count = {batch_groups} : i64, feature_group_count = {groups} : i64}}
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


class Numbers(NamedTuple):
    """Where batch, channels and space are, of the left side, the kernel and the result.

    Axes are letters and numbers: "b" and "f" are batch and channels, "i" and "o" the
    inputs and outputs of a kernel, "0", "1" and "2" are axes of space.
    """

    lhs: tuple[str, ...]
    rhs: tuple[str, ...]
    result: tuple[str, ...]

    @classmethod
    def of(cls, data: str, kernel: str, rank: int) -> Numbers:
        """Write out two orders in which "s" stands for all of space."""
        space = "".join(map(str, range(rank)))
        sides, taps = (tuple(order.replace("s", space)) for order in (data, kernel))
        return cls(sides, taps, sides)


@dataclass(frozen=True)
class Module:
    """One convolution; arrays have the axes "bf012" and, the kernel, "io012".

    Parameters
    ----------
    title : str
        What the comment says.
    lhs, rhs, expected : numpy.ndarray
        Both sides and the result, of whole numbers.
    window : dict of str to list
        ``stride``, ``pad``, ``lhs_dilate``, ``rhs_dilate`` and ``reverse`` by axis.
    groups, batch_groups : int
        Groups of channels, and groups of the batch.
    """

    title: str
    lhs: NDArray[Any]
    rhs: NDArray[Any]
    expected: NDArray[Any]
    window: dict[str, list[Any]]
    groups: int = 1
    batch_groups: int = 1

    def reversing(self, axes: list[bool]) -> Module:
        """Change which axes of the kernel are reversed; the constant makes up for it."""
        pairs = enumerate(zip(self.window["reverse"], axes, strict=True), 2)
        changed = tuple(axis for axis, (before, after) in pairs if before != after)
        window = {**self.window, "reverse": axes}
        return replace(self, rhs=np.flip(self.rhs, changed), window=window)

    def text(self, numbers: Numbers) -> str:
        """Write the module with its axes in the order of the numbers."""
        lhs, expected = (
            _ordered(array, "bf", order)
            for array, order in ((self.lhs, numbers.lhs), (self.expected, numbers.result))
        )
        rhs = _ordered(self.rhs, "io", numbers.rhs)
        left, kernel, result = (f"[{', '.join(order)}]" for order in numbers)
        return _TEXT.format(
            title=self.title,
            lhs=_dense(lhs),
            rhs=_dense(rhs),
            expected=_dense(expected),
            lhs_type=_type(lhs),
            rhs_type=_type(rhs),
            result=_type(expected),
            numbers=f"{left}x{kernel}->{result}",
            groups=self.groups,
            batch_groups=self.batch_groups,
            **{name: str(value).lower() for name, value in self.window.items()},
        )


def _transposed(name: str, case: Case) -> Module:
    axes, groups = case.spec.axes, case.options["groups"]
    window: dict[str, list[Any]] = {
        "stride": [1] * len(axes),
        "pad": [[a.extent - 1 - a.lo, a.extent - 1 - a.hi] for a in axes],
        "lhs_dilate": [a.stride for a in axes],
        "rhs_dilate": [a.dilation for a in axes],
        "reverse": [True] * len(axes),
    }
    result = reference_conv_transpose(case.x, case.kernel, **case.options)
    kernel = _with_inputs_of_a_group(case.kernel, groups)
    title = f"{name}: transposed convolution"
    return Module(title, case.x, kernel, result, window, groups)


def _plain(name: str, case: Case) -> Module:
    axes = case.spec.axes
    window: dict[str, list[Any]] = {
        "stride": [a.stride for a in axes],
        "pad": _pads(case),
        "lhs_dilate": [1] * len(axes),
        "rhs_dilate": [a.dilation for a in axes],
        "reverse": [False] * len(axes),
    }
    result = reference_conv(case.y, case.kernel, **case.conv_options)
    # The kernel of the pair is (small, big / groups, *k): its big channels are inputs here.
    kernel = case.kernel.swapaxes(0, 1)
    title = f"{name}: convolution, the adjoint"
    return Module(title, case.y, kernel, result, window, case.options["groups"])


def _gradient(name: str, case: Case) -> Module:
    axes = case.spec.axes
    window: dict[str, list[Any]] = {
        "stride": [a.dilation for a in axes],
        "pad": _pads(case),
        "lhs_dilate": [1] * len(axes),
        "rhs_dilate": [a.stride for a in axes],
        "reverse": [False] * len(axes),
    }
    result = reference_kernel_grad(case.x, case.y, **case.grad_options)
    # The samples are what is summed over, so they take the place of channels.
    arrays = case.y.swapaxes(0, 1), case.x, result.swapaxes(0, 1)
    title = f"{name}: gradient by the kernel"
    return Module(title, *arrays, window, batch_groups=case.options["groups"])


FORMS: dict[str, Callable[[str, Case], Module]] = {
    "conv_transpose": _transposed,
    "conv": _plain,
    "kernel_grad": _gradient,
}


def _pads(case: Case) -> list[list[int]]:
    """List the pads of the big side; the high ones leave no element beyond the last."""
    return [
        [a.lo, (a.small - 1) * a.stride + a.extent - a.big - a.lo] for a in case.spec.axes
    ]


def _with_inputs_of_a_group(kernel: NDArray[Any], groups: int) -> NDArray[Any]:
    """Rearrange (small, big / groups, *k) to (small / groups, big, *k)."""
    small, share, *taps = kernel.shape
    parts = kernel.reshape(groups, small // groups, share, *taps)
    return np.moveaxis(parts, 0, 1).reshape(small // groups, groups * share, *taps)


def _ordered(array: NDArray[Any], channels: str, order: tuple[str, ...]) -> NDArray[Any]:
    """Bring the axes, of which two are channels and the others space, into an order."""
    axes = channels + "".join(map(str, range(array.ndim - 2)))
    return array.transpose([axes.index(letter) for letter in order])


def _dense(array: NDArray[Any]) -> str:
    return str(array.astype(int).tolist()).replace(" ", "")


def _type(array: NDArray[Any]) -> str:
    return f"tensor<{'x'.join(map(str, array.shape))}xi32>"
