"""The one function that makes strided views never reaches outside its buffer."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mtconv.backends.host.strided import (
    block_view,
    common,
    landings,
    shifted_view,
    window_view,
)
from mtconv.geometry import Axis
from tests.functional.test_enumeration import RELATIONS, relations


def guarded(size, guard=50):
    """Cells 0, 1, 2, ... in the middle of a buffer whose other cells are -1."""
    buffer = np.full(size + 2 * guard, -1)
    buffer[guard : guard + size] = np.arange(size)
    return buffer[guard : guard + size]


def test_every_small_axis_sees_its_own_cells_or_is_refused():
    seen = refused = 0
    for n, big, k, stride, dilation, lo in product(
        range(4), range(1, 9), range(1, 4), (1, 2, 3), (1, 2), range(-2, 3)
    ):
        axis = Axis(n, big, k, stride, dilation, lo)
        cells = [[stride * i + dilation * j - lo for j in range(k)] for i in range(n)]
        inside = n > 0 and all(0 <= o < big for row in cells for o in row)
        if inside:
            assert window_view(guarded(big), (axis,)).tolist() == cells
            seen += 1
        else:
            with pytest.raises(ValueError, match="taps outside"):
                window_view(guarded(big), (axis,))
            refused += 1
    assert seen > 500
    assert refused > 500


@pytest.mark.parametrize("n", RELATIONS)
def test_every_enumerated_relation_sees_its_own_cells_or_is_refused(n, record_property):
    buffers = {}
    cases = seen = 0
    for axis in relations(n):
        cells = np.add.outer(
            axis.stride * np.arange(n), axis.dilation * np.arange(axis.kernel) - axis.lo
        )
        y = buffers.setdefault(axis.big, guarded(axis.big))
        cases += 1
        if cells.min() >= 0 and cells.max() < axis.big:
            assert window_view(y, (axis,)).tolist() == cells.tolist()
            seen += 1
        else:
            with pytest.raises(ValueError, match="taps outside"):
                window_view(y, (axis,))
    assert cases == sum(RELATIONS[n])
    assert seen > 250
    record_property("cases", cases)


def test_axes_behind_others_and_arrays_with_negative_strides():
    image = np.arange(40).reshape(2, 4, 5)[:, ::-1, ::-1]
    axes = (Axis(2, 4, 2, 2), Axis(2, 5, 3, 2))
    view = window_view(image, axes)
    assert view.shape == (2, 2, 2, 2, 3)
    for c, i, j, ki, kj in np.ndindex(view.shape):
        assert view[c, i, j, ki, kj] == image[c, 2 * i + ki, 2 * j + kj]


def test_the_view_cannot_be_written_through():
    view = window_view(np.arange(4), (Axis(3, 4, 2),))
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1


def test_an_array_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not have the big sizes"):
        window_view(np.arange(5), (Axis(3, 4, 2),))


def test_blocks_overlap_where_a_step_is_shorter():
    array = np.arange(2 * 10).reshape(2, 10)
    assert block_view(array, (4,), (3,))[1].tolist() == [
        [10, 11, 12, 13],
        [13, 14, 15, 16],
        [16, 17, 18, 19],
    ]
    # Of two axes: blocks before their elements; what does not fill a block is left out.
    view = block_view(array, (2, 3), (1, 4))
    assert view.shape == (1, 2, 2, 3)
    assert view[0, 1].tolist() == [[4, 5, 6], [14, 15, 16]]


def test_blocks_can_be_written_where_they_do_not_overlap():
    array = np.zeros(7)
    block_view(array, (3,), (3,))[1] = 5
    assert array.tolist() == [0, 0, 0, 5, 5, 5, 0]
    assert not block_view(array, (3,), (2,)).flags.writeable
    array.flags.writeable = False
    assert not block_view(array, (3,), (3,)).flags.writeable


@pytest.mark.parametrize(("size", "step"), [(8, 1), (3, 0), (3, -1)])
def test_blocks_outside_of_an_array_are_refused(size, step):
    with pytest.raises(
        ValueError, match=r"^blocks of \(.*\), .* apart, do not fit \(7,\)$"
    ):
        block_view(np.zeros(7), (size,), (step,))


def test_landings_are_pairs_of_windows():
    got = landings((Axis(4, 8, 3, 2, 1, 1), Axis(2, 2, 1)))
    assert got == (
        ((0, 0), (slice(1, 4), slice(0, 2)), (slice(1, 6, 2), slice(0, 2, 1)), False),
        ((1, 0), (slice(0, 4), slice(0, 2)), (slice(0, 7, 2), slice(0, 2, 1)), True),
        ((2, 0), (slice(0, 4), slice(0, 2)), (slice(1, 8, 2), slice(0, 2, 1)), True),
    )


def test_windows_are_views_whose_steps_are_taken():
    y = np.arange(24).reshape(2, 12)
    view = window_view(y, (Axis(4, 12, 3, 2, 2, -1),))
    assert view.shape == (2, 4, 3)
    assert view.strides == (12 * 8, 16, 16)
    assert view[1].tolist() == [[13 + 2 * i + 2 * j for j in range(3)] for i in range(4)]
    assert np.shares_memory(view, y)
    assert not view.flags.writeable


def test_steps_that_are_never_taken_are_zero():
    """They may be beyond any address: strides of one cell, dilations of one tap."""
    y = np.arange(5.0)
    assert window_view(y, (Axis(1, 5, 3, 2**70, 1),)).strides == (0, 8)
    assert window_view(y, (Axis(3, 5, 1, 1, 2**70),)).strides == (8, 0)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(3, 4, 3),  # the last tap is outside
        Axis(5, 5, 3),
        Axis(3, 5, 3, 1, 1, 1),  # the first
        Axis(3, 5, 3, 1, 1, -1),
        Axis(0, 5, 3),
        Axis(3, 5, 0),
        Axis(3, 6, 3),  # another size
    ],
)
def test_views_that_would_leave_their_array_are_refused(axis):
    with pytest.raises(ValueError, match=r"taps outside|big sizes"):
        window_view(np.zeros(5 if axis.big != 4 else 4), (axis,))


@pytest.mark.parametrize(
    ("first", "length", "size", "taken", "placed"),
    [
        (0, 5, 5, (0, 5), (0, 5)),
        (2, 2, 5, (2, 4), (0, 2)),
        (-2, 4, 5, (0, 2), (2, 4)),
        (3, 9, 5, (3, 5), (0, 2)),
        (-2, 9, 5, (0, 5), (2, 7)),
        (7, 2, 5, (5, 5), (-2, -2)),  # nothing on either side
        (-4, 2, 5, (0, 0), (4, 4)),
    ],
)
def test_cells_that_a_source_has(first, length, size, taken, placed):
    got = common((first,), (length,), (size,))
    assert got == ((..., slice(*taken)), (..., slice(*placed)))


@pytest.mark.parametrize(
    ("shifts", "count"),
    [
        (((3, 2),), 4),
        (((2, 10), (3, 1)), 8),
        (((1, 99), (4, 0)), 20),
        (((2, 3), (2, 13)), 4),
    ],
)
def test_runs_begin_where_shifts_add_up(shifts, count):
    flat = np.arange(60).reshape(3, 1, 20)
    view = shifted_view(flat, shifts, count)
    assert view.shape == (3, 1, *(taps for taps, _ in shifts), count)
    for place in np.ndindex(view.shape):
        row, _, *taps, element = place
        start = sum(j * step for j, (_, step) in zip(taps, shifts, strict=True))
        assert view[place] == 20 * row + start + element
    assert np.shares_memory(view, flat)
    assert not view.flags.writeable


@pytest.mark.parametrize(
    ("shifts", "count"),
    [
        (((3, 2),), 17),
        (((2, 10), (3, 1)), 9),
        (((1, 0),), 21),
        (((0, 1),), 4),
        (((2, -1),), 4),
    ],
)
def test_runs_that_would_leave_their_array_are_refused(shifts, count):
    with pytest.raises(ValueError, match="outside of 20"):
        shifted_view(np.arange(20), shifts, count)


def test_runs_of_every_second_element_are_steps_of_two():
    view = shifted_view(np.arange(20)[::2], ((3, 2),), 4)
    assert view.tolist() == [[0, 2, 4, 6], [4, 6, 8, 10], [8, 10, 12, 14]]
