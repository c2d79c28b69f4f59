"""Random problems for metamorphic relations, and what their other sides are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import Axis

__all__ = ["Drawn", "draw"]

Array = NDArray[Any]
Ints = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """A random problem: arrays of whole numbers, and an integer an axis for each option."""

    x: Array
    kernel: Array
    stride: Ints
    dilation: Ints
    padding: tuple[tuple[int, int], ...]
    output_padding: Ints
    groups: int
    rng: np.random.Generator

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in self.options.items()]
        shapes = f"x of shape {self.x.shape}, kernel of shape {self.kernel.shape}"
        return f"{shapes}, {', '.join(words)}"

    @property
    def space(self) -> range:
        """Numbers of the spatial axes."""
        return range(2, self.x.ndim)

    @property
    def options(self) -> dict[str, Any]:
        """All options."""
        return {
            **self.steps,
            "padding": self.padding,
            "output_padding": self.output_padding,
        }

    @property
    def steps(self) -> dict[str, Any]:
        """The options without those that crop and extend."""
        return {
            "stride": self.stride,
            "padding": ((0, 0),) * len(self.stride),
            "output_padding": (0,) * len(self.stride),
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def plain(self, stride: Ints) -> dict[str, Any]:
        """Options of one group without padding and dilation."""
        return {
            **self.steps,
            "stride": stride,
            "dilation": (1,) * len(stride),
            "groups": 1,
        }

    def another(self, array: Array) -> Array:
        """Other whole numbers of the same shape."""
        return numbers(self.rng, *array.shape)

    def permutation(self, count: int) -> Array:
        """Return numbers of channels in another order."""
        return self.rng.permutation(count)

    def first_group(self) -> tuple[Array, Array]:
        """Input and kernel of the first group."""
        count = self.x.shape[1] // self.groups
        return self.x[:, :count], self.kernel[:count]

    def second_kernel(self, channels: int) -> tuple[Array, Ints]:
        """Return a kernel for the result of another layer, and strides."""
        taps = self.rng.integers(1, 4, len(self.stride))
        steps = tuple(int(n) for n in self.rng.integers(1, 4, len(self.stride)))
        return numbers(self.rng, channels, 2, *taps), steps

    def extended(self, array: Array, axis: int, low: int, high: int) -> Array:
        """Put zeros before and after an axis."""
        widths = [(0, 0)] * array.ndim
        widths[axis] = (low, high)
        return np.pad(array, widths)

    def widened(self, array: Array, steps: Ints) -> Array:
        """Put zeros between the elements of the spatial axes."""
        sizes = [(n - 1) * step + 1 for n, step in zip(array.shape[2:], steps, strict=True)]
        wide = np.zeros((*array.shape[:2], *sizes))
        every = tuple(slice(None, None, step) for step in (1, 1, *steps))
        wide[every] = array
        return wide

    def cropped(self, whole: Any) -> Array:
        """Crop the uncropped result by the padding, and extend it by the output padding."""
        result = np.asarray(whole)
        for axis in self.space:
            (low, high), extra = self.padding[axis - 2], self.output_padding[axis - 2]
            size = result.shape[axis] - low - high + extra
            result = self.extended(result, axis, max(-low, 0), max(extra - high, 0))
            start = max(low, 0)
            result = result[(slice(None),) * axis + (slice(start, start + size),)]
        return result


def numbers(rng: np.random.Generator, *shape: int) -> Array:
    """Return small whole numbers, as floats."""
    return rng.integers(-4, 5, shape).astype("float64")


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a problem with a result of at least one element."""
    rank = int(rng.integers(1, 4))
    most = {1: 5, 2: 4, 3: 3}[rank]
    n, k = (_ints(rng, 1, most, rank) for _ in range(2))
    stride, dilation = (_ints(rng, 1, 3, rank) for _ in range(2))
    extra = tuple(int(rng.integers(0, s)) for s in stride)
    padding = []
    for a in range(rank):
        full = Axis(n[a], 1, k[a], stride[a], dilation[a]).full
        low, high = _ints(rng, -1, 3, 2)
        fits = full - low - high >= 1
        padding.append((low, high) if fits else (0, 0))
    groups, before, after = _ints(rng, 1, 3, 3)
    return Drawn(
        numbers(rng, 2, groups * before, *n),
        numbers(rng, groups * before, after, *k),
        stride,
        dilation,
        tuple(padding),
        extra,
        groups,
        np.random.default_rng(rng.integers(2**31)),
    )


def _ints(rng: np.random.Generator, low: int, high: int, count: int) -> Ints:
    return tuple(int(number) for number in rng.integers(low, high + 1, count))
