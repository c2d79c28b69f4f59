"""Memory of large results: used again once nobody sees it, and never before."""

import gc
import threading

import numpy as np
import pytest

import mtconv
from mtconv.backends.host import results
from mtconv.backends.host.results import KEPT_BYTES, LEAST_BYTES, empty

FLOAT = np.dtype(np.float32)
LEAST = LEAST_BYTES // FLOAT.itemsize


@pytest.fixture(scope="module", autouse=True)
def nothing_left_of_other_tests():
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_kept():
    results.forget()
    yield
    results.forget()


def place(array):
    return array.__array_interface__["data"][0]


def kept():
    return sum(memory.nbytes for memory in results._kept.values())


def test_the_memory_of_a_dropped_result_serves_the_next():
    array = empty((2, LEAST), FLOAT)
    assert array.shape == (2, LEAST)
    assert array.dtype == FLOAT
    assert array.flags.c_contiguous
    assert array.flags.writeable
    before = place(array)
    array[...] = 7
    del array
    assert kept() == 2 * LEAST_BYTES
    again = empty((LEAST * 2,), FLOAT)
    assert place(again) == before
    assert kept() == 0


def test_the_memory_of_a_result_with_a_view_left_is_not_touched():
    array = empty((2, LEAST), FLOAT)
    array[...] = np.arange(LEAST)
    view = array[1, ::2].view(np.uint32)
    del array
    other = empty((2, LEAST), FLOAT)
    other[...] = -1
    assert kept() == 0
    assert (view.view(np.float32) == np.arange(0, LEAST, 2)).all()


def test_memory_fits_results_of_half_its_size_up_to_its_own():
    array = empty((4 * LEAST,), FLOAT)
    before = place(array)
    del array
    smaller = empty((2 * LEAST,), FLOAT)
    assert place(smaller) == before
    del smaller
    assert kept() == 4 * LEAST_BYTES
    others = [empty((size,), FLOAT) for size in (2 * LEAST - 1, 4 * LEAST + 1)]
    assert [other.size for other in others] == [2 * LEAST - 1, 4 * LEAST + 1]
    assert before not in map(place, others)
    assert kept() == 4 * LEAST_BYTES


def test_small_and_huge_results_are_left_to_the_allocator():
    for size, lent in ((LEAST - 1, False), (LEAST, True), (KEPT_BYTES // 4 + 1, False)):
        array = empty((size,), FLOAT)
        assert array.flags.owndata != lent
        del array
        assert kept() == (LEAST_BYTES if lent else 0)
        results.forget()


def test_what_is_kept_is_bounded_and_the_oldest_goes_first():
    quarter = KEPT_BYTES // 4 // FLOAT.itemsize
    arrays = [empty((quarter,), FLOAT) for _ in range(6)]
    places = [place(array) for array in arrays]
    while arrays:
        del arrays[0]
    assert kept() == KEPT_BYTES
    assert [place(memory) for memory in results._kept.values()] == places[2:]


def test_results_of_several_sizes_find_their_own():
    small, large = empty((LEAST,), FLOAT), empty((5 * LEAST,), FLOAT)
    places = [place(small), place(large)]
    del small, large
    large, small = empty((5 * LEAST,), FLOAT), empty((LEAST,), FLOAT)
    assert [place(small), place(large)] == places


def test_calls_use_it_and_give_what_they_give_without():
    rng = np.random.default_rng(1)
    x = rng.integers(-4, 5, (1, 4, 300, 300)).astype(np.float32)
    kernel = rng.integers(-4, 5, (4, 8, 2, 2)).astype(np.float32)
    first = mtconv.conv_transpose(x, kernel, stride=2)
    expected, before = first.copy(), place(first)
    del first
    second = mtconv.conv_transpose(x, kernel, stride=2)
    assert place(second) == before
    assert (second == expected).all()


def test_threads_never_get_the_same_memory():
    held: list[list[np.ndarray]] = [[] for _ in range(4)]
    start = threading.Barrier(4)
    wrong = []

    def work(own):
        start.wait()
        for number in range(200):
            array = empty((LEAST,), FLOAT)
            array[:8] = id(own) % 1000
            own.append(array)
            if number % 3:
                single = own.pop(0)
                if (single[:8] != id(own) % 1000).any():
                    wrong.append(single)
            del own[:-2]

    threads = [threading.Thread(target=work, args=(own,)) for own in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    places = [place(array) for own in held for array in own]
    assert len(set(places)) == len(places) == 8
