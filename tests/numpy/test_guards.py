"""Nothing is read or written outside an array, and no scratch memory before it is filled.

Arguments lie in the middle of buffers of NaN. Every array of the workspace does too, and
begins as NaN itself: what is read where it should not be makes a result NaN, what is
written beyond an array is found in the guards.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from itertools import islice
from math import prod

import numpy as np
import pytest

from mtconv.backends import _numpy
from mtconv.backends._numpy import engine
from mtconv.backends.host.memory import Workspace
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.planning.choose import DECLARED, INEXACT
from mtconv.planning.plan import make_plan
from mtconv.problem.build import Problem
from mtconv.spec import ConvSpec
from tests.functional.test_enumeration import BARE, by_loops, relations, stands_in

GUARD = 64


def guarded(values):
    """The values in the middle of a buffer of NaN."""
    buffer = np.full(len(values) + 2 * GUARD, np.nan)
    buffer[GUARD:-GUARD] = values
    return buffer[GUARD:-GUARD]


class Guarded(Workspace):
    """A workspace whose arrays are never used twice and lie between guards."""

    def __init__(self):
        super().__init__()
        self.buffers = []

    def take(self, shape, dtype):
        size = prod(shape)
        buffer = np.full(size + 2 * GUARD, np.nan, dtype)
        self.buffers.append(buffer)
        return buffer[GUARD : GUARD + size].reshape(shape)

    def check(self):
        ends = [end for b in self.buffers for end in (b[:GUARD], b[-GUARD:])]
        assert not ends or np.isnan(np.concatenate(ends)).all()
        self.buffers.clear()


@pytest.fixture
def space(monkeypatch):
    got = Guarded()
    monkeypatch.setattr(engine, "lend", lambda: nullcontext(got))
    return got


def strides_beyond_the_enumeration():
    """What `polyphase` does with strided views: strides of 16 and more."""
    for k in (1, 5, 16, 19):
        for lo in (-2, 0, 7, 20):
            for big in (1, 15, 33, 60):
                yield Axis(3, big, k, 16, 1, lo)


@pytest.fixture(params=["look-up", "arrays"])
def small_or_large(request, monkeypatch):
    """Few columns are found by one look-up; also go the way of larger problems."""
    if request.param == "arrays":
        monkeypatch.setattr(tuning, "FEW_COLUMNS", 0)


@cache
def problems():
    """Every third relation, and others: the axis, its arrays, and what loops give."""
    numbers = np.random.default_rng(7).integers(1, 2**20, 100).tolist()
    listed = []
    for axis in (*islice(relations(2), 0, None, 3), *strides_beyond_the_enumeration()):
        sizes = (axis.small, axis.kernel, axis.big)
        arrays = [numbers[start : start + size] for start, size in enumerate(sizes)]
        listed.append((axis, *arrays, by_loops(axis, *arrays)))
    return listed


@pytest.mark.usefixtures("small_or_large")
@pytest.mark.parametrize("algorithm", DECLARED["numpy"].algorithms)
def test_every_third_relation_between_guards(algorithm, space, record_property):
    cases = 0
    for axis, x, w, y, results in problems():
        for form, expected in results.items():
            first, second = guarded(y if form == "conv" else x), guarded(w)
            if form == "kernel_grad":
                second = guarded(y)
            settled = Problem(ConvSpec((axis,)), BARE, BARE)
            plan = make_plan(form, settled, first.shape, "float64", algorithm, "numpy")
            if stands_in(plan, algorithm):
                continue
            cases += 1
            got = _numpy.run(plan, first, second, None, None)
            allowed = 0
            if algorithm in INEXACT:
                allowed = 1e-14 * np.linalg.norm(first) * np.linalg.norm(second)
            assert np.abs(got - expected).max() <= allowed, axis  # and not NaN
            space.check()
    record_property("cases", cases)


def test_the_guards_can_tell(space):
    taken = space.take((3,), np.dtype(float))
    assert np.isnan(taken.sum())
    np.lib.stride_tricks.as_strided(taken, (4,))[3] = 1.0
    with pytest.raises(AssertionError):
        space.check()
