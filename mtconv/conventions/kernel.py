"""Kernel rules: where a framework's kernel has its axes, and whether it is flipped.

The canonical kernel is mtconv's own, ``(C_in, C_out / groups, *k)`` with tap ``j`` of input
``i`` landing on output ``stride*i + dilation*j - lo``. A rule leads there and back. Only
indexing, transposing and reshaping are used, so any array library will do.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from mtconv.errors import GeometryError, message

__all__ = [
    "KernelRule",
    "cast",
    "depthwise_kernel",
    "flip",
    "permute",
    "plain_kernel",
    "reshape",
]


class KernelRule(NamedTuple):
    """How a framework stores the kernel of a transposed convolution.

    Parameters
    ----------
    order : str
        Order of the axes: I and O are the channels of the call's input and output, ``*``
        stands for the spatial axes, "*" alone for a kernel without channels.
    flip : bool
        Whether the taps are in reverse order.
    divided : str
        The channel axis that groups divide, "O" or "I"; empty where the framework has no
        groups.
    """

    order: str
    flip: bool = False
    divided: str = ""

    @property
    def shape(self) -> str:
        """The shape as text, for messages and tables."""
        names = {"I": "C_in", "O": "C_out", "*": "*k"}
        parts = [
            names[letter] + ("/groups" if letter == self.divided else "")
            for letter in self.order
        ]
        return f"({', '.join(parts)})"

    def rank(self, function: str, argument: str, kernel: Any) -> int:
        """Return the number of spatial axes, at least one."""
        rank = kernel.ndim - (len(self.order) - 1)
        if rank < 1:
            msg = message(
                function,
                argument,
                f"must have the shape {self.shape}",
                f"an array of {kernel.ndim} dimensions",
            )
            raise GeometryError(msg)
        return int(rank)

    def check_groups(
        self, function: str, argument: str, kernel_name: str, kernel: Any, groups: int
    ) -> None:
        """Check that a kernel of this rule can have so many groups."""
        if groups == 1:
            return
        if not self.divided:
            msg = message(function, argument, "must be 1: the kernel has no groups", groups)
            raise GeometryError(msg)
        whole = "I" if self.divided == "O" else "O"
        rank = self.rank(function, kernel_name, kernel)
        count = kernel.shape[self._axes(whole, rank)[0]]
        if count % groups:
            msg = message(
                function,
                argument,
                f"must divide the {whole} axis of `{kernel_name}`, {self.shape}",
                f"{argument}={groups} and {count} channels",
            )
            raise GeometryError(msg)

    def canonical(self, kernel: Any, groups: int) -> Any:
        """Rearrange a kernel of this rule into mtconv's own order; views where possible."""
        rank = kernel.ndim - (len(self.order) - 1)
        if self.flip:
            start = self.order.index("*")
            kernel = flip(kernel, range(start, start + rank))
        if self.order == "*":
            return reshape(kernel, (1, 1, *kernel.shape))
        if self.divided != "I" or groups == 1:
            return permute(kernel, self._axes("IO*", rank))
        return _regroup(permute(kernel, self._axes("OI*", rank)), groups)

    def from_canonical(self, function: str, kernel: Any, groups: int) -> Any:
        """Rearrange a kernel of mtconv's own order into this rule."""
        rank = kernel.ndim - 2
        if self.order == "*":
            if tuple(kernel.shape[:2]) != (1, 1):
                msg = message(
                    function,
                    "kernel",
                    "must have one channel on each side where the target has none",
                    f"{kernel.shape[0]} input and {kernel.shape[1]} output channels",
                    fix="Convert one pair of channels at a time.",
                )
                raise GeometryError(msg)
            return reshape(kernel, kernel.shape[2:])
        order = "IO*"
        if self.divided == "I" and groups > 1:
            kernel, order = _regroup(kernel, groups), "OI*"
        back = self._axes(order, rank)
        kernel = permute(kernel, tuple(back.index(axis) for axis in range(rank + 2)))
        if self.flip:
            start = self.order.index("*")
            kernel = flip(kernel, range(start, start + rank))
        return kernel

    def _axes(self, wanted: str, rank: int) -> tuple[int, ...]:
        return _order(self.order, wanted, rank)


def _order(stored: str, wanted: str, rank: int) -> tuple[int, ...]:
    """Positions of the axes of a stored kernel in the wanted order."""
    positions: dict[str, tuple[int, ...]] = {}
    start = 0
    for letter in stored:
        width = rank if letter == "*" else 1
        positions[letter] = tuple(range(start, start + width))
        start += width
    return sum((positions[letter] for letter in wanted), ())


def plain_kernel(function: str, kernel: Any, source: str, target: str) -> Any:
    """Rearrange the kernel of a plain convolution or of a linear layer; none is flipped."""
    rule = KernelRule(source, divided="I" if "*" in source else "")
    rank = rule.rank(function, "kernel", kernel) if "*" in source else 0
    if kernel.ndim != rank + 2:
        got = f"an array of {kernel.ndim} dimensions"
        raise GeometryError(message(function, "kernel", f"must be {rule.shape}", got))
    return permute(kernel, _order(source, target, rank))


def depthwise_kernel(
    function: str, kernel: Any, source: str, target: str, multiplier: int
) -> Any:
    """Rearrange the kernel of a depthwise convolution.

    With one channel axis the kernel is that of as many groups as channels, (C*M, 1, *k)
    in its order; ``multiplier`` is M. Otherwise C and M have an axis each.
    """
    rank = KernelRule(source, divided="I").rank(function, "kernel", kernel)
    if "C" in source:
        kernel = permute(kernel, _order(source, "CM*", rank))
    else:
        kernel = permute(kernel, _order(source, "OI*", rank))
        results, per_group = kernel.shape[:2]
        if per_group != 1 or results % multiplier:
            rule = "must have one channel per group and multiples of the multiplier"
            got = f"{per_group} channels per group and {results} results"
            raise GeometryError(message(function, "kernel", rule, got))
        kernel = reshape(kernel, (results // multiplier, multiplier, *kernel.shape[2:]))
    if "C" in target:
        return permute(kernel, _order("CM*", target, rank))
    channels, results, *taps = kernel.shape
    kernel = reshape(kernel, (channels * results, 1, *taps))
    return permute(kernel, _order("OI*", target, rank))


def _regroup(kernel: Any, groups: int) -> Any:
    """Turn (A, B/groups, *k) into (B, A/groups, *k): the same rule leads back."""
    whole, share, *taps = kernel.shape
    split = reshape(kernel, (groups, whole // groups, share, *taps))
    order = (0, 2, 1, *range(3, 3 + len(taps)))
    return reshape(permute(split, order), (groups * share, whole // groups, *taps))


def permute(array: Any, order: tuple[int, ...]) -> Any:
    """Permute the axes of an array of any library."""
    if order == tuple(range(len(order))):
        return array
    if hasattr(array, "permute"):  # torch, whose `transpose` takes two axes
        return array.permute(order)
    if hasattr(array, "transpose"):
        return array.transpose(order)
    return array.__array_namespace__().permute_dims(array, order)


def flip(array: Any, axes: range) -> Any:
    """Reverse some axes of an array of any library."""
    if hasattr(array, "flip"):  # torch, which has no negative steps
        return array.flip(tuple(axes))
    reverse = slice(None, None, -1)
    index = tuple(reverse if axis in axes else slice(None) for axis in range(array.ndim))
    return array[index]


def cast(array: Any, dtype: Any) -> Any:
    """Convert an array of any library to one of its dtypes."""
    if hasattr(array, "astype"):
        return array.astype(dtype)
    if hasattr(array, "to"):  # torch
        return array.to(dtype)
    return array.__array_namespace__().astype(array, dtype)


def reshape(array: Any, shape: tuple[int, ...]) -> Any:
    """Reshape an array of any library."""
    assert prod(array.shape) == prod(shape)
    if hasattr(array, "reshape"):
        return array.reshape(shape)
    return array.__array_namespace__().reshape(array, shape)
