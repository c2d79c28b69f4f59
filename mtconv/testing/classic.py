"""The fixed list that comes before random cases: what implementations get wrong.

One entry is one call. Most of them change one thing from a plain layer, so that what is
wrong shows with few others; some have everything at once. Sizes go past the widths of
vectors and tiles, to 33 on every axis and to 1025 on one, and so do channels, groups and
samples. Kernels have up to 17 taps and 33, strides go to 17, dilations to 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.problem.shapes import conv_transpose_shape
from mtconv.testing.case import Case
from mtconv.testing.memory import laid_out
from mtconv.testing.values import largest_value, random_values

__all__ = ["Entry", "build", "entries", "rich"]


@dataclass(frozen=True)
class Entry:
    """One call of the list, without its values.

    Channels are those of one group; kind is "bare", "unbatched" or "batched".
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    channels: tuple[int, int] = (2, 3)
    batch: int = 2
    kind: str = "batched"
    bias: bool = False


def entries() -> Iterator[Entry]:
    """Yield the whole list, small calls first."""
    yield from _one_axis()
    yield from _paddings()
    yield from _channels()
    yield from _two_axes()
    yield from _three_axes()


def rich(rank: int, kind: str = "batched") -> Entry:
    """Return a call that has everything at once, and differs from axis to axis."""
    options: dict[str, Any] = {
        "stride": (2, 3, 1)[:rank],
        "dilation": (1, 2, 2)[:rank],
        "padding": ((1, 0), (2, 1), (0, 1))[:rank],
        "output_padding": (1, 2, 0)[:rank],
    }
    if kind != "bare":
        options["groups"] = 2
    sizes = {1: (6,), 2: (4, 3), 3: (2, 3, 2)}  # small, since there are many calls
    taps = {1: (5,), 2: (3, 2), 3: (2, 2, 2)}
    return Entry(sizes[rank], taps[rank], options, (2, 3), 3, kind, kind != "bare")


def _one_axis() -> Iterator[Entry]:
    """Every kernel size, stride, dilation and size, on one axis."""
    yield Entry((5,), (3,))
    yield Entry((5,), (3,), bias=True)
    yield Entry((4,), (2,), kind="bare")
    yield Entry((4,), (3,), {"stride": 2}, kind="unbatched", bias=True)
    for taps in (1, 2, *range(4, 18)):
        yield Entry((4,), (taps,), {"stride": 1 + taps % 2}, (2, 2))
    for stride in range(2, 18):
        yield Entry((4,), (4,), {"stride": stride}, (1, 2))
    for dilation in range(2, 10):
        yield Entry((5,), (3,), {"dilation": dilation}, (1, 2))
    for stride, dilation in ((2, 2), (2, 4), (3, 2), (4, 2), (4, 6), (6, 4)):
        yield Entry((5,), (4,), {"stride": stride, "dilation": dilation}, (1, 1))
    for size in (1, 2, *range(6, 34), 47, 48, 49, 63, 64, 65, 100, 127, 128, 129):
        yield Entry((size,), (3,), {"stride": 1 + size % 2}, (1, 2), 1)
    for size in (255, 256, 257, 511, 512, 513, 1025):
        yield Entry((size,), (2,), {"stride": 1 + size % 2}, (1, 1), 1)
    yield Entry((3,), (33,), {}, (1, 1), 1)
    for taps, stride in product(range(1, 9), range(2, 7)):
        yield Entry((3,), (taps,), {"stride": stride}, (1, 2), 1)
    for taps, stride, dilation in product(range(2, 7), range(2, 5), range(2, 5)):
        yield Entry((3,), (taps,), {"stride": stride, "dilation": dilation}, (1, 1), 1)
    for size in range(34, 131):
        yield Entry((size - 1,), (2,), {}, (1, 1), 1)  # results of this size
    for size in (8, 16, 24, 32, 40, 64, 72, 80, 96, 128, 192, 256, 512):
        yield Entry((size,), (3,), {"padding": 1}, (1, 1), 1)  # results of this size


def _paddings() -> Iterator[Entry]:
    """Everything that is cropped or added at both ends."""
    pads: tuple[Any, ...] = (1, 2, ((1, 0),), ((0, 1),), ((2, 1),), ((0, 3),), -1)
    for number, padding in enumerate((*pads, ((-1, 2),), ((2, -1),), ((-2, -1),))):
        stride = 1 + number % 3
        yield Entry((6,), (3,), {"stride": stride, "padding": padding}, (1, 2))
    for word in ("valid", "same", "same_lower"):
        for taps, stride in ((3, 1), (4, 2), (5, 2), (2, 3), (4, 1)):
            yield Entry((5,), (taps,), {"stride": stride, "padding": word}, (1, 2))
    for stride, extra in ((2, 1), (3, 1), (3, 2), (4, 3), (8, 5)):
        options = {"stride": stride, "output_padding": extra}
        yield Entry((4,), (3,), options, (1, 2), bias=True)
        yield Entry((4,), (5,), options | {"padding": ((1, 2),)}, (1, 2))
    yield Entry((9,), (2,), {"padding": 4}, (1, 1))  # more than the kernel
    yield Entry((3,), (16,), {"stride": 8, "padding": 4})
    yield Entry((5,), (3,), {"stride": 3, "padding": 1}, (2, 2))
    yield Entry((5,), (3,), {"padding": 3}, (1, 2))  # one element is left
    yield Entry((4,), (4,), {"stride": 2, "padding": ((4, 5),)}, (2, 1), bias=True)
    yield Entry((3, 4), (2, 3), {"padding": ((2, 1), (3, 2))}, (1, 1))
    yield from _padding_words()


def _padding_words() -> Iterator[Entry]:
    """Yield "same" together with what else a layer has."""
    for word in ("same", "same_lower"):
        padded = {"padding": word}
        yield Entry((5,), (3,), padded | {"dilation": 2}, (1, 2))
        yield Entry((4,), (4,), padded | {"stride": 3, "dilation": 2}, (1, 1))
        yield Entry((4,), (4,), padded | {"groups": 2}, bias=True)
        yield Entry((4,), (2,), padded, kind="unbatched")
        yield Entry((4,), (4,), padded | {"stride": 2}, kind="bare")
        yield Entry((4, 3), (2, 4), padded | {"stride": (1, 3)}, (1, 2))
        yield Entry((3, 2, 2), (2, 3, 4), padded | {"stride": (1, 2, 3)}, (1, 1))


def _channels() -> Iterator[Entry]:
    """Numbers of channels, groups and samples."""
    for channels in ((1, 1), (3, 1), (1, 4), (5, 2), (8, 3), (9, 8), (17, 5), (4, 33)):
        yield Entry((3,), (2,), {}, channels, bias=channels[1] > 3)
    for channels in ((6, 7), (7, 6), (10, 12), (13, 11), (16, 16), (129, 2), (2, 129)):
        yield Entry((3,), (2,), {}, channels, bias=channels[1] < 8)
    yield Entry((2,), (1,), {}, (257, 258), 1)
    yield Entry((2,), (2,), {}, (33, 17), 1, bias=True)
    yield Entry((2,), (1,), {}, (65, 2), 1)
    yield Entry((2,), (3,), {}, (64, 65), 3)
    shares = ((1, 1), (2, 1), (1, 2), (2, 3), (3, 2), (1, 2), (1, 1), (4, 1), (1, 3))
    for number, groups in enumerate((*range(2, 18), 32, 33, 65)):
        options = {"groups": groups, "stride": 2}
        channels = shares[number % len(shares)]
        yield Entry((3,), (3,), options, channels, bias=groups % 2 == 0)
    for batch in (0, 1, *range(3, 10), 16, 17, 32, 33, 65):
        yield Entry((4,), (3,), {"stride": 2}, (2, 2), batch, bias=batch > 3)
    yield Entry((4,), (3,), {"stride": 2, "output_padding": 1, "groups": 2}, batch=0)
    yield Entry((3, 2), (2, 3), {"stride": 2, "padding": 1}, batch=0, bias=True)


_LAYERS: tuple[tuple[int, int, Any, int], ...] = (
    (2, 2, 0, 0),
    (3, 1, 1, 0),
    (4, 2, 1, 0),
    (3, 2, 1, 1),
    (5, 2, 2, 1),
    (4, 4, 0, 0),
    (7, 1, 3, 0),
    (8, 4, 2, 0),
    (6, 3, 1, 0),
    (1, 2, 0, 1),
    (1, 1, 0, 0),
)


def _two_axes() -> Iterator[Entry]:
    """Layers that networks have, and axes that differ."""
    for taps, stride, padding, extra in _LAYERS:
        options = {"stride": stride, "padding": padding, "output_padding": extra}
        yield Entry((4, 3), (taps, taps), options, (2, 2), bias=taps % 2 == 0)
        yield Entry((4,), (taps,), options, (2, 1), bias=taps % 2 == 1)
        grouped = options | {"groups": 2}
        yield Entry((2, 3), (taps, taps), grouped, (1, 2), 1, bias=taps % 2 == 1)
    for taps, stride in product(range(1, 8), range(2, 5)):
        yield Entry((2, 1), (taps, taps), {"stride": stride}, (1, 1), 1)
    for taps, stride, dilation in product((2, 3, 4, 5), (1, 2, 3), (2, 3)):
        options = {"stride": stride, "dilation": dilation}
        yield Entry((2, 2), (taps, taps), options, (1, 1), 1)
    yield Entry((2, 1), (16, 16), {"stride": 8, "padding": 4}, (1, 2), 1)
    yield Entry((3, 5), (2, 4), {"stride": (1, 3)})
    yield Entry((5, 3), (4, 2), {"stride": (3, 1)}, bias=True)
    yield Entry((4, 3), (3, 2), {"dilation": (1, 2)})
    yield Entry((3, 4), (2, 3), {"dilation": (3, 1), "stride": (1, 2)})
    yield Entry((4, 5), (3, 3), {"padding": (2, 0)})
    yield Entry((4, 5), (3, 3), {"padding": ((0, 1), (2, 0)), "stride": 2})
    yield Entry((3, 4), (3, 3), {"stride": 2, "output_padding": (1, 0)})
    yield Entry((3, 4), (3, 3), {"stride": 2, "output_padding": (0, 1)}, bias=True)
    yield Entry((4, 3), (3, 4), {"stride": (2, 3), "padding": "same"})
    yield from _one_axis_of((4, 3), (3, 2))
    for flat in ((1, 3), (3, 1), (1, 5), (5, 1), (1, 2), (2, 1)):
        yield Entry((3, 4), flat, {}, (2, 1), bias=flat[0] == 1)
        yield Entry((4, 3), flat, {"stride": 2}, (1, 2))
    yield Entry((5, 4), (2, 3), {"padding": -1}, (1, 1))
    yield Entry((33, 2), (3, 2), {}, (1, 1), 1)
    yield Entry((2, 33), (2, 3), {"stride": (2, 1)}, (1, 1), 1)
    yield Entry((9, 17), (2, 2), {"stride": 2}, (1, 1), 1)
    yield Entry((65, 1), (2, 1), {}, (1, 1), 1)
    yield Entry((1, 65), (1, 2), {}, (1, 1), 1)
    yield Entry((34, 33), (3, 2), {"stride": 2, "padding": 1}, (1, 1), 1)
    yield Entry((2, 2), (16, 16), {"stride": 16}, (1, 1), 1)
    yield Entry((3, 3), (3, 3), {"groups": 5, "stride": 2, "padding": 1}, (1, 1), 3)
    yield Entry((3, 2), (3, 3), {"groups": 4}, (2, 1), 5, bias=True)
    yield Entry((4, 3), (2, 3), kind="bare")
    yield Entry((3, 4), (3, 2), {"stride": (2, 1)}, kind="unbatched", bias=True)
    for kind in ("batched", "unbatched", "bare"):
        yield rich(2, kind)


def _one_axis_of(size: tuple[int, ...], taps: tuple[int, ...]) -> Iterator[Entry]:
    """Yield calls in which one option of one axis differs from its default."""
    rank = len(size)
    for axis in range(rank):

        def at(value: Any, default: Any = 0, axis: int = axis) -> tuple[Any, ...]:
            return tuple(value if a == axis else default for a in range(rank))

        changes: tuple[dict[str, Any], ...] = (
            {"stride": at(2, 1)},
            {"dilation": at(2, 1)},
            {"padding": at(1)},
            {"padding": at((1, 0), (0, 0))},
            {"padding": at((0, 1), (0, 0))},
            {"padding": at((0, -1), (0, 0))},
            {"stride": 2, "output_padding": at(1)},
        )
        for options in changes:
            yield Entry(size, taps, options, (1, 2), 1)
        yield Entry(size, at(3, 1), {}, (1, 1), 1)


def _three_axes() -> Iterator[Entry]:
    yield from _one_axis_of((3, 2, 3), (2, 3, 2))
    for taps, stride, padding, extra in _LAYERS[:6]:
        options = {"stride": stride, "padding": padding, "output_padding": extra}
        yield Entry((2, 1, 2), (taps, taps, taps), options, (1, 1), 1)
        grouped = options | {"groups": 2}
        yield Entry((1, 2, 1), (taps, taps, taps), grouped, (1, 1), 1, bias=True)
    for size in ((9, 1, 2), (2, 9, 1), (1, 2, 9), (17, 2, 1), (2, 17, 1), (1, 1, 17)):
        yield Entry(size, (2, 2, 2), {"stride": 1 + size[0] % 2}, (1, 1), 1)
    for size in ((33, 1, 1), (1, 33, 1), (1, 1, 33)):
        yield Entry(size, (2, 1, 2), {}, (1, 1), 1)
    yield Entry((2, 3, 2), (2, 2, 3), {"groups": 3, "stride": 2}, (1, 1), bias=True)
    yield Entry((2, 3, 4), (3, 2, 1), bias=True)
    yield Entry((2, 2, 3), (2, 3, 2), {"stride": (3, 1, 2)}, (1, 2))
    yield Entry((2, 3, 2), (3, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1})
    yield Entry((3, 2, 2), (2, 1, 3), {"dilation": (1, 2, 3), "groups": 3}, (1, 2))
    yield Entry((2, 2, 2), (4, 4, 4), {"stride": 2, "padding": 1}, (1, 1), 1)
    yield Entry((3, 2, 1), (1, 2, 3), {"padding": (0, 1, 1)}, kind="unbatched")
    yield rich(1)
    yield rich(3)
    yield rich(3, "unbatched")


def build(entry: Entry, seed: int, dtype: str, memory: str) -> Case:
    """Make the arrays of an entry, from a seed."""
    options = {name: value for name, value in entry.options.items() if value}
    groups = options.get("groups", 1)
    small, big = entry.channels
    bare = entry.kind == "bare"
    lead = () if bare else (groups * small,)
    x_shape = (*lead, *entry.size)
    if entry.kind == "batched":
        x_shape = (entry.batch, *x_shape)
    kernel_shape = (*lead, *(() if bare else (big,)), *entry.kernel)
    terms = int(np.prod(entry.kernel)) * (1 if bare else small)
    most = largest_value(dtype, terms)
    rng = np.random.default_rng(seed)
    x, kernel = (
        laid_out(random_values(rng, shape, dtype, most), memory)
        for shape in (x_shape, kernel_shape)
    )
    bias: NDArray[Any] | None = None
    if entry.bias and not bare:
        values = 1 + np.arange(groups * big) % max(most, 2)
        if np.dtype(dtype).kind != "u":
            values[1::2] *= -1
        bias = laid_out(values.astype(dtype), memory)
    y_shape = conv_transpose_shape(x_shape, kernel_shape, **options)
    return Case(x, kernel, np.zeros(y_shape, x.dtype), bias, options)
