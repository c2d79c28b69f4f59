"""What `auto` promises where it takes `fft`: the results of direct sums, but for rounding.

- NaN reaches only what the kernel reaches: it is replaced by zero, and the elements that it
  reaches are set afterwards. Where data or kernel have infinities, or the kernel has NaN,
  an exact algorithm computes the result instead.
- Finite values stay finite: where spectra could overflow or vanish, data and kernel are
  scaled by powers of two, which is exact.
- Whole numbers give whole numbers, exactly: the result is rounded where the error is
  certainly below 1/2, otherwise an exact algorithm computes it.
- Data and kernels without negative elements give no negative element.
- Single and half precision are transformed in double precision, so that small elements
  beside large ones are as accurate as direct sums make them.

What is left is double precision, whose error is relative to the largest element.
"""

from __future__ import annotations

from collections.abc import Callable
from math import frexp, inf, log2, sqrt
from typing import Any

import numpy as np

from mtconv.backends._numpy import fft
from mtconv.backends._numpy.algorithm import Array, Axes
from mtconv.backends.host.counts import Counts
from mtconv.backends.host.inputs import Traits, traits
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.planning import tuning

__all__ = ["Careful", "careful"]

# The largest error of a transform and its inverse, in units of rounding relative to the
# norms of data and kernel: four for each of at most 64 halvings, and some to spare.
ROUNDINGS = 300

# Powers of two that the elements of a result are below; 1024 for double precision.
_EXPONENTS = {"float16": 16, "bfloat16": 128, "float32": 128, "complex64": 128}

# Largest elements, and products of them, between which no spectrum overflows or vanishes.
LEAST, MOST = 1e-250, 1e250


def careful(
    form: str,
    first: Array,
    second: Array,
    dtype: str,
    folds: int = 1,
    *,
    first_traits: Traits | None = None,
    second_traits: Traits | None = None,
) -> Careful | None:
    """Look at the values of a call; return how `fft` keeps the promises for them.

    ``dtype`` is that of the result, and ``folds`` how many padded elements repeat one
    element at most. ``first_traits`` and ``second_traits`` spare a look at arrays that were
    seen before. None where an exact algorithm has to compute the result.
    """
    right = second_traits or traits(second)
    left = first_traits or traits(first, whole=right.whole)
    if left.largest == inf or right.largest == inf or (right.nan and form != "kernel_grad"):
        return None
    whole = left.whole and right.whole
    if whole:
        # Channels or samples that are summed, and parts of the kernel that are added up.
        terms = ROUNDINGS + max(first.shape + second.shape)
        terms *= sqrt(1 + second.size / tuning.PART_TAPS)
        # Padding repeats elements, which makes the norm of what is transformed larger.
        bound = left.norm * right.norm * sqrt(folds) * terms * 2.0**-53
        if not bound < 0.25:
            return None
    if _noise_overflows(left, right, first.size * second.size * folds**2, dtype):
        return None
    scales = _exponents(left.largest, right.largest)
    positive = left.nonnegative and right.nonnegative
    return Careful((left.nan, right.nan), scales, whole=whole, nonnegative=positive)


def _noise_overflows(left: Traits, right: Traits, sizes: int, dtype: str) -> bool:
    """Return whether an error of 2**-44 of the norms could be infinite in the result.

    That takes single elements near the square root of the largest number and beyond, whose
    product only one element of the result has, while all of them have its error.
    """
    if left.largest == 0 or right.largest == 0:
        return False
    error = log2(left.largest) + log2(right.largest) + log2(sizes) / 2 - 44
    return error >= _EXPONENTS.get(dtype, 1024) - 1


def _exponents(first: float, second: float) -> tuple[int, int] | None:
    """Powers of two by which arrays are divided, or None where that is not needed."""
    if first == 0 or second == 0:
        return None
    if all(LEAST < size < MOST for size in (first, second, first * second)):
        return None
    return frexp(first)[1], frexp(second)[1]


class Careful:
    """The three maps by `fft`, for values that `careful` looked at.

    Parameters
    ----------
    nan : pair of bool
        Whether the first and the second array of the call have NaN.
    exponents : pair of int, optional
        Powers of two that the arrays are divided by.
    whole, nonnegative : bool
        What both arrays are, and so the result.
    """

    NAME = fft.NAME
    TRANSFORMS = fft.TRANSFORMS

    def __init__(
        self,
        nan: tuple[bool, bool],
        exponents: tuple[int, int] | None,
        *,
        whole: bool,
        nonnegative: bool,
    ) -> None:
        self._nan = nan
        self._exponents = exponents
        self._whole = whole
        self._nonnegative = nonnegative

    def conv_transpose(
        self, axes: Axes, x: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Do what `fft.conv_transpose` does."""
        self._map(fft.conv_transpose, axes, x, weights, out, space, channels=1)

    def conv(
        self, axes: Axes, y: Array, weights: Weights, out: Array, space: Workspace
    ) -> None:
        """Do what `fft.conv` does."""
        self._map(fft.conv, axes, y, weights, out, space, channels=2)

    def _map(
        self,
        by_fft: Callable[[Axes, Array, Weights, Array, Workspace], None],
        axes: Axes,
        data: Array,
        weights: Weights,
        out: Array,
        space: Workspace,
        *,
        channels: int,
    ) -> None:
        """Apply a map to data whose channels are on axis ``channels``."""
        data, missing = self._load(data, 0)
        by_fft(axes, data, self._weights(weights), out, space)
        self.keep(out)
        if missing is not None:
            reached = np.zeros((*out.shape[:2], 1, *out.shape[3:]))
            by_fft(axes, _any(missing, channels), _ones(axes, weights), reached, space)
            _spread(reached, out)

    def kernel_grad(
        self, axes: Axes, x: Array, y: Array, out: Array, space: Workspace
    ) -> None:
        """Do what `fft.kernel_grad` does."""
        x, missing_x = self._load(x, 0)
        y, missing_y = self._load(y, 1)
        with space.frame():
            part = space.take(out.shape, out.dtype)
            part[...] = 0
            fft.kernel_grad(axes, x, y, part, space)
            self.keep(part)
            out += part
        taps = out.shape[3:]
        if missing_x is not None:
            reached = np.zeros((*out.shape[:2], 1, *taps))
            ones = np.ones((len(y), y.shape[1], 1, *y.shape[3:]))
            fft.kernel_grad(axes, missing_x.astype(np.float64), ones, reached, space)
            _spread(reached, out)
        if missing_y is not None:
            reached = np.zeros((len(out), 1, out.shape[2], *taps))
            ones = np.ones((len(x), 1, *x.shape[2:]))
            fft.kernel_grad(axes, ones, missing_y.astype(np.float64), reached, space)
            _spread(reached, out)

    def footprint(self, form: str, counts: Counts) -> int:
        """Do what `fft.footprint` does."""
        return fft.footprint(form, counts)

    def _load(self, array: Array, number: int) -> tuple[Array, Array | None]:
        """Scale an array and replace its NaN; also returns where those are."""
        missing = None
        if self._nan[number]:
            missing = np.isnan(array)
            array = np.where(missing, 0, array)
        return self._scaled(array, number), missing

    def _scaled(self, array: Array, number: int) -> Array:
        if self._exponents is None:
            return array
        return _shift(array, -self._exponents[number])

    def _weights(self, weights: Weights) -> Weights:
        if self._exponents is None:
            return weights
        # Not with the packed forms of the kernel, which were made of other values.
        return Weights(self._scaled(weights.array, 1))

    @property
    def plain(self) -> bool:
        """Return whether the arrays can be transformed as they are."""
        return self._exponents is None and not any(self._nan)

    def keep(self, out: Array) -> None:
        """Make the result keep what its arguments promise."""
        self.store(out, out)

    def store(self, result: Array, out: Array) -> None:
        """Store a result, or a part of it, so that it keeps what its arguments promise."""
        if self._exponents is not None:
            result = _shift(result, sum(self._exponents))
        if self._whole:
            values = result if result.dtype.kind != "c" else result.view(np.float64)
            np.rint(values, out=values)
            values += 0.0  # no negative zeros
        if self._nonnegative and not self._whole and _negative(result):
            np.maximum(result, 0, out=out, casting="unsafe")
        elif result is not out:
            np.copyto(out, result, casting="unsafe")


def _negative(result: Array) -> bool:
    """Return whether an element is negative or NaN; to look takes less than to change."""
    return not np.minimum.reduce(result, axis=None, initial=0.0) >= 0


def _shift(array: Array, exponent: int) -> Array:
    """Multiply an array by a power of two, any number of bits away."""
    double = np.complex128 if array.dtype.kind == "c" else np.float64
    array = array.astype(double, copy=False)
    shift: Callable[..., Any] = np.ldexp
    if array.dtype.kind != "c":
        result: Array = shift(array, exponent)
        return result
    shifted = np.empty(array.shape, array.dtype)
    shift(array.real, exponent, out=shifted.real)
    shift(array.imag, exponent, out=shifted.imag)
    return shifted


def _any(missing: Array, channels: int) -> Array:
    """Mark the elements that are missing in any channel, by ones."""
    marks: Array = np.any(missing, axis=channels, keepdims=True).astype(np.float64)
    return marks


def _ones(axes: Axes, weights: Weights) -> Weights:
    """Weights of ones between one channel and one other, in every group."""
    groups = len(weights.array)
    return Weights(np.ones((groups, 1, 1, *(axis.kernel for axis in axes))))


def _spread(reached: Array, out: Array) -> None:
    """Set the elements that NaN reaches; ``reached`` counts how often."""
    value = complex(np.nan, np.nan) if out.dtype.kind == "c" else np.nan
    np.copyto(out, value, where=reached > 0.5)
