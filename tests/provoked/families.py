"""Calls whose right results are known before anything is provoked.

A family is a geometry with several kernels of the same shape. Everything in it is a small
whole number, so that results are compared with ``==``. The expected results come from
loops over the taps in this file, never from mtconv.
"""

from __future__ import annotations

import importlib.util
from itertools import product
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import mtconv

__all__ = ["FORMS", "Family", "Job", "draw_family", "large_families"]

Array = NDArray[Any]

FORMS = ("conv_transpose", "conv", "kernel_grad")
EXACT = ("gemm", "polyphase", "direct", "auto", "exact")
FLOATS = ("float16", "float32", "float64", "complex64")
DTYPES = (*FLOATS, "float32", "float64", "int8", "uint8", "int32", "int64")
MODES = {
    "zeros": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
    "symmetric": "symmetric",
}
VARIANTS = 4
HAS_SCIPY = importlib.util.find_spec("scipy") is not None


class Job(NamedTuple):
    """A call of a family: the map, the number of the kernel, and who is called."""

    form: str
    variant: int
    algorithm: str
    way: str = "function"


class Side(NamedTuple):
    """The geometry of an axis; ``small`` and ``big`` are its sizes on both sides."""

    small: int
    big: int
    taps: int
    stride: int
    dilation: int
    low: int
    high: int

    def reach(self, tap: int) -> slice:
        """Cells of the padded big side that a tap meets."""
        start = self.dilation * tap
        return slice(start, start + self.stride * (self.small - 1) + 1, self.stride)


class Family:
    """A geometry, `VARIANTS` kernels, and the right results of the three maps."""

    def __init__(
        self,
        rng: np.random.Generator,
        sides: tuple[Side, ...],
        channels: tuple[int, int, int, int],
        dtype: str,
        mode: str = "zeros",
    ) -> None:
        batch, groups, small, big = channels
        self.sides, self.groups, self.mode = sides, groups, mode
        self.dtype = np.dtype(dtype)
        self.options: dict[str, Any] = {
            "stride": tuple(side.stride for side in sides),
            "dilation": tuple(side.dilation for side in sides),
            "padding": tuple((side.low, side.high) for side in sides),
            "groups": groups,
            "padding_mode": mode,
        }
        self.size = tuple(side.big for side in sides)
        cells = tuple(side.small for side in sides)
        taps = tuple(side.taps for side in sides)
        x_shape = (batch, groups * small, *cells)
        self.x = [_whole(rng, x_shape, self.dtype) for _ in range(VARIANTS)]
        self.y = _whole(rng, (batch, groups * big, *self.size), self.dtype)
        kernel = (groups * small, big, *taps)
        self.w = [_whole(rng, kernel, self.dtype) for _ in range(VARIANTS)]
        self.expected = {
            (form, variant): self._by_loops(form, variant)
            for form in FORMS
            for variant in range(VARIANTS)
        }
        self.operators: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"x {self.x[0].shape}, w {self.w[0].shape}, {self.dtype}, {self.options}"

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Algorithms that take the dtype; "sparse" is a backend, for small problems."""
        names = EXACT if self.dtype.kind in "iu" else (*EXACT, "fft")
        return (*names, "sparse") if HAS_SCIPY and self.y.size < 2000 else names

    def job(self, random: Random) -> Job:
        """Draw a call."""
        form = random.choice(("conv_transpose", *FORMS))
        way = random.choice(("function", "function", "operator", "new operator"))
        variant = random.randrange(VARIANTS)
        algorithm = random.choice(("polyphase", *self.algorithms))
        return Job(form, variant, algorithm, way)

    def arrays(self, job: Job) -> tuple[Array, Array]:
        """Return the two arrays of a call."""
        if job.form == "conv_transpose":
            return self.x[0], self.w[job.variant]
        if job.form == "conv":
            return self.y, self.w[job.variant]
        return self.x[job.variant], self.y

    def call(self, job: Job, first: Any = None, second: Any = None, **changed: Any) -> Any:
        """Make a call, with other arrays and options of the same shapes if wanted."""
        arrays = self.arrays(job)
        first = arrays[0] if first is None else first
        second = arrays[1] if second is None else second
        options = {**self.options, **changed}
        if job.algorithm == "sparse":
            options["backend"] = "sparse"
        else:
            options["algorithm"] = job.algorithm
        if job.form == "kernel_grad":
            taps = tuple(side.taps for side in self.sides)
            return mtconv.kernel_grad(first, second, kernel_size=taps, **options)
        if job.way == "function":
            if job.form == "conv":
                return mtconv.conv(first, second, **options)
            return mtconv.conv_transpose(first, second, output_size=self.size, **options)
        key = None if job.way == "new operator" or changed else (id(second), job.algorithm)
        operator = self.operators.get(key)
        if operator is None:
            operator = mtconv.Conv(second, input_size=self.size, **options)
            if key is not None and second is arrays[1]:
                self.operators[key] = operator
        return operator(first) if job.form == "conv" else operator.T(first)

    def is_right(self, job: Job, result: Any) -> bool:
        """Compare a result with what is due."""
        due = self.expected[job.form, job.variant]
        if not isinstance(result, np.ndarray):
            return False
        if result.shape != due.shape or result.dtype != due.dtype:
            return False
        if job.algorithm == "fft":  # not exact, by its own account
            close = 2e-3 if self.dtype == np.float16 else 1e-5
            return bool(np.allclose(result, due, rtol=close, atol=0.25))
        return bool(np.array_equal(result, due))

    def _by_loops(self, form: str, variant: int) -> Array:
        wide = np.result_type(self.dtype, np.int64)  # float64, complex128 or int64
        x = self.x[variant if form == "kernel_grad" else 0].astype(wide)
        x = x.reshape(len(x), self.groups, -1, *x.shape[2:])
        w = self.w[variant].astype(wide)
        w = w.reshape(self.groups, -1, *w.shape[1:])
        if form == "conv_transpose":
            lengths = [side.big + side.low + side.high for side in self.sides]
            padded = np.zeros((*x.shape[:2], w.shape[2], *lengths), wide)
        else:
            padded = self._padded(self.y).astype(wide)
            padded = padded.reshape(len(x), self.groups, -1, *padded.shape[2:])
        result = np.zeros(x.shape if form == "conv" else w.shape, wide)
        for tap in product(*(range(side.taps) for side in self.sides)):
            reached = tuple(s.reach(j) for s, j in zip(self.sides, tap, strict=True))
            area = padded[(..., *reached)]
            matrix = w[(..., *tap)]
            if form == "conv":
                result += np.einsum("bgd...,gcd->bgc...", area, matrix)
            elif form == "conv_transpose":
                area += np.einsum("bgc...,gcd->bgd...", x, matrix)
            else:
                result[(..., *tap)] = _pairs(x, area)
        if form == "conv_transpose":
            result = self._folded(padded)
        elif form == "kernel_grad":
            return result.reshape(self.w[0].shape).astype(self.dtype)
        return result.reshape(len(x), -1, *result.shape[3:]).astype(self.dtype)

    def _padded(self, y: Array) -> Array:
        widths = [(side.low, side.high) for side in self.sides]
        return np.pad(y, [(0, 0), (0, 0), *widths], MODES[self.mode])  # type: ignore[call-overload,no-any-return]

    def _folded(self, padded: Array) -> Array:
        """Add every padded cell to the cell that it was read from."""
        for axis, side in enumerate(self.sides, 3):
            cells = np.arange(side.big)
            widths = (side.low, side.high)
            if self.mode == "zeros":
                origin = np.pad(cells, widths, constant_values=side.big)
            else:
                origin = np.pad(cells, widths, MODES[self.mode])  # type: ignore[call-overload]
            moved = np.moveaxis(padded, axis, 0)
            total = np.zeros((side.big + 1, *moved.shape[1:]), padded.dtype)
            np.add.at(total, origin, moved)
            padded = np.moveaxis(total[: side.big], 0, axis)
        return padded


def _pairs(x: Array, area: Array) -> Array:
    """Multiply all channels of both sides, summed over batch and cells."""
    x = x.reshape(*x.shape[:3], -1)
    area = area.reshape(*area.shape[:3], -1)
    return np.einsum("bgcn,bgdn->gcd", x, area)


def _whole(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    low = 0 if dtype.kind == "u" else -3
    values = rng.integers(low, 4, shape)
    if dtype.kind == "c":
        return (values + 1j * rng.integers(low, 4, shape)).astype(dtype)
    return values.astype(dtype)


def draw_side(random: Random, longest: int) -> Side:
    """Draw an axis on which the convolution has a result."""
    while True:
        taps, stride, dilation = (random.choice((1, 2, 3, 4)) for _ in range(3))
        dilation = min(dilation, 2)
        big = random.randrange(2, longest)
        low, high = (random.randrange(dilation * taps + 1) for _ in range(2))
        room = big + low + high - dilation * (taps - 1) - 1
        if room >= 0:
            return Side(room // stride + 1, big, taps, stride, dilation, low, high)


def draw_family(random: Random, dtype: str | None = None) -> Family:
    """Draw a small family of any dtype, of one to three spatial axes."""
    axes = random.choice((1, 2, 2, 3))
    mode = random.choice(("zeros", "zeros", *MODES))
    longest = {1: 40, 2: 14, 3: 7}[axes]
    sides = tuple(draw_side(random, longest) for _ in range(axes))
    channels = (
        random.choice((1, 2, 3)),
        random.choice((1, 1, 2)),
        random.choice((1, 2, 5)),
        random.choice((1, 3, 4)),
    )
    rng = np.random.default_rng(random.randrange(2**32))
    return Family(rng, sides, channels, dtype or random.choice(DTYPES), mode)


def large_families(random: Random) -> list[Family]:
    """Families that are worth threads; the second has results of 4 MiB.

    Operators of the last one work in frequency, in stages that threads share.
    """
    rng = np.random.default_rng(random.randrange(2**32))
    twice = Side(40, 80, 4, 2, 1, 1, 1)
    wide = Side(128, 256, 4, 2, 1, 1, 1)
    line = Side(3000, 3000, 5, 1, 1, 2, 2)
    circle = Side(288, 288, 9, 1, 1, 4, 4)
    return [
        Family(rng, (twice, twice), (2, 1, 16, 16), "float32"),
        Family(rng, (wide, wide), (2, 1, 4, 8), "float32"),
        Family(rng, (twice, twice), (2, 2, 16, 8), "int16"),
        Family(rng, (line,), (2, 1, 16, 24), "float64", "circular"),
        Family(rng, (circle, circle), (2, 1, 1, 1), "float64", "circular"),
    ]
