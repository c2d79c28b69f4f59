"""Small decisions whose results do not show them: copies, look-ups, parts of sums."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import direct, im2col
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


# -------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("batch", "cells", "folded"),
    [(1, 1, False), (1, 511, False), (2, 1, True), (2, 511, True), (2, 512, False)],
)
def test_items_of_fewer_than_512_cells_are_put_side_by_side(batch, cells, folded):
    assert im2col.folds(batch, cells) == folded


@pytest.mark.parametrize(
    ("axes", "lead", "looked_up"),
    [
        ((Axis(2048, 2055, 8),), (1, 1, 1), True),  # 2**14 columns
        ((Axis(2049, 2056, 8),), (1, 1, 1), False),
        ((Axis(64, 71, 8),), (2, 4, 4), True),
        ((Axis(64, 71, 8),), (2, 4, 5), False),
        ((Axis(8, 8, 1), Axis(64, 67, 4)), (2, 2, 2), True),
        ((Axis(8, 10, 3), Axis(64, 66, 3)), (2, 2, 2), False),
        ((Axis(1, 2**14, 1),), (1, 1, 1), True),  # and 2**14 cells of y
        ((Axis(1, 2**14 + 1, 1),), (1, 1, 1), False),
    ],
)
def test_few_columns_are_gathered_by_one_look_up(axes, lead, looked_up, watch):
    gathered = watch(im2col, "_gather")
    im2col.table.cache_clear()
    y = zeros(*lead, *(axis.big for axis in axes))
    im2col.gather(axes, y, Workspace(), folded=False)
    ((args, *_),) = gathered  # the table's numbers, or the array itself
    assert (args[1].dtype == np.int64) == looked_up


def test_a_look_up_gives_back_its_copy_of_y():
    space = Workspace()
    im2col.gather((Axis(4, 6, 3),), zeros(1, 1, 1, 6), space, folded=False)
    assert space.used == 3 * 4 * 4


def test_a_table_of_columns_is_no_workspace():
    table = im2col.table((Axis(4, 6, 3),), (1, 1, 1, 6), False)
    assert table.base is None
    assert table.tolist() == [[[[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]]]


@pytest.mark.parametrize(
    ("last", "planes", "copies"),
    [
        (Axis(500, 1007, 9, 2), 64, 2),  # a copy for each phase
        (Axis(500, 1521, 24, 3), 64, 3),
        (Axis(500, 1007, 9, 2), 1, 0),  # the calls cost more
        (Axis(500, 4001, 9, 8), 64, 0),  # few elements are read twice
        (Axis(500, 1000, 2, 2), 64, 0),  # none is
        (Axis(500, 508, 9, 1), 64, 0),
        (Axis(500, 1, 9, 2), 64, 0),  # a tap without a phase
    ],
)
def test_what_lies_a_stride_apart_is_put_side_by_side_for_several_taps(
    last, planes, copies, watch
):
    filled = watch(im2col, "_fill")
    axes = (Axis(2, 3, 2), last)
    y = zeros(1, 1, planes, 3, last.big)
    target = zeros(1, 1, planes, 2, last.kernel, 2, last.small)
    im2col.fill(axes, y, target, Workspace())
    assert [named["copy"] for _, named, _ in filled] == [True] * copies or not copies
    assert len(filled) == max(copies, 1)
    assert copies or filled[0][1] == {"copy": False}


# --------------------------------------------------------------------------------- direct


@pytest.mark.parametrize(
    ("taps", "stride", "form", "parts"),
    [
        # Every cell of a convolution has all taps, those of a transposed one have one
        # phase: as many as the stride, with 32 taps each.
        (5, 1, "conv", [5]),
        (32, 1, "conv", [32]),
        (33, 2, "conv", [32, 1]),
        (97, 3, "conv", [32, 32, 32, 1]),
        (33, 1, "conv_transpose", [32, 1]),
        (64, 2, "conv_transpose", [64]),
        (65, 2, "conv_transpose", [64, 1]),
        (97, 3, "conv_transpose", [96, 1]),
    ],
)
def test_32_terms_are_added_in_a_row(taps, stride, form, parts):
    axes = (Axis(200, stride * 199 + taps, taps, stride),)
    x, y, w = zeros(1, 1, 1, 200), zeros(1, 1, 1, axes[0].big), zeros(1, 1, 1, taps)
    got = []

    def noted(*args):
        for part, target in real(*args):
            got.append((len(part), np.shares_memory(target, args[1])))
            yield part, target

    real = direct.sums
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "sums", noted)
        if form == "conv":
            direct.conv(axes, y, Weights(w), x, Workspace())
        else:
            direct.conv_transpose(axes, x, Weights(w), y, Workspace())
    assert got == [(count, len(parts) == 1) for count in parts]


@pytest.mark.parametrize(
    ("channels", "more"), [(1, 0), (32, 0), (34, 2), (64, 32), (98, 66)]
)
def test_32_channels_are_added_in_a_row(channels, more):
    """To add one to 2**24 changes nothing in single precision; sums of 32 ones do."""
    data, weights = zeros(1, channels, 1, 1, 2) + 1, zeros(1, channels, 1, 1, 1) + 1
    data[:, 0] = 2**24
    target = zeros(1, 1, 1, 2)
    direct.add_products(data, weights, target, Workspace())
    assert (target == 2**24 + more).all()
