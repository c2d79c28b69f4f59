"""Flaws of special cases, in each number of axes: each fails at least two problems."""

from functools import cache

import pytest

from mtconv.verify import export_conformance
from tests.testing.styles import STYLES
from tests.verify.conditions import combinations, flaws, is_right
from tests.verify.readers import READERS

RUN = STYLES["scatter"]


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Export each format once, and read it."""
    folder, read = tmp_path_factory.mktemp("core"), {}

    def calls_of(form):
        if form == "onnx":
            pytest.importorskip("onnx")
        if form not in read:
            read[form] = list(READERS[form](export_conformance(folder, format=form)))
        return read[form]

    return calls_of


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_flaw_fails_at_least_two_problems(calls, form, rank):
    listed = flaws(form, rank)
    assert len(listed) >= {1: 28, 2: 48, 3: 67}[rank]
    assert seldom_seen(listed, rank, calls(form)) == {}


@pytest.mark.parametrize("form", READERS)
def test_every_combination_fails_at_least_two_problems(calls, form):
    listed = combinations(form)
    assert len(listed) == (114 if form == "onnx" else 102)
    assert seldom_seen(listed, None, calls(form)) == {}


def seldom_seen(listed, rank, calls):
    """Count the problems that see each flaw; return the counts below two."""
    cached = cache(lambda effect, number: is_right(effect, RUN, calls[number]))
    counts = {}
    for flaw in listed:
        seen = (n for n in holding(flaw, rank, calls) if not cached(flaw.effect, n))
        counts[flaw.name] = len(list(seen))
    return {name: count for name, count in counts.items() if count < 2}


def holding(flaw, rank, calls):
    """List the numbers of the calls where the condition of a flaw holds."""
    ranks = (rank,) if rank else (1, 2, 3)
    return [
        number
        for number, call in enumerate(calls)
        if call.kernel.ndim - 2 in ranks and flaw.holds(call)
    ]


def test_a_condition_holds_for_the_problems_that_it_is_about(calls):
    flaw = next(flaw for flaw in flaws("json", 2) if flaw.name == "2-D, samples")
    seen = {calls("json")[number].name for number in holding(flaw, 2, calls("json"))}
    assert seen == {
        "batch_2_groups_2",
        "kernel_2_stride_2_groups_2d",
        "kernel_2_stride_2_long_last_axis_2d",
        "kernel_3_groups_2d",
        "kernel_4_stride_2_2d",
    }
