"""How much `polyphase` takes at a time, which way it goes, what it computes in place."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends._numpy import direct, polyphase, tap_rows
from mtconv.backends.host.memory import Weights, Workspace
from mtconv.geometry import Axis
from tests.numpy.blank import arrays, run, zeros


@pytest.mark.parametrize(
    ("stride", "kernel", "share", "merged"),
    [
        (4, 6, 4, True),  # sixteen rows: two phases of two taps, two of one
        (4, 6, 5, False),
        (5, 6, 3, True),
        (17, 18, 1, False),
        (4, 8, 4, False),  # all phases are of one kind already
    ],
)
def test_kernels_of_few_rows_are_one_kind(stride, kernel, share, merged):
    axes = (Axis(9, 9 * stride, kernel, stride),)
    x = zeros(1, 1, 2, 9)
    got = polyphase.products_for(axes, x, share)
    assert len(got) == (2 if kernel % stride and not merged else 1)
    assert got[0].key[0] == merged
    x[0, 0, 1, 3] = np.inf  # and zeros that fill up would make it NaN
    assert len(polyphase.products_for(axes, x, share)) == (2 if kernel % stride else 1)


def test_rows_are_those_of_all_axes():
    axes = (Axis(9, 18, 3, 2), Axis(9, 18, 3, 2))
    assert len(polyphase.products_for(axes, zeros(1, 1, 2, 9, 9), 4)) == 1
    assert len(polyphase.products_for(axes, zeros(1, 1, 2, 9, 9), 5)) == 4


PLAIN = (Axis(600, 600, 3, 1, 1, 1),)


@pytest.mark.parametrize(
    ("small", "axes", "in_place"),
    [
        (2, PLAIN, True),
        (1, (Axis(600, 600, 1),), False),  # an outer product is written into out later
        (2, (Axis(600, 600, 1),), True),
        (2, (Axis(600, 602, 3),), True),
        (2, (Axis(600, 1200, 2, 2),), False),
        (2, (Axis(600, 600, 3, 2, 2, 1),), False),  # every second cell has no tap
    ],
)
def test_a_phase_that_is_the_whole_result_is_computed_in_place(
    small, axes, in_place, watch
):
    multiplied = watch(polyphase, "multiply")
    x, w, out = arrays(axes, 1, 1, small, 3)
    polyphase.conv_transpose(axes, x, Weights(w), out, Workspace())
    assert len(multiplied) == 1
    assert all(np.shares_memory(args[2], out) == in_place for args, *_ in multiplied)


def test_a_result_with_gaps_is_not_computed_in_place(watch):
    multiplied = watch(polyphase, "multiply")
    x, w, out = arrays(PLAIN, 1, 1, 2, 3)
    wider = zeros(1, 1, 3, 1200)[..., ::2]
    polyphase.conv_transpose(PLAIN, x, Weights(w), wider, Workspace())
    ((args, *_),) = multiplied
    assert not np.shares_memory(args[2], wider)
    assert out.shape == wider.shape


@pytest.mark.parametrize(
    ("axis", "batch", "groups", "share", "steps"),
    [
        # Two phases of 10000 cells of 4 bytes: 2**22 bytes are those of 52 channels.
        (Axis(10000, 20000, 2, 2), 1, 1, 110, [52, 52, 6]),
        (Axis(10000, 20000, 2, 2), 2, 3, 20, [8, 8, 4]),
        (Axis(10000, 10000, 1), 1, 1, 110, [104, 6]),
        (Axis(600000, 1200000, 2, 2), 1, 1, 2, [1, 1]),
    ],
)
def test_phases_of_so_many_channels_are_made_at_a_time(
    axis, batch, groups, share, steps, watch
):
    packed = watch(polyphase, "_pack")
    x, w, out = arrays((axis,), batch, groups, 2, share)
    polyphase.conv_transpose((axis,), x, Weights(w), out, Workspace())
    starts = [sum(steps[:number]) for number in range(len(steps))]
    assert [call.args[2].start for call in packed] == starts


@pytest.mark.parametrize(
    ("axis", "phases", "taps"),
    [
        (Axis(600, 1800, 6, 3), 3, 2),
        (Axis(600, 1200, 4, 2), 2, 2),
        (Axis(600, 1200, 3, 2, 2), 1, 3),
    ],
)
def test_phases_of_a_kind_are_one_product(axis, phases, taps, watch):
    """Phases share copies of x and one product, whose chains are cut as all others are."""
    kinds, stacks = watch(polyphase, "products_for"), watch(polyphase, "stacked")
    multiplied = watch(polyphase, "multiply")
    run(polyphase, (axis,), *arrays((axis,), 1, 1, 2, 5))
    assert [call.args[2] for call in kinds] == [5]
    assert [call.args[2] for call in stacks] == [5 * phases]
    assert [call.args[0].shape for call in multiplied] == [(1, 5 * phases, 2 * taps)]
    assert not any(call.named for call in multiplied)


@pytest.mark.parametrize(
    ("batch", "sizes", "folded"),
    [
        (1, (9,), False),
        (2, (9,), True),
        (2, (511,), True),
        (2, (512,), False),
        (3, (10, 30), True),
        (3, (20, 30), False),
        (2, (2, 3, 4), True),
    ],
)
def test_rows_of_small_items_lie_side_by_side(batch, sizes, folded, watch):
    gathered = watch(tap_rows, "_gather_rows")
    axes = tuple(Axis(size, 2 * size + 1, 3, 2, 1, 1) for size in sizes)
    rng = np.random.default_rng(batch)
    _, w, y = arrays(axes, batch, 2, 2, 3)
    for array in (w, y):
        array[...] = rng.integers(-4, 5, array.shape)
    got, expected = (zeros(batch, 2, 2, *sizes) + 7 for _ in range(2))
    polyphase.conv(axes, y, Weights(w), got, Workspace())
    direct.conv(axes, y, Weights(w), expected, Workspace())
    assert [call.named["folded"] for call in gathered] == [folded]
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "axes",
    [
        (Axis(2, 44, 3, 1, 21, 0),),
        (Axis(2, 40, 3, 1, 21, 2), Axis(5, 9, 4, 2, 1, 1)),
        (Axis(3, 70, 4, 2, 21, 1), Axis(2, 4, 3), Axis(3, 5, 3)),
    ],
)
def test_rows_far_apart_are_gathered_for_each_run_of_taps(axes, batch, watch):
    by_rows = watch(tap_rows, "_gather_rows")
    rng = np.random.default_rng(len(axes))
    _, w, y = arrays(axes, batch, 2, 3, 4)
    for array in (w, y):
        array[...] = rng.integers(-4, 5, array.shape)
    small = tuple(axis.small for axis in axes)
    got, expected = (zeros(batch, 2, 3, *small) + 7 for _ in range(2))
    polyphase.conv(axes, y, Weights(w), got, Workspace())
    direct.conv(axes, y, Weights(w), expected, Workspace())
    assert not by_rows
    assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    ("batch", "width", "products", "way"),
    [
        # Rows of 600 cells go on for 24 more: 24 * 300 products are 12 for each cell.
        (1, 600, 299, "runs"),
        (1, 600, 300, "rows"),
        (1, 600, 301, "rows"),
        (2, 600, 301, "rows"),
        # Of 20 cells they are more than twice as long: 24 * 10 are 12 * 20.
        (1, 20, 9, "runs"),
        (1, 20, 10, "rows"),
        (2, 100, 1, "folded"),
        (1, 100, 1, "runs"),
    ],
)
def test_few_products_read_rows_that_go_on_past_their_ends(
    batch, width, products, way, watch
):
    runs, rows = watch(polyphase, "gather_runs"), watch(polyphase, "gather")
    axes = (Axis(2, 2, 1), Axis(width, width, 25, 1, 1, 12))
    (kind,) = polyphase.phase_products(axes, merge=False)
    x = zeros(batch, 1, 1, 2, width)
    stack, sizes = polyphase.stacked(kind, x, products, Workspace())
    assert len(runs) == (way == "runs")
    assert [named["folded"] for _, named, _ in rows] == {
        "runs": [],
        "rows": [False],
        "folded": [True],
    }[way]
    assert sizes == (2, width + 24 * (way == "runs"))
    assert stack.shape[0] == (1 if way == "folded" else batch)
