"""Pieces of arrays, and passes over them on several threads."""

import threading
from itertools import pairwise

import pytest

import mtconv
from mtconv.operators.circular.stages import Stage, in_caches, pieces, run_passes


def cuts(*axes):
    """Slices between neighbouring numbers of each axis, for all axes."""
    got = [()]
    for axis in axes:
        stretches = [slice(a, b) for a, b in pairwise(axis)]
        got = [(*before, stretch) for before in got for stretch in stretches]
    return tuple(got)


@pytest.mark.parametrize(
    ("shape", "whole", "expected"),
    [
        # Four pieces, of whole planes.
        ((1, 48, 128, 65), 2, cuts([0, 1], [0, 12, 24, 36, 48])),
        # No fewer elements than 2**14: 3 rows of 5000, and what is left.
        ((10, 5000), 1, cuts([0, 3, 6, 9, 10])),
        # 4 rows would fit into the first piece; all have nearly the same length.
        ((9, 4000), 1, cuts([0, 3, 6, 9])),
        # No more than 2**17, so single rows; then the axis before is cut too.
        ((2, 3, 100_000), 1, cuts([0, 1, 2], [0, 1, 2, 3])),
        # A plane that is not cut may have more, and then all axes before it are cut.
        ((2, 200_000), 1, cuts([0, 1, 2])),
        ((2, 3, 200_000), 1, cuts([0, 1, 2], [0, 1, 2, 3])),
        # Three rows are a fourth; the axis after the one that is cut is whole.
        ((12, 100, 100), 1, cuts([0, 3, 6, 9, 12], [0, 100])),
        ((2, 12, 100, 100), 1, cuts([0, 1, 2], [0, 6, 12], [0, 100])),
        # Everything can be cut, the last axis as little as possible.
        ((2, 40_000), 0, cuts([0, 1, 2], [0, 20_000, 40_000])),
        ((3, 5), 1, cuts([0, 3])),
        ((7,), 0, cuts([0, 7])),
        ((0, 5), 1, ()),
        ((5, 0, 3), 1, ()),
    ],
)
def test_pieces(shape, whole, expected):
    assert pieces(shape, whole) == expected


def test_what_the_caches_hold():
    assert in_caches(1)
    assert in_caches(2**17)
    assert not in_caches(2**17 + 1)


def stage_of(calls, count, total):
    """A stage that notes its tasks, their threads and what they may use."""

    def function(task, workers):
        calls.append((task, workers, threading.current_thread() is threading.main_thread()))

    return Stage(function, range(count), total)


@pytest.mark.parametrize(
    ("workers", "count", "total", "inner"),
    [
        (4, 1, 2**16, 4),
        (4, 1, 2**16 - 1, 1),
        (4, 2, 2**16, 2),
        (4, 3, 2**16, 1),
        (2, 5, 2**16, 1),
        (5, 2, 2**17, 2),
        (1, 1, 2**17, 1),
    ],
)
def test_threads_that_a_task_may_use(workers, count, total, inner):
    calls = []
    with mtconv.workers(workers):
        run_passes([stage_of(calls, count, total)])
    assert sorted(task for task, _, _ in calls) == list(range(count))
    assert {got for _, got, _ in calls} == {inner}


def test_few_elements_stay_on_the_calling_thread():
    calls = []
    with mtconv.workers(3):
        run_passes([stage_of(calls, 50, 2**16 - 1), stage_of(calls, 50, 1)])
    assert [call[0] for call in calls] == [*range(50), *range(50)]
    assert all(here for _, _, here in calls)


def test_the_largest_stage_decides_about_threads():
    together = threading.Barrier(2, timeout=60)
    names = []

    def function(*_):
        together.wait()
        names.append(threading.current_thread().name)

    with mtconv.workers(2):
        run_passes([Stage(function, range(2), 1), Stage(function, range(2), 2**16)])
    assert len(set(names)) == 2


def test_passes_multiply_unless_they_say_otherwise(monkeypatch):
    from mtconv.operators.circular import stages

    noted = []
    monkeypatch.setattr(
        stages, "run_stages", lambda *_, multiplies: noted.append(multiplies)
    )
    run_passes([stage_of([], 1, 1)])
    run_passes([stage_of([], 1, 1)], multiplies=False)
    assert noted == [True, False]


def test_nothing_to_do():
    calls = []
    with mtconv.workers(2):
        run_passes([stage_of(calls, 0, 2**20), stage_of(calls, 0, 0)])
    assert calls == []
