"""What the random calls are made of: sizes, paddings and integer-valued arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Generator = np.random.Generator


@dataclass
class Drawn:
    """One call: ``compat.<function>(**arrays, **options)``."""

    function: str
    arrays: dict[str, Any]
    options: dict[str, Any]


@dataclass
class Sizes:
    """Sizes of one call, small enough that whole results can be stored."""

    rank: int
    small: tuple[int, ...]
    taps: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    channels_in: int
    channels_out: int
    batch: int

    @property
    def span(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.taps, strict=True))


def sizes(
    rng: Generator,
    *,
    groups: bool = False,
    dilation: bool = True,
    ranks: tuple[int, ...] = (1, 1, 2, 2, 3),
) -> Sizes:
    rank = int(rng.choice(ranks))
    most = {1: 6, 2: 4, 3: 3}[rank]
    group = int(rng.choice([1, 1, 2, 3])) if groups else 1
    stride = several(rng, rank, 1, 4)
    spread = several(rng, rank, 1, 3) if dilation and rng.random() < 0.5 else (1,) * rank
    return Sizes(
        rank,
        several(rng, rank, 1, most),
        several(rng, rank, 1, most),
        stride,
        spread,
        group,
        group * one(rng, 1, 2),
        group * one(rng, 1, 2),
        one(rng, 1, 2),
    )


def one(rng: Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def several(rng: Generator, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(low, high + 1, rank))


def maybe(rng: Generator, options: dict[str, Any], name: str, value: Any) -> None:
    """Say an option, most of the time."""
    if rng.random() < 0.8:
        options[name] = value


def scalar_or(rng: Generator, values: tuple[int, ...]) -> int | list[int]:
    """Write equal values as one integer half of the time."""
    if len(set(values)) == 1 and rng.random() < 0.5:
        return values[0]
    return list(values)


def array(rng: Generator, *shape: int) -> np.ndarray:
    return rng.integers(-4, 5, shape).astype(np.float64)


def bias(rng: Generator, arrays: dict[str, Any], name: str, *shape: int) -> None:
    if rng.random() < 0.5:
        arrays[name] = array(rng, *shape)


def up_to(rng: Generator, spans: tuple[int, ...]) -> tuple[int, ...]:
    """Paddings that leave something of most results."""
    return tuple(one(rng, 0, max(span // 2, 1)) for span in spans)


def pairs(rng: Generator, spans: tuple[int, ...]) -> list[list[int]]:
    """Input paddings as lax takes them, negative ones included."""
    return [[one(rng, -1, span + 1), one(rng, -1, span + 1)] for span in spans]


def sizes_for(rng: Generator, z: Sizes, padding: str) -> list[int]:
    """Output sizes that a convolution maps to the small side, rarely one too large."""
    wrong = int(rng.random() < 0.03)
    return [
        (n - 1) * s + (1 if padding == "SAME" else span) + one(rng, 0, s - 1) + wrong * s
        for n, s, span in zip(z.small, z.stride, z.span, strict=True)
    ]
