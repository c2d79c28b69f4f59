"""The problems of the core set without their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["GENERAL", "SPECIAL", "Row"]


@dataclass(frozen=True)
class Row:
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
    bias: bool = False  # in the formats that have one


GENERAL = (
    Row("plain_1d", (4,), (3,)),
    Row("plain_2d", (3, 4), (2, 3), channels=(1, 2)),
    Row("one_tap_stride_2", (3,), (1,), (2,), extra=(1,)),
    Row("kernel_below_stride_1d", (4,), (2,), (3,)),
    Row("kernel_below_stride_2d", (2, 3), (1, 2), (2, 3), extra=(1, 0)),
    Row("stride_2_kernel_4", (3, 2), (4, 4), (2, 2), padding=((1, 1), (1, 1))),
    Row(
        *("stride_2_kernel_3_extra", (3, 4), (3, 3), (2, 2), (), ((1, 1), (1, 1)), (1, 1)),
        bias=True,
    ),
    Row("strides_differ", (3, 2), (3, 2), (1, 3), channels=(1, 2)),
    Row("kernels_differ", (2, 3), (4, 2), (2, 1)),
    Row("padding_at_the_low_end", (5,), (3,), (2,), padding=((2, 0),)),
    Row("padding_at_the_high_end", (5,), (3,), (1,), padding=((0, 2),)),
    Row("paddings_differ", (4, 3), (3, 4), (2, 1), padding=((0, 1), (2, 0))),
    Row("padding_beyond_the_kernel", (9,), (2,), padding=((3, 1),)),
    Row("negative_padding", (3,), (2,), (2,), padding=((-2, -1),)),
    Row("negative_and_positive", (4, 3), (3, 2), (1, 2), padding=((-1, 2), (1, -2))),
    Row("extra_of_one_axis", (2, 3), (3, 3), (2, 2), extra=(0, 1)),
    Row("extra_of_two", (3,), (4,), (4,), padding=((1, 0),), extra=(2,)),
    Row("dilation_2", (4,), (3,), dilation=(2,)),
    Row("dilations_differ", (3, 4), (2, 3), dilation=(3, 1), channels=(1, 2)),
    Row("dilation_and_stride", (4,), (3,), (3,), (2,), ((1, 2),)),
    Row("common_factor", (3, 3), (2, 3), (2, 1), (2, 2), extra=(1, 0)),
    Row("groups_2", (4,), (3,), groups=2, bias=True),
    Row("groups_2_stride_2", (3, 2), (2, 3), (2, 2), groups=2, channels=(3, 4)),
    Row(
        "depthwise",
        (3, 4),
        (3, 3),
        (2, 2),
        padding=((1, 0), (1, 1)),
        groups=4,
        channels=(1, 1),
    ),
    Row("depthwise_multiplier", (4,), (3,), (2,), groups=3, channels=(1, 2)),
    Row("batch_3", (4,), (3,), (2,), padding=((1, 1),), batch=3),
    Row(
        *("batch_2_groups_2", (2, 3), (2, 2), (), (2, 1)),
        groups=2,
        channels=(1, 2),
        batch=2,
        bias=True,
    ),
    Row("three_axes", (2, 3, 2), (2, 1, 3), (1, 2, 1), channels=(1, 2)),
    Row(
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
        bias=True,
    ),
    Row("longer_than_a_vector", (17,), (5,), (2,), padding=((2, 1),), channels=(1, 1)),
    Row("many_channels", (2,), (2,), (3,), (2,), channels=(9, 17)),
    Row(
        "kernel_16_stride_8",
        (2, 1),
        (16, 16),
        (8, 8),
        padding=((4, 4), (4, 4)),
        channels=(1, 1),
    ),
    Row(
        "padding_beyond_the_kernel_2d",
        (5, 6),
        (2, 1),
        (2, 1),
        padding=((3, 0), (1, 2)),
        channels=(1, 2),
    ),
    Row("one_position", (3,), (3,), padding=((2, 2),), channels=(1, 1)),
    Row("one_position_2d", (2, 3), (2, 3), padding=((1, 1), (2, 2))),
)


def _row(
    name: str,
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: int | tuple[int, ...] = 1,
    padding: tuple[tuple[int, int], ...] = (),
    **rest: Any,
) -> Row:
    """Make a row of a special case, with one channel on both sides by default."""
    steps = (stride,) * len(size) if isinstance(stride, int) else stride
    rest = {"channels": (1, 1), **rest}
    return Row(name, size, kernel, steps, padding=padding, **rest)


_LOW_1, _LOW_2, _LOW_3 = ((1, 0),), ((1, 0),) * 2, ((1, 0),) * 3
_BOTH_1, _BOTH_2, _BOTH_3 = ((1, 1),), ((1, 1),) * 2, ((1, 1),) * 3

# What implementations have code of their own for, in each number of axes: kernels of
# certain sizes, and what is longer than 8 or 16. Each is there at least twice.
SPECIAL = (
    _row("one_tap_long_1d", (18,), (1,), 1, _LOW_1, channels=(1, 2), bias=True),
    _row("one_tap_many_channels_1d", (3,), (1,), 1, _BOTH_1, channels=(9, 10), batch=2),
    _row("kernel_3_long_1d", (18,), (3,), 1, _BOTH_1, batch=2),
    _row(
        *("kernel_2_stride_2_depthwise_1d", (3,), (2,), 2, _LOW_1),
        extra=(1,),
        groups=3,
        channels=(1, 2),
        batch=2,
    ),
    _row(
        *("kernel_2_stride_2_groups_1d", (3,), (2,), 2, _BOTH_1),
        extra=(1,),
        groups=2,
        channels=(2, 2),
        batch=2,
        bias=True,
    ),
    _row(
        "kernel_4_stride_2_1d",
        (3,),
        (4,),
        2,
        _BOTH_1,
        extra=(1,),
        channels=(2, 3),
        bias=True,
    ),
    _row("kernel_4_stride_2_batch_1d", (2,), (4,), 2, _BOTH_1, batch=2),
    _row("kernel_10_1d", (4,), (10,), 1, ((10, 0),), channels=(1, 2)),
    _row("kernel_11_stride_3_1d", (2,), (11,), 3, ((1, 2),)),
    _row("negative_low_end_1d", (3,), (3,), 1, ((-1, 0),)),
    _row("one_tap_long_first_axis_2d", (18, 2), (1, 1), 1, _LOW_2),
    _row(
        *("one_tap_many_channels_2d", (2, 3), (1, 1), 1, ((1, 0), (1, 1))),
        channels=(10, 9),
    ),
    _row(
        *("kernel_3_groups_2d", (2, 3), (3, 3), 1, _BOTH_2),
        groups=3,
        channels=(3, 1),
        batch=2,
    ),
    _row("kernel_3_long_last_axis_2d", (2, 17), (3, 3), 1, _BOTH_2),
    _row(
        *("kernel_2_stride_2_groups_2d", (1, 2), (2, 2), 2, _LOW_2),
        groups=5,
        channels=(2, 2),
        batch=2,
        bias=True,
    ),
    _row("kernel_2_stride_2_long_first_axis_2d", (17, 1), (2, 2), 2, _LOW_2, bias=True),
    _row("kernel_2_stride_2_long_last_axis_2d", (1, 17), (2, 2), 2, _LOW_2, batch=2),
    _row("kernel_9_first_axis_2d", (2, 2), (9, 2), (2, 1), ((9, 0), (2, 0))),
    _row(
        *("kernel_10_last_axis_2d", (3, 2), (2, 10), (3, 1), ((2, 0), (1, 2))),
        dilation=(1, 2),
    ),
    _row(
        *("kernel_4_stride_2_2d", (2, 1), (4, 4), 2, _BOTH_2),
        extra=(1, 1),
        groups=2,
        channels=(1, 2),
        batch=2,
        bias=True,
    ),
    _row("negative_low_ends_2d", (2, 3), (3, 2), 1, ((-1, 1), (-2, 0))),
    _row("negative_low_end_of_the_last_axis_2d", (2, 1), (2, 3), 2, ((1, -1), (-1, 0))),
    _row("one_tap_long_first_axis_3d", (18, 2, 2), (1, 1, 1), 1, _LOW_3),
    _row("one_tap_long_middle_axis_3d", (2, 18, 2), (1, 1, 1), 1, _LOW_3),
    _row(
        *("one_tap_many_channels_3d", (2, 2, 2), (1, 1, 1), 1, _LOW_3),
        channels=(9, 10),
        bias=True,
    ),
    _row("kernel_2_stride_2_long_first_axis_3d", (17, 1, 1), (2, 2, 2), 2, _LOW_3),
    _row(
        *("kernel_2_stride_2_long_middle_axis_3d", (1, 17, 1), (2, 2, 2), 2, _LOW_3),
        groups=2,
        channels=(1, 2),
    ),
    _row("kernel_2_stride_2_long_last_axis_3d", (1, 1, 17), (2, 2, 2), 2, _LOW_3),
    _row("kernel_3_long_last_axis_3d", (2, 2, 17), (3, 3, 3), 1, _BOTH_3),
    _row("kernel_3_batch_3d", (2, 3, 2), (3, 3, 3), 1, _BOTH_3, batch=2),
    _row("kernel_3_stride_2_3d", (1, 2, 1), (3, 3, 3), 2, _BOTH_3, extra=(1, 1, 1)),
    _row("kernel_3_stride_2_other_3d", (2, 1, 2), (3, 3, 3), 2, _BOTH_3, extra=(0, 1, 0)),
    _row("kernel_4_stride_2_3d", (1, 2, 1), (4, 4, 4), 2, _BOTH_3, extra=(1, 0, 0)),
    _row("kernel_4_stride_2_other_3d", (2, 1, 1), (4, 4, 4), 2, _BOTH_3),
    _row(
        *("steps_differ_3d", (2, 2, 2), (2, 2, 2), (4, 2, 3), ((1, 0), (2, 0), (1, 2))),
        dilation=(2, 3, 2),
        extra=(1, 1, 1),
        groups=2,
        channels=(2, 1),
    ),
    _row(
        *("groups_3d", (1, 2, 1), (2, 1, 2), 2, ((2, 0), (1, 0), (2, 0))),
        dilation=(3, 1, 2),
        extra=(1, 1, 1),
        groups=3,
        channels=(3, 3),
        bias=True,
    ),
    _row(
        *("kernel_9_first_and_last_axis_3d", (2, 3, 2), (9, 1, 9), (1, 2, 1)),
        ((9, 0), (1, 1), (2, 1)),
    ),
    _row(
        *("kernel_9_first_and_middle_axis_3d", (2, 2, 3), (9, 9, 1), (1, 1, 2)),
        ((2, 1), (9, 0), (1, 1)),
    ),
    _row(
        *("kernel_9_middle_and_last_axis_3d", (3, 2, 2), (1, 9, 9), (2, 1, 1)),
        ((1, 1), (2, 1), (9, 0)),
    ),
    _row("negative_low_ends_3d", (1, 2, 1), (2, 1, 2), 1, ((-1, 0),) * 3),
    _row(
        "negative_low_ends_stride_3d", (2, 1, 2), (1, 2, 2), 2, ((-1, 0), (-2, 1), (-1, 1))
    ),
)
