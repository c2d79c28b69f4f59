"""The core set: 76 problems, of which every classic defect gets some wrong.

Values are small integers without symmetry, so that results are exact in every dtype that
holds them. Sizes differ from axis to axis, and from channels to batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import big_sizes
from mtconv.testing.case import Case
from mtconv.testing.values import random_values
from mtconv.verify.core_rows import GENERAL, SPECIAL, Row

__all__ = ["CoreCase", "core_cases"]


@dataclass(frozen=True)
class CoreCase:
    """A problem with a name that says what it is about.

    Parameters
    ----------
    name : str
        Letters, digits and underscores.
    case : Case
        Arrays and options, of float64 with whole numbers.
    extra : tuple of int
        What is added at the high end of each axis: ``output_padding``.
    bias : numpy.ndarray or None
        One value for each big channel, for the formats that have a bias.
    special : bool
        Whether the problem is one that implementations have code of their own for. Formats
        with a file for each map have the transposed convolution alone.
    """

    name: str
    case: Case
    extra: tuple[int, ...]
    bias: NDArray[Any] | None = None
    special: bool = False


def core_cases() -> Iterator[CoreCase]:
    """Yield the core set, always the same.

    Returns
    -------
    iterator of CoreCase
        Channels first and batched; paddings are pairs, and the output size is explicit.

    Examples
    --------
    >>> first = next(core_cases())
    >>> first.name, first.case.x.shape, first.case.kernel.shape
    ('plain_1d', (1, 2, 4), (2, 3, 3))
    """
    for number, row in enumerate((*GENERAL, *SPECIAL)):
        yield _built(row, number, special=number >= len(GENERAL))


def _built(row: Row, seed: int, *, special: bool) -> CoreCase:
    rank = len(row.size)
    stride, dilation = row.stride or (1,) * rank, row.dilation or (1,) * rank
    padding, extra = row.padding or ((0, 0),) * rank, row.extra or (0,) * rank
    axes = zip(row.size, row.kernel, stride, dilation, padding, extra, strict=True)
    big = tuple(big_sizes(n, k, s, d, lo, hi)[plus] for n, k, s, d, (lo, hi), plus in axes)
    small_channels = row.groups * row.channels[0]
    rng = np.random.default_rng((2026, seed))
    draw = _values_but_zero if special else _values
    x, kernel, y = (
        draw(rng, shape)
        for shape in (
            (row.batch, small_channels, *row.size),
            (small_channels, row.channels[1], *row.kernel),
            (row.batch, row.groups * row.channels[1], *big),
        )
    )
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "output_size": big,
        "groups": row.groups,
    }
    bias = 1.0 + 2 * np.arange(y.shape[1]) if row.bias else None
    return CoreCase(row.name, Case(x, kernel, y, None, options), extra, bias, special)


def _values(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return random_values(rng, shape, "float64", 4)


def _values_but_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Draw values that no defect leaves as they are, where there are few of them."""
    values: NDArray[Any] = rng.integers(1, 5, shape) * rng.choice((-1.0, 1.0), shape)
    return values
