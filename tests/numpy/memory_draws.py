"""Problems of many megabytes, drawn at random, and the memory that a call takes."""

from __future__ import annotations

import threading
import tracemalloc
from math import prod
from random import Random
from typing import Any, NamedTuple

import numpy as np

import mtconv
from mtconv.backends.host import results

__all__ = ["LIMIT", "Drawn", "draw", "extra_memory"]

LIMIT = 64 * 2**20

FORMS = ("conv_transpose", "conv", "kernel_grad")
ALGORITHMS = ("auto", "auto", "exact", "gemm", "polyphase", "subpixel", "direct", "fft")
DTYPES = (
    *("int8", "uint8", "int16", "int32", "int64", ">i4"),
    *("float16", "float16", "float32", "float64", ">f4", "complex64", "complex128"),
)
MODES = ("zeros",) * 6 + ("circular", "reflect", "replicate", "symmetric")
STRIDES = (1, 1, 2, 2, 3, 4, 8, 16, 35, 64, 200)
MOST_WORK = 2**28
MOST_VISITS = 2**26  # cells that the taps of a plane meet


class Drawn(NamedTuple):
    """A call: the map, shapes, dtype and options, and what the arrays hold."""

    form: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    dtype: str
    options: dict[str, Any]
    contents: str

    def arrays(self) -> list[np.ndarray]:
        """Make the arrays; pages of zeros cost no time."""
        arrays = [np.zeros(shape, self.dtype) for shape in self.shapes]
        for array in arrays:
            flat = array.reshape(-1)
            if self.contents == "fractions" and array.dtype.kind in "fc":
                flat[:: max(1, array.size // 999)] = 0.3
            elif self.contents == "holes" and array.dtype.kind in "fc":
                flat[:: max(1, array.size // 5)] = np.nan
            elif self.contents == "large" and array.dtype.kind in "iu":
                flat[:: max(1, array.size // 9)] = np.iinfo(array.dtype).max
            else:
                flat[:: max(1, array.size // 999)] = 3
        if self.contents == "views":
            # Both not contiguous: of every second element, and in another order.
            arrays = [np.repeat(array, 2, axis=-1)[..., ::2] for array in arrays]
        return arrays


def draw(random: Random) -> Drawn:
    """Draw a problem, the larger side of which takes up to 128 MiB."""
    while True:
        drawn = _draw(random)
        if drawn is not None:
            return drawn


def _draw(random: Random) -> Drawn | None:
    axes = random.choice((1, 2, 2, 3))
    dtype, form = random.choice(DTYPES), random.choice(FORMS)
    mode, algorithm = random.choice(MODES), random.choice(ALGORITHMS)
    if algorithm == "fft" and np.dtype(dtype).kind in "iu":
        algorithm = "auto"
    taps = [random.choice((1, 1, 2, 3, 4, 5, 9, 29)) for _ in range(axes)]
    steps = [random.choice(STRIDES) for _ in range(axes)]
    if random.random() < 0.5:
        steps = [steps[0]] * axes
    dilation = random.choice((1, 1, 1, 2, 3))
    groups, small, big = random.choice(
        (
            (1, random.randrange(1, 40), random.randrange(1, 300)),
            (random.randrange(2, 400), 1, 1),  # depthwise
            (random.randrange(2, 200), 1, random.randrange(1, 4)),
            (random.randrange(2, 9), random.randrange(1, 20), random.randrange(1, 20)),
        )
    )
    batch = random.choice((1, 1, 2, 4, 16, 35))
    pads = [random.randrange(dilation * (k - 1) + 1) for k in taps]
    cells = [1] * axes
    target = 2 ** random.uniform(22, 27)
    size = np.dtype(dtype).itemsize

    def lengths() -> list[int]:
        spans = zip(cells, steps, taps, pads, strict=True)
        return [s * (n - 1) + dilation * (k - 1) + 1 - p for n, s, k, p in spans]

    def side(channels: int, sizes: list[int]) -> int:
        return batch * groups * channels * prod(sizes) * size

    while max(side(big, lengths()), side(small, cells)) < target / 2:
        axis = random.randrange(axes)
        cells[axis] = cells[axis] * 2 + random.randrange(2)
    space = lengths()
    inside = all(p < n for p, n in zip(pads, space, strict=True))
    visits = batch * groups * small * big * prod(cells) * prod(taps)
    if min(space) < 1 or max(side(big, space), side(small, cells)) > 2 * target:
        return None
    if visits > (MOST_VISITS if algorithm == "direct" else MOST_WORK) or not inside:
        return None
    x, y = (batch, groups * small, *cells), (batch, groups * big, *space)
    w = (groups * small, big, *taps)
    options: dict[str, Any] = {
        "stride": tuple(steps),
        "padding": tuple((p, 0) for p in pads),
        "dilation": dilation,
        "groups": groups,
        "padding_mode": mode,
        "algorithm": algorithm,
    }
    if form == "kernel_grad":
        options["kernel_size"] = tuple(taps)
    shapes = {"conv_transpose": (x, w), "conv": (y, w), "kernel_grad": (x, y)}[form]
    contents = random.choice(("whole", "whole", "fractions", "holes", "large", "views"))
    return Drawn(form, shapes, dtype, options, contents)


def extra_memory(function: Any, *arrays: np.ndarray, **options: Any) -> int:
    """Measure the peak of a call beside its result, in bytes, with one thread.

    The call is made in a new thread, which has kept nothing from earlier calls, and no
    result of an earlier one is kept either.
    """
    peaks = []

    def measure() -> None:
        results.forget()
        with mtconv.workers(1):
            tracemalloc.start()
            try:
                result = function(*arrays, **options)
                peaks.append(tracemalloc.get_traced_memory()[1] - result.nbytes)
            finally:
                tracemalloc.stop()

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    return peaks[0]
