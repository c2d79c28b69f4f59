"""Problems as kernels see them, drawn at random, and what is counted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

import mtconv
from mtconv.backends._numba.layout import KernelCase, make_case
from mtconv.backends._numba.units import Units
from mtconv.geometry import Axis
from mtconv.spec import ConvSpec

CHANNELS_FIRST, CHANNELS_LAST, APART = range(3)


def steps_of(shape: tuple[int, ...], size: int, layout: int) -> tuple[int, ...]:
    """Bytes between neighbours along each axis of an array, which may be a part of one."""
    axes = list(range(len(shape)))
    if layout == CHANNELS_LAST:
        axes.append(axes.pop(1))
    steps, step = dict.fromkeys(axes, 0), size
    for axis in reversed(axes):
        steps[axis] = step
        step *= shape[axis] + (layout == APART)
    return tuple(steps[axis] for axis in range(len(shape)))


def case_of(
    form: str,
    shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    size: int = 4,
    stored: int = 4,
    layout: int = CHANNELS_FIRST,
    **options: Any,
) -> KernelCase:
    """A problem whose small side has a shape, with arrays of one layout."""
    spec = ConvSpec.from_shapes(shape, kernel_shape, **options)
    big = (shape[0], spec.big_channels, *spec.big)
    data = [steps_of(side, stored, layout) for side in (shape, big)]
    kernel = steps_of(kernel_shape, stored, layout)
    first, last = data[::-1] if form == "conv" else data
    return make_case(form, spec, shape[0], (first, kernel, last), stored, size)


def draw(seed: int, count: int, channels: int) -> Iterator[tuple[KernelCase, int]]:
    """Problems of many sizes, and bytes of vectors; for planes groups are many."""
    rng = np.random.default_rng(seed)

    def number(most: int) -> int:
        return int(most ** rng.random())  # small numbers are as likely as large ones

    while count:
        rank = int(rng.integers(1, 4))
        groups = int(rng.choice([1, 1, 2, 5] if channels > 5 else [1, 7, 30]))
        sizes = [number((20_000, 200, 30)[rank - 1]) for _ in range(rank)]
        options = {
            "stride": tuple(number(4) for _ in sizes),
            "dilation": tuple(number(3) for _ in sizes),
            "padding": tuple(number(5) - 1 for _ in sizes),
            "groups": groups,
        }
        size = int(rng.choice([4, 4, 8]))
        stored = 2 if size == 4 and rng.random() < 0.2 else size
        batch, ins, outs = number(40), number(channels), number(channels)
        kernel_shape = (groups * ins, outs, *(number(6) for _ in sizes))
        form = ("conv", "conv_transpose")[int(rng.integers(2))]
        layout = int(rng.choice([0, 0, 1, 2]))
        vector_bytes = int(rng.choice([16, 32, 64]))
        shape = (batch, groups * ins, *sizes)
        try:
            case = case_of(form, shape, kernel_shape, size, stored, layout, **options)
        except mtconv.GeometryError:
            continue
        yield case, vector_bytes
        count -= 1


def without_taps() -> KernelCase:
    """A convolution whose only tap meets nothing."""
    spec = ConvSpec((Axis(small=2, big=1, kernel=1, lo=-5),), 1, 1, 1)
    return make_case("conv", spec, 1, ((0,) * 3,) * 3, 4, 4)


class Facts(NamedTuple):
    """The numbers of a plan by name, those of three axes together."""

    numbers: dict[str, int]
    table: list[int]

    def __getitem__(self, name: Any) -> Any:
        if name in self.numbers:
            return self.numbers[name]
        return tuple(self.numbers[f"{name}{axis}"] for axis in range(3))

    def listed(self, place: int, count: int) -> list[int]:
        """Numbers of the table from a place in bytes on."""
        assert place % 8 == 0
        assert 0 <= place // 8 <= len(self.table) - count
        return self.table[place // 8 :][:count]


def facts_of(work: Any) -> Facts:
    names = work.facts.dtype.names
    return Facts(dict(zip(names, work.facts[0].tolist(), strict=True)), work.table.tolist())


def planned(
    plan: Callable[..., Any], seed: int, count: int, channels: int, tile: int = 8
) -> Iterator[tuple[KernelCase, int, Any, Facts]]:
    """Problems with their plans, as far as a kernel takes them."""
    for case, vector_bytes in draw(seed, count, channels):
        work = plan(case, vector_bytes, tile)
        if work is not None:
            yield case, vector_bytes, work, facts_of(work)


def offsets_of(axis: Units) -> list[int]:
    return [tap.offset for phase in axis.phases for tap in phase]


def reached(axis: Units, units: int) -> int:
    """Input cells from the first to the last one that so many units read."""
    firsts = range(0, axis.in_step * units, axis.in_step)
    return max(firsts) + max(offsets_of(axis)) + 1


def starts(case: KernelCase, units: tuple[int, ...]) -> list[range]:
    """Where the blocks along each axis begin."""
    return [range(0, axis.number, n) for axis, n in zip(case.axes, units, strict=True)]


def blocks_of(case: KernelCase, units: tuple[int, ...]) -> int:
    return prod(len(firsts) for firsts in starts(case, units))


def products_of(case: KernelCase) -> int:
    """Products of all units with all taps."""
    planes = case.batch * case.groups * case.ins * case.outs
    return planes * prod(axis.number * len(offsets_of(axis)) for axis in case.axes)


def multiple(number: int, step: int) -> int:
    """The least multiple of a step that is no smaller."""
    return next(n for n in range(number, number + step) if n % step == 0)


def odd_multiple(number: int, step: int) -> int:
    """The least odd multiple of a step that is no smaller."""
    near = multiple(number, step)
    return near if near // step % 2 else near + step
