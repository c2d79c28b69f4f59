"""The core set: 35 problems, of which every classic defect gets some wrong.

Values are small integers without symmetry, so that results are exact in every dtype that
holds them. Sizes differ from axis to axis, and from channels to batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mtconv.geometry import big_sizes
from mtconv.testing.case import Case
from mtconv.testing.values import random_values

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
    """

    name: str
    case: Case
    extra: tuple[int, ...]


@dataclass(frozen=True)
class _Row:
    """One problem without its values; channels are those of a group."""

    name: str
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    extra: tuple[int, ...] = ()
    groups: int = 1
    channels: tuple[int, int] = (2, 3)
    batch: int = 1


_ROWS = (
    _Row("plain_1d", (4,), (3,)),
    _Row("plain_2d", (3, 4), (2, 3), channels=(1, 2)),
    _Row("one_tap_stride_2", (3,), (1,), (2,), extra=(1,)),
    _Row("kernel_below_stride_1d", (4,), (2,), (3,)),
    _Row("kernel_below_stride_2d", (2, 3), (1, 2), (2, 3), extra=(1, 0)),
    _Row("stride_2_kernel_4", (3, 2), (4, 4), (2, 2), padding=((1, 1), (1, 1))),
    _Row("stride_2_kernel_3_extra", (3, 4), (3, 3), (2, 2), (), ((1, 1), (1, 1)), (1, 1)),
    _Row("strides_differ", (3, 2), (3, 2), (1, 3), channels=(1, 2)),
    _Row("kernels_differ", (2, 3), (4, 2), (2, 1)),
    _Row("padding_at_the_low_end", (5,), (3,), (2,), padding=((2, 0),)),
    _Row("padding_at_the_high_end", (5,), (3,), (1,), padding=((0, 2),)),
    _Row("paddings_differ", (4, 3), (3, 4), (2, 1), padding=((0, 1), (2, 0))),
    _Row("padding_beyond_the_kernel", (9,), (2,), padding=((3, 1),)),
    _Row("negative_padding", (3,), (2,), (2,), padding=((-2, -1),)),
    _Row("negative_and_positive", (4, 3), (3, 2), (1, 2), padding=((-1, 2), (1, -2))),
    _Row("extra_of_one_axis", (2, 3), (3, 3), (2, 2), extra=(0, 1)),
    _Row("extra_of_two", (3,), (4,), (4,), padding=((1, 0),), extra=(2,)),
    _Row("dilation_2", (4,), (3,), dilation=(2,)),
    _Row("dilations_differ", (3, 4), (2, 3), dilation=(3, 1), channels=(1, 2)),
    _Row("dilation_and_stride", (4,), (3,), (3,), (2,), ((1, 2),)),
    _Row("common_factor", (3, 3), (2, 3), (2, 1), (2, 2), extra=(1, 0)),
    _Row("groups_2", (4,), (3,), groups=2),
    _Row("groups_2_stride_2", (3, 2), (2, 3), (2, 2), groups=2, channels=(3, 4)),
    _Row(
        "depthwise",
        (3, 4),
        (3, 3),
        (2, 2),
        padding=((1, 0), (0, 1)),
        groups=4,
        channels=(1, 1),
    ),
    _Row("depthwise_multiplier", (4,), (3,), (2,), groups=3, channels=(1, 2)),
    _Row("batch_3", (4,), (3,), (2,), batch=3),
    _Row("batch_2_groups_2", (2, 3), (2, 2), groups=2, channels=(1, 2), batch=2),
    _Row("three_axes", (2, 3, 2), (2, 1, 3), (1, 2, 1), channels=(1, 2)),
    _Row(
        "three_axes_everything",
        (2, 2, 3),
        (2, 3, 2),
        (2, 1, 3),
        (1, 2, 1),
        ((1, 0), (0, 2), (1, 1)),
        (1, 0, 2),
        2,
        (1, 2),
        2,
    ),
    _Row("longer_than_a_vector", (17,), (5,), (2,), padding=((2, 1),), channels=(1, 1)),
    _Row("many_channels", (2,), (2,), channels=(9, 17)),
    _Row(
        "kernel_16_stride_8",
        (2, 1),
        (16, 16),
        (8, 8),
        padding=((4, 4), (4, 4)),
        channels=(1, 1),
    ),
    _Row(
        "padding_beyond_the_kernel_2d",
        (5, 6),
        (2, 1),
        (2, 1),
        padding=((3, 0), (1, 2)),
        channels=(1, 2),
    ),
    _Row("one_position", (3,), (3,), padding=((2, 2),), channels=(1, 1)),
    _Row("one_position_2d", (2, 3), (2, 3), padding=((1, 1), (2, 2))),
)


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
    for number, row in enumerate(_ROWS):
        yield _built(row, number)


def _built(row: _Row, seed: int) -> CoreCase:
    rank = len(row.size)
    stride, dilation = row.stride or (1,) * rank, row.dilation or (1,) * rank
    padding, extra = row.padding or ((0, 0),) * rank, row.extra or (0,) * rank
    axes = zip(row.size, row.kernel, stride, dilation, padding, extra, strict=True)
    big = tuple(big_sizes(n, k, s, d, lo, hi)[plus] for n, k, s, d, (lo, hi), plus in axes)
    small_channels = row.groups * row.channels[0]
    rng = np.random.default_rng((2026, seed))
    x, kernel, y = (
        random_values(rng, shape, "float64", 4)
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
    return CoreCase(row.name, Case(x, kernel, y, None, options), extra)
