"""Stretches of padded axes: the same as the list of sources, without the list."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from mtconv import folds

MODES = {
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
    "symmetric": "symmetric",
}


def cases():
    yield from product(range(1, 7), range(15), range(15))


def spelled(stretches):
    return [s.source + s.step * t for s in stretches for t in range(s.cells)]


@pytest.mark.parametrize("mode", MODES)
def test_stretches_are_what_numpy_pads_with(mode):
    for size, lo, hi in cases():
        expected = np.pad(np.arange(size), (lo, hi), MODES[mode]).tolist()
        stretches = list(folds.fold_stretches(size, lo, hi, mode))
        assert spelled(stretches) == expected
        starts = [sum(s.cells for s in stretches[:n]) for n in range(len(stretches))]
        assert [s.start for s in stretches] == starts
        assert folds.most_folds(size, lo, hi, mode) == max(Counter(expected).values())


@pytest.mark.parametrize("mode", MODES)
def test_stretches_are_clipped_and_found_by_their_sources(mode):
    for size, lo, hi in product((1, 2, 5), (0, 3, 7), (0, 4)):
        sources = np.pad(np.arange(size), (lo, hi), MODES[mode]).tolist()
        stretches = folds.fold_stretches(size, lo, hi, mode)
        for start, stop in product(range(len(sources)), range(len(sources) + 1)):
            between = list(stretches.between(start, stop))
            assert spelled(between) == sources[start:stop]
            assert [s.start for s in between][:1] == [start][: stop > start]
        for start, stop in product(range(size), range(1, size + 1)):
            pairs = [folds.stretch_onto(s, start, stop) for s in stretches]
            cells = [p for pair in filter(None, pairs) for p in range(*pair)]
            assert cells == [p for p, o in enumerate(sources) if start <= o < stop]


def test_long_axes_have_few_stretches():
    assert len(list(folds.fold_stretches(10**9, 10**8, 10**8, "reflect"))) == 3
    assert folds.most_folds(10**9, 5, 0, "replicate") == 6


@pytest.mark.parametrize("mode", MODES)
def test_padding_many_times_as_wide_as_its_axis_takes_no_memory(mode):
    wide = folds.fold_stretches(2, 10**15, 10**15, mode)
    o = 10**15  # where the axis itself begins
    assert spelled(wide.between(o, o + 2)) == [0, 1]
    assert len(list(wide.between(o - 1000, o))) <= 1000
    assert folds.most_folds(2, o, o, mode) == o + 1


def test_an_unknown_padding_mode_is_no_mode():
    with pytest.raises(ValueError, match="edge"):
        folds.fold_index(3, 1, 1, "edge")


@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [
        ("circular", "wrap"),
        ("replicate", "edge"),
        ("reflect", "reflect"),
        ("symmetric", "symmetric"),
    ],
)
def test_padding_modes_are_those_of_numpy(mode, numpy_mode):
    amounts = (0, 1, 2, 3, 7, 12)
    for size, lo, hi in product((1, 2, 5), amounts, amounts):
        expected = np.pad(np.arange(size), (lo, hi), numpy_mode).tolist()
        assert list(folds.fold_index(size, lo, hi, mode)) == expected


@pytest.mark.parametrize("mode", MODES)
def test_sources_of_many_elements_at_once(mode):
    for size, lo, hi in product((1, 2, 5), (0, 3, 12), (0, 4)):
        expected = np.pad(np.arange(size), (lo, hi), MODES[mode]).tolist()
        places = np.arange(-lo, size + hi)
        assert folds.source_element(places, size, mode).tolist() == expected


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
def test_stretches_spell_the_index_of_a_padding_mode(mode):
    for size, lo, hi in product(range(1, 6), range(13), range(13)):
        index = folds.fold_index(size, lo, hi, mode)
        pieces = folds.stretches(index)
        spelled = [s.source + s.step * t for s in pieces for t in range(s.cells)]
        assert spelled == list(index)
        assert [s.start for s in pieces] == [0, *np.cumsum([s.cells for s in pieces])][:-1]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ((), []),
        ((7,), [(0, 1, 7, 1)]),
        ((0, 1, 2), [(0, 3, 0, 1)]),
        ((2, 1, 0, 1), [(0, 3, 2, -1), (3, 1, 1, 1)]),
        ((4, 4, 4, 5), [(0, 3, 4, 0), (3, 1, 5, 1)]),
        ((0, 2, 3), [(0, 1, 0, 1), (1, 2, 2, 1)]),  # a jump begins another stretch
        ((3, 1, 0), [(0, 1, 3, 1), (1, 2, 1, -1)]),
    ],
)
def test_stretches_are_few(index, expected):
    assert list(folds.stretches(index)) == expected


def test_sizes_that_python_does_not_share():
    # Up to 256 equal integers are one object.
    pieces = folds.stretches((*range(300), 5))
    assert list(pieces) == [(0, 300, 0, 1), (300, 1, 5, 1)]


def test_margins_that_no_memory_holds_are_refused_at_once():
    assert folds.fold_margins(3, 2, 1, "circular") == ((1, 2), (0,))
    assert folds.MOST_MARGINS == 2**30
    with pytest.raises(MemoryError, match="padding of 536870912 and 536870912 elements"):
        folds.fold_margins(3, 2**29, 2**29, "circular")
    with pytest.raises(MemoryError, match=r"padding of 1000000000000000 and 0 elements"):
        folds.fold_margins(3, 10**15, 0, "reflect")
