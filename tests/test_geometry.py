"""Each function of the geometry against its definition, on every small axis."""

from itertools import product

from mtconv import geometry
from mtconv.geometry import Axis

# Strides and dilations; some share a factor.
STEPS = (*product((1, 2, 3), (1, 2, 3)), (4, 2), (5, 2), (6, 4), (6, 3))


def small_axes():
    for n, k, (stride, dilation) in product((1, 2, 3), (1, 2, 4), STEPS):
        extent = dilation * (k - 1) + 1
        for lo in (-2, 0, 1, extent):
            for big in range(1, stride * (n - 1) + extent + stride, 2):
                yield Axis(n, big, k, stride, dilation, lo)


AXES = list(small_axes())


def taps(axis):
    """The relation itself: which i and j meet in which o."""
    return {
        (i, j, axis.stride * i + axis.dilation * j - axis.lo)
        for i in range(axis.small)
        for j in range(axis.kernel)
        if 0 <= axis.stride * i + axis.dilation * j - axis.lo < axis.big
    }


def test_windows_are_the_taps_grouped_by_j():
    for axis in AXES:
        listed = [
            (i, w.tap, w.big_start + axis.stride * t)
            for w in geometry.windows(axis)
            for t, i in enumerate(range(w.small_start, w.small_stop))
        ]
        assert len(listed) == len(set(listed))
        assert set(listed) == taps(axis)
        assert all(
            w.cells == w.small_stop - w.small_start > 0 for w in geometry.windows(axis)
        )


def test_phases_are_the_taps_grouped_by_residue():
    for axis in AXES:
        listed = []
        for phase in geometry.phases(axis):
            for t, m in product(range(phase.cells), range(phase.taps)):
                i = t + phase.shift - m * phase.shift_step
                j = phase.tap + m * phase.tap_step
                assert 0 <= j < axis.kernel
                if 0 <= i < axis.small:
                    listed.append((i, j, phase.start + axis.stride * t))
        assert len(listed) == len(set(listed))
        assert set(listed) == taps(axis)


def test_phases_cover_every_big_cell_once():
    for axis in AXES:
        cells = [
            phase.start + axis.stride * t
            for phase in geometry.phases(axis)
            for t in range(phase.cells)
        ]
        assert sorted(cells) == list(range(axis.big))


def test_phases_are_alike():
    assert geometry.alike(Axis(3, 8, 4, 2))  # two taps each
    assert geometry.alike(Axis(3, 10, 6, 2))
    assert not geometry.alike(Axis(3, 9, 5, 2))  # three and two
    assert not geometry.alike(Axis(3, 13, 4, 2, 3))  # two each, but with gaps in x
    assert geometry.alike(Axis(1, 2, 2, 2))
    assert not geometry.alike(Axis(1, 1, 2, 2))  # no cell of the second phase
    assert geometry.alike(Axis(3, 7, 3, 1, 2))  # there is one phase only


def test_live_phases_are_those_with_taps():
    for axis in AXES:
        every = geometry.phases(axis)
        live = tuple(phase for phase in every if phase.taps > 0)
        assert geometry.live_phases(axis) == live
        assert geometry.has_holes(axis) == (len(live) < len(every))


def test_a_stride_far_beyond_the_kernel_costs_nothing_to_count():
    axis = Axis(small=3, big=3 * 10**12, kernel=3, stride=10**12)
    assert [phase.start for phase in geometry.live_phases(axis)] == [0, 1, 2]
    assert geometry.has_holes(axis)


def test_sizes_before_anything_is_cropped():
    for axis in AXES:
        cells = [axis.dilation * j for j in range(axis.kernel)]
        assert axis.extent == max(cells) + 1
        full = max(axis.stride * i + cell for i in range(axis.small) for cell in cells) + 1
        assert axis.full == full
        # ``lo`` cells before the big side, ``hi`` behind it.
        assert axis.lo + axis.big + axis.hi == full


def check_range(found, cells, size):
    """A range is from the first to the last of some cells, or empty; never outside."""
    start, stop = found
    assert 0 <= start <= stop <= size
    assert [start, stop] == [min(cells), max(cells) + 1] if cells else start == stop


def test_touched_cells_are_those_that_the_kernel_spans():
    for axis in AXES:
        spans = [(axis.stride * i - axis.lo, i) for i in range(axis.small)]
        for start in range(axis.big):
            stop = min(start + 2, axis.big)
            got = geometry.touched_small(axis, start, stop)
            cells = [i for o, i in spans if o < stop and o + axis.extent > start]
            check_range(got, cells, axis.small)
            assert {i for i, _, o in taps(axis) if start <= o < stop} <= set(range(*got))
        for start in range(axis.small):
            stop = min(start + 2, axis.small)
            got = geometry.touched_big(axis, start, stop)
            span = range(spans[start][0], spans[stop - 1][0] + axis.extent)
            check_range(got, [o for o in span if 0 <= o < axis.big], axis.big)
            assert {o for i, _, o in taps(axis) if start <= i < stop} <= set(range(*got))


def test_halos_are_tight_where_no_tap_is_missing():
    axis = Axis(small=10, big=21, kernel=3, stride=2)
    assert geometry.touched_small(axis, 8, 12) == (3, 6)
    assert geometry.touched_big(axis, 2, 4) == (4, 9)


def test_a_block_of_a_relation_is_the_relation_of_the_block():
    for axis in AXES:
        for small in ((0, axis.small), (axis.small // 2, axis.small)):
            for big in ((0, axis.big), (axis.big // 3, axis.big)):
                block = geometry.restrict(axis, small, big)
                inside = {
                    (i - small[0], j, o - big[0])
                    for i, j, o in taps(axis)
                    if small[0] <= i < small[1] and big[0] <= o < big[1]
                }
                assert taps(block) == inside


def test_runs_are_the_taps_in_order():
    for axis in AXES:
        listed = [
            (run.tap + t, axis.stride * run.shift + run.residue + t)
            for run in geometry.runs(axis)
            for t in range(run.taps)
        ]
        # Where each tap would put small cell 0.
        assert listed == [(j, axis.dilation * j - axis.lo) for j in range(axis.kernel)]
        assert all(run.residue + run.taps <= axis.stride for run in geometry.runs(axis))


def test_runs_are_as_long_as_they_can_be():
    got = geometry.runs(Axis(small=5, big=10, kernel=4, stride=2, lo=1))
    assert [(run.tap, run.taps) for run in got] == [(0, 1), (1, 2), (3, 1)]


def test_sizes_of_a_convolution_by_counting():
    for big, k, stride, dilation, lo, hi in product(
        (1, 4, 7), (1, 3), (1, 2, 3), (1, 2), (-1, 0, 2), (-1, 0, 2)
    ):
        extent = dilation * (k - 1) + 1
        places = range(-lo, big + hi - extent + 1, stride)  # where the kernel fits
        got = geometry.small_size(big, k, stride, dilation, lo, hi)
        assert max(got, 0) == len(places)


def test_big_sizes_are_those_that_map_back():
    for n, k, stride, dilation, lo, hi in product(
        (1, 3), (1, 3), (1, 2, 3), (1, 2), (-1, 0, 2), (-1, 0, 2)
    ):
        wanted = [
            big
            for big in range(1, 40)
            if geometry.small_size(big, k, stride, dilation, lo, hi) == n
        ]
        assert list(geometry.big_sizes(n, k, stride, dilation, lo, hi)) == wanted


def test_an_axis_with_its_padding_taken_in_has_the_same_taps():
    for axis in AXES:
        if axis.lo >= 0:
            padded = geometry.padded_axis(axis)
            assert padded.lo == 0
            assert padded.big == max(axis.lo + axis.big, axis.full)
            shifted = {(i, j, o + axis.lo) for i, j, o in taps(axis)}
            assert shifted <= taps(padded)
            assert len(taps(padded)) == axis.small * axis.kernel


def test_same_splits_the_padding_in_half():
    # A convolution of 5 cells by a kernel of 4: total padding 3.
    assert geometry.same_padding(5, 4, 1, 1, lower=False) == (1, 2)
    assert geometry.same_padding(5, 4, 1, 1, lower=True) == (2, 1)
    # One tap more, and two: total paddings 4 and 5.
    assert geometry.same_padding(5, 5, 1, 1, lower=False) == (2, 2)
    assert geometry.same_padding(5, 5, 1, 1, lower=True) == (2, 2)
    assert geometry.same_padding(5, 6, 1, 1, lower=True) == (3, 2)
    assert geometry.same_padding(5, 6, 1, 1, lower=False) == (2, 3)
    # Stride 2 makes 3 cells of 5: the last starts at 4, so 4 + 4 - 5 = 3.
    assert geometry.same_padding(5, 4, 2, 1, lower=False) == (1, 2)
    # A kernel of one tap needs none.
    assert geometry.same_padding(5, 1, 3, 2, lower=True) == (0, 0)
    assert geometry.same_padding(5, 1, 3, 2, lower=False) == (0, 0)


def test_same_leaves_one_cell_for_each_stride():
    for big in range(1, 12):
        for stride in range(1, 5):
            starts = range(0, big, stride)
            assert geometry.same_size(big, stride) == len(starts)


def test_sizes_that_python_does_not_share():
    # Up to 256 equal integers are one object.
    assert not geometry.has_holes(Axis(1, 300, 300, 300))
    assert len(geometry.runs(Axis(1, 300, 300))) == 300
