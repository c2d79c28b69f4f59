"""Kernels that smooth: binomial and Gaussian ones, and the disk of a lens out of focus."""

from __future__ import annotations

from math import ceil, comb
from typing import Any, SupportsIndex

import numpy as np

from mtconv.kernels.build import (
    Array,
    positive_integers,
    positive_number,
    positive_numbers,
    product_of,
    with_channels,
)
from mtconv.problem.options import IntOrInts

__all__ = ["binomial", "disk", "gaussian"]

# What differences of areas may leave where the disk has no part, in areas of the disk.
_ROUNDING = 1e-14


def binomial(
    size: IntOrInts,
    *,
    channels: SupportsIndex | None = None,
    depthwise: bool = True,
    dtype: Any = "float64",
) -> Array:
    """Make a smoothing kernel of binomial coefficients, exact in binary arithmetic.

    Along each axis the coefficients of ``(1 + z)**(size - 1)`` divided by
    ``2**(size - 1)``: what smoothing by (1/2, 1/2) gives after ``size - 1`` times. Its
    variance is ``(size - 1) / 4``.

    Parameters
    ----------
    size : int or sequence of int
        Number of taps; an int means two axes.
    channels : int, optional
        As in `bilinear`.
    depthwise : bool
        As in `bilinear`.
    dtype : dtype or str
        Dtype of the elements.

    Returns
    -------
    array, shape (*size,), (C, 1, *size) or (C, C, *size)
        Elements that add up to 1 in each channel; in float64 exactly, up to 54 taps.

    Raises
    ------
    GeometryError
        If a size or the number of channels is below 1.

    Examples
    --------
    >>> binomial((3,))
    array([0.25, 0.5 , 0.25])
    >>> binomial(3) * 16
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    sizes = positive_integers("binomial", "size", size)
    axes = [
        np.array([comb(count - 1, j) / 2 ** (count - 1) for j in range(count)])
        for count in sizes
    ]
    return with_channels("binomial", product_of(axes), channels, depthwise, dtype)


def gaussian(
    sigma: Any,
    *,
    truncate: float = 4.0,
    channels: SupportsIndex | None = None,
    depthwise: bool = True,
    dtype: Any = "float64",
) -> Array:
    """Sample a Gaussian, as `scipy.ndimage.gaussian_filter` takes it.

    Along each axis ``exp(-j**2 / (2 * sigma**2))`` for ``j`` from ``-r`` to ``r``, where
    ``r = int(truncate * sigma + 1/2)``, divided by its sum.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in elements; one number means two axes.
    truncate : float
        Where the Gaussian ends, in standard deviations.
    channels : int, optional
        As in `bilinear`.
    depthwise : bool
        As in `bilinear`.
    dtype : dtype or str
        Dtype of the elements.

    Returns
    -------
    array, shape (*k,), (C, 1, *k) or (C, C, *k)
        With ``k = 2*r + 1`` taps per axis, which add up to 1 in each channel.

    Raises
    ------
    GeometryError
        If `sigma` or `truncate` is not a finite number above 0.

    Examples
    --------
    >>> kernel = gaussian((1.0, 2.0))
    >>> kernel.shape
    (9, 17)
    >>> float(kernel.sum().round(12))
    1.0
    """
    sigmas = positive_numbers("gaussian", "sigma", sigma)
    cut = positive_number("gaussian", "truncate", truncate)
    kernel = product_of([_bell(width, int(cut * width + 0.5)) for width in sigmas])
    return with_channels("gaussian", kernel, channels, depthwise, dtype)


def _bell(sigma: float, radius: int) -> Array:
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    result: Array = bell / bell.sum()
    return result


def disk(
    radius: float,
    *,
    channels: SupportsIndex | None = None,
    depthwise: bool = True,
    dtype: Any = "float64",
) -> Array:
    """Make a uniform disk, the blur of a lens out of focus.

    Pixels are squares of side 1, and each element is the area that a disk around the
    middle of the kernel has in common with its pixel, divided by the area of the disk.

    Parameters
    ----------
    radius : float
        Radius of the disk in pixels.
    channels : int, optional
        As in `bilinear`.
    depthwise : bool
        As in `bilinear`.
    dtype : dtype or str
        Dtype of the elements.

    Returns
    -------
    array, shape (k, k), (C, 1, k, k) or (C, C, k, k)
        With ``k = 2*ceil(radius - 1/2) + 1``, at least 1; the elements of a channel add up
        to 1.

    Raises
    ------
    GeometryError
        If the radius is not a finite number above 0.

    Examples
    --------
    >>> disk(0.5)
    array([[1.]])
    >>> import numpy as np
    >>> corner, side, middle = np.pi * 1.5**2 * disk(1.5)[[0, 0, 1], [0, 1, 1]]
    >>> print(f"{corner:.4f} {side:.4f} {middle:.4f}")
    0.5454 0.9717 1.0000
    """
    size = positive_number("disk", "radius", radius)
    reach = max(ceil(size - 0.5), 0)
    edges = np.arange(-reach, reach + 2) - 0.5
    covered = np.array([[_area(a, b, size) for b in edges] for a in edges])
    kernel = np.diff(np.diff(covered, axis=0), axis=1)
    # Rounding must not make sides differ.
    kernel = np.maximum.reduce([*_mirrored(kernel), *_mirrored(kernel.T)])
    kernel[kernel < _ROUNDING * kernel.sum()] = 0
    return with_channels("disk", kernel / kernel.sum(), channels, depthwise, dtype)


def _mirrored(kernel: Array) -> tuple[Array, ...]:
    """Return a kernel and its three mirror images."""
    return kernel, kernel[::-1], kernel[:, ::-1], kernel[::-1, ::-1]


def _area(a: float, b: float, radius: float) -> float:
    """Area of the disk's part with 0 to a on one axis and 0 to b on the other, signed."""
    sign = float(np.sign(a) * np.sign(b))
    a, b = min(abs(a), radius), min(abs(b), radius)
    if a * a + b * b <= radius * radius:
        return sign * a * b
    # A rectangle up to where the circle has height b, and the part below the circle.
    start = np.sqrt(radius * radius - b * b)
    return sign * float(start * b + _below(a, radius) - _below(start, radius))


def _below(x: float, radius: float) -> float:
    """Area below the circle from 0 to x."""
    height = np.sqrt(max(radius * radius - x * x, 0.0))
    return float((x * height + radius * radius * np.arcsin(min(x / radius, 1.0))) / 2)
