"""Kernels with which a transposed convolution enlarges pictures."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from mtconv.kernels.build import Array, positive_integers, product_of, with_channels
from mtconv.problem.options import IntOrInts

__all__ = ["bilinear", "nearest"]


def bilinear(
    factor: IntOrInts,
    *,
    channels: SupportsIndex | None = None,
    depthwise: bool = True,
    dtype: Any = "float64",
) -> Array:
    """Make the kernel that enlarges by linear interpolation along each axis.

    For ``mtconv.conv_transpose(x, kernel, stride=factor, padding="same")``, which gives
    pictures ``factor`` times as large: the first weights of the upsampling layers of fully
    convolutional networks. Pixels are areas, so that of the result at ``o`` lies at
    ``(o + 1/2) / factor - 1/2`` of x: the convention of torch's `interpolate` with
    ``align_corners=False``. The result is equal to torch's, except for the first and the
    last ``factor // 2`` pixels of an axis: torch repeats the edge there, and a transposed
    convolution has zeros. With ``channels=C``, pass ``groups=C`` too; without it the
    channels are added up.

    Parameters
    ----------
    factor : int or sequence of int
        How many times as large the result is; an int means two axes.
    channels : int, optional
        Number of channels; without it the kernel has none.
    depthwise : bool
        Whether the kernel has shape (C, 1, *k), for ``groups=C``; otherwise (C, C, *k),
        zero between different channels.
    dtype : dtype or str
        Dtype of the elements.

    Returns
    -------
    array, shape (*k,), (C, 1, *k) or (C, C, *k)
        With ``k = 2*factor - factor % 2`` taps per axis. The taps that meet in one element
        of the result add up to 1, so those of a channel add up to ``prod(factor)``.

    Raises
    ------
    GeometryError
        If a factor or the number of channels is below 1.

    Examples
    --------
    >>> bilinear((2,))
    array([0.25, 0.75, 0.75, 0.25])
    >>> import mtconv
    >>> mtconv.conv_transpose([0.0, 4.0, 8.0], bilinear((2,)), stride=2, padding="same")
    array([0., 1., 3., 5., 7., 6.])
    """
    factors = positive_integers("bilinear", "factor", factor)
    kernel = product_of([_triangle(size) for size in factors])
    return with_channels("bilinear", kernel, channels, depthwise, dtype)


def _triangle(factor: int) -> Array:
    """Weights by distance from the middle, zero from a distance of ``factor`` on."""
    taps = 2 * factor - factor % 2
    twice = np.abs(2 * np.arange(taps) - (taps - 1))
    result: Array = (2 * factor - twice) / (2 * factor)
    return result


def nearest(
    factor: IntOrInts,
    *,
    channels: SupportsIndex | None = None,
    depthwise: bool = True,
    dtype: Any = "float64",
) -> Array:
    """Make the kernel that enlarges by repeating each element.

    For ``mtconv.conv_transpose(x, kernel, stride=factor)``: every element of x becomes a
    block of equal ones. The adjoint, divided by ``prod(factor)``, averages blocks.

    Parameters
    ----------
    factor : int or sequence of int
        How many times as large the result is; an int means two axes.
    channels : int, optional
        As in `bilinear`.
    depthwise : bool
        As in `bilinear`.
    dtype : dtype or str
        Dtype of the elements.

    Returns
    -------
    array, shape (*factor,), (C, 1, *factor) or (C, C, *factor)
        Ones, which add up to ``prod(factor)`` in each channel.

    Raises
    ------
    GeometryError
        If a factor or the number of channels is below 1.

    Examples
    --------
    >>> import mtconv
    >>> mtconv.conv_transpose([1, 2], nearest((3,), dtype=int), stride=3)
    array([1, 1, 1, 2, 2, 2])
    """
    factors = positive_integers("nearest", "factor", factor)
    return with_channels("nearest", np.ones(factors), channels, depthwise, dtype)
