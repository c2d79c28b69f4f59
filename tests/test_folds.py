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
