"""Spectra that are kept of data that come again."""

import numpy as np
import pytest

import mtconv
from mtconv.operators.circular.recall import Memory


@pytest.fixture
def memory():
    """One that knows a spectrum."""
    memory = Memory()
    memory.keep(np.arange(10.0), np.array([7j, 8]))
    return memory


def test_what_is_known_cannot_be_written_to(memory):
    known = memory.recall(np.arange(10.0))
    assert known.tolist() == [7j, 8]
    with pytest.raises(ValueError, match="read-only"):
        known[0] = 1


@pytest.mark.parametrize("change", [-1, 1])
def test_the_first_elements_tell_most_arrays(memory, change):
    for place in range(10):
        array = np.arange(10.0)
        array[place] += change
        likely = memory.likely(array)
        assert (likely is None) == (place < 8)
        assert likely is None or not likely.of(array)
        assert memory.recall(array) is None


@pytest.mark.parametrize(
    "array",
    [
        np.arange(10.0).reshape(2, 5),
        np.arange(11.0),
        np.arange(10.0).repeat(2)[::2],
        np.arange(10),
        np.arange(10, dtype=np.float32),
        np.arange(10) + 0j,
    ],
)
def test_arrays_of_other_kinds_are_not_known(memory, array):
    assert memory.likely(array) is None


def test_zeros_are_told_by_their_signs(memory):
    array = np.arange(10.0)
    array[0] = -0.0
    assert memory.recall(array) is None


def test_data_return_where_the_call_before_had_them():
    memory = Memory()
    first, second = np.arange(10.0), np.arange(10.0, 20)
    calls = [first, first, second, first, first.copy(), first[::2], first[::2], first]
    assert [memory.returns(array) for array in calls] == [
        *(False, True, False, False, True),
        *(False, False, False),  # arrays with gaps are not told
    ]


def test_results_do_not_take_the_place_of_known_spectra(same):
    # As many channels and elements on both sides: their spectra have the same size.
    kernel = np.arange(1.0, 13).reshape(2, 2, 3) ** 2
    A = mtconv.Conv(kernel, 8, padding=1, padding_mode="circular")
    y = np.sqrt(np.arange(16.0)).reshape(2, 8)
    first = A.regularized_solve(y, 0.1)
    for _ in range(4):
        same(A.regularized_solve(y, 0.1), first)
