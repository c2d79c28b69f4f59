"""`ConvSpec`: the geometry that a transposed convolution and its adjoint share.

Options and shapes are reduced to integers. Every padding word, output size and framework
convention becomes one ``lo`` and one size per axis; later stages use these integers only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar

from mtconv import geometry
from mtconv.geometry import Axis
from mtconv.importing import imported

__all__ = ["FORMS", "ConvSpec"]

FORMS = ("conv_transpose", "conv", "kernel_grad")


@dataclass(frozen=True)
class ConvSpec:
    """Frozen, hashable geometry that the three maps share.

    With ``x`` on the small side, ``y`` on the big side and kernel ``w``, the three maps are
    derivatives of one trilinear form, ``T(x, w, y) = sum x[i] w[j] y[o]`` over the taps
    ``o = stride*i + dilation*j - lo``. A spec contains no batch size and no dtype.

    Parameters
    ----------
    axes : tuple of Axis
        One relation per spatial axis, in the layout's order.
    groups : int
        Number of channel groups.
    small_channels, big_channels : int or None
        Channels of ``x`` and of ``y``; None for signals and images without channels.
    padding_mode : str
        What the convolution reads outside the big side: "zeros", "circular", "reflect",
        "replicate" or "symmetric".
    layout : str or None
        Order of the axes of the data; None means channels first, with or without a batch.
    kernel_layout : str or None
        Order of the axes of the kernel, in the letters of `conv_transpose` (I: small side).

    See Also
    --------
    ConvSpec.from_shapes : make one from shapes and options.

    Examples
    --------
    >>> spec = ConvSpec.from_shapes((1, 1, 2), (1, 1, 3), stride=2)
    >>> spec.axes
    (Axis(small=2, big=5, kernel=3, stride=2, dilation=1, lo=0),)
    >>> spec.conv_transpose([[[1, 2]]], [[[1, 10, 100]]])
    array([[[  1,  10, 102,  20, 200]]])
    """

    # Functions of modules above this one that the methods call; `mtconv` sets both.
    _apply: ClassVar[Callable[..., Any]]
    _from_shapes: ClassVar[Callable[..., ConvSpec]]

    axes: tuple[Axis, ...]
    groups: int = 1
    small_channels: int | None = None
    big_channels: int | None = None
    padding_mode: str = "zeros"
    layout: str | None = None
    kernel_layout: str | None = None

    def __hash__(self) -> int:
        # Specs are keys of every cache, so the hash is computed once.
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(
            (
                self.axes,
                self.groups,
                self.small_channels,
                self.big_channels,
                self.padding_mode,
                self.layout,
                self.kernel_layout,
            )
        )

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of strings differ from process to process.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _repr_html_(self) -> str:
        html: Callable[..., str] = imported("mtconv.sketch.html").html
        return html(repr(self), self.axes, self.padding_mode)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.axes)

    @property
    def small(self) -> tuple[int, ...]:
        """Spatial sizes of the small side, the input of `conv_transpose`."""
        return tuple([axis.small for axis in self.axes])

    @property
    def big(self) -> tuple[int, ...]:
        """Spatial sizes of the big side, the input of `conv`."""
        return tuple([axis.big for axis in self.axes])

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Number of taps along each axis."""
        return tuple([axis.kernel for axis in self.axes])

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Canonical shape of the kernel: (small channels, big channels / groups, *k)."""
        if self.small_channels is None or self.big_channels is None:
            return (1, 1, *self.kernel_size)
        return (
            self.small_channels,
            self.big_channels // self.groups,
            *self.kernel_size,
        )

    @property
    def multiply_adds(self) -> int:
        """Useful multiply-adds of any of the three maps per sample."""
        taps = prod(
            sum(window.cells for window in geometry.windows(axis)) for axis in self.axes
        )
        return taps * prod(self.kernel_shape[:2])

    @property
    def padded(self) -> ConvSpec:
        """The relation with zero padding that a spec with another padding mode contains."""
        axes = tuple(geometry.padded_axis(axis) for axis in self.axes)
        return ConvSpec(
            axes,
            self.groups,
            self.small_channels,
            self.big_channels,
            "zeros",
            self.layout,
            self.kernel_layout,
        )

    @classmethod
    def from_shapes(
        cls, x_shape: Sequence[int], kernel_shape: Sequence[int], **options: Any
    ) -> ConvSpec:
        """Make the spec of ``conv_transpose(x, kernel, **options)`` from shapes.

        Parameters
        ----------
        x_shape, kernel_shape : sequence of int
            Shapes of the small side's array and of the kernel.
        **options
            The geometric options of `mtconv.conv_transpose`.

        Raises
        ------
        GeometryError
            If no transposed convolution has these shapes and options.
        """
        return cls._from_shapes(x_shape, kernel_shape, **options)

    def conv_transpose(self, x: Any, kernel: Any, bias: Any = None, **choices: Any) -> Any:
        """Apply the transposed convolution.

        Parameters
        ----------
        x, kernel : array
            As in `mtconv.conv_transpose`, with the sizes of the spec.
        bias : array, shape (C_out,), optional
            Added to every element of a channel.
        **choices
            Any of ``algorithm``, ``backend`` and ``precision``.

        Returns
        -------
        array
            The big side, as `mtconv.conv_transpose` returns it.
        """
        return self._apply("conv_transpose", self, x, kernel, bias, **choices)

    def conv(self, y: Any, kernel: Any, bias: Any = None, **choices: Any) -> Any:
        """Apply the convolution, the adjoint with the same kernel.

        Parameters
        ----------
        y, kernel : array
            As the first arguments of `mtconv.conv`, with the sizes of the spec.
        bias : array, shape (C_out,), optional
            Added to every element of a channel.
        **choices
            Any of ``algorithm``, ``backend`` and ``precision``.

        Returns
        -------
        array
            The small side, as `mtconv.conv` returns it.
        """
        return self._apply("conv", self, y, kernel, bias, **choices)

    def kernel_grad(self, x: Any, y: Any, **choices: Any) -> Any:
        """Differentiate the trilinear form with respect to the kernel.

        Parameters
        ----------
        x, y : array
            As in `mtconv.kernel_grad`, with the sizes of the spec.
        **choices
            Any of ``algorithm``, ``backend`` and ``precision``.

        Returns
        -------
        array
            The gradient with respect to the kernel, as `mtconv.kernel_grad` returns it.
        """
        return self._apply("kernel_grad", self, x, y, None, **choices)
