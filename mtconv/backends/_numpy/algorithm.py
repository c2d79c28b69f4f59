"""What an algorithm provides, and the shapes of the arrays that it sees.

Algorithms see one piece of a problem at a time, in one computing dtype, with channels cut
into groups. Here and in all files of this folder arrays have these axes:

    x        (g, ci, b, *small)    the small side
    y        (b, g, co, *big)      the big side
    kernel   (g, ci, co, *taps)    in a `Weights`, with the packed forms of it
    out      as y for a transposed convolution, as the kernel for a kernel gradient,
             and (b, g, ci, *small) for a convolution
    columns  (n, g, c * taps, e)   im2col: what each tap meets, for matrix products
    planes   (g, co, *taps, b, *small)   col2im: products of each tap, before they are added

``g`` are groups, ``ci`` and ``co`` the channels of one group on the small and the big side,
``b`` samples, and ``e`` elements of space. Where samples are small, they are put side by
side, and ``n`` is 1; otherwise it is ``b``.
"""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from mtconv.backends.host.counts import Counts
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis

__all__ = ["Algorithm", "Array", "Axes"]

Array = NDArray[Any]
Axes = tuple[Axis, ...]


class Algorithm(Protocol):
    """The three maps of one piece: a module of this package, or an object like one.

    Attributes
    ----------
    NAME : str
        The public name, or "windows", a way of `polyphase` that has no public name.
    TRANSFORMS : bool
        Whether it transforms the kernel: it takes taps of any dtype and order, and packed
        forms are much larger than the kernel.
    """

    NAME: str
    TRANSFORMS: bool

    def conv_transpose(
        self, axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Write the transposed convolution of x to out."""

    def conv(
        self, axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Write the convolution of y to out."""

    def kernel_grad(
        self, axes: Axes, x: Array, y: Array, out: Array, space: Workspace
    ) -> None:
        """Add the kernel gradient of x and y to out."""

    def footprint(self, form: str, counts: Counts) -> int:
        """Bound the bytes that a piece takes from the workspace, beside loaded arrays."""
