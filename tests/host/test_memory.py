"""Scratch memory: a stack of aligned arrays, and kernels that are packed once."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

from mtconv.backends.host.memory import KEPT_BYTES, Workspace, aligned, lend

BYTE = np.dtype(np.uint8)


def address(array):
    return array.ctypes.data


def test_arrays_begin_at_lines_of_the_cache_one_after_another():
    space = Workspace()
    first, second, third = (space.take((n,), BYTE) for n in (1, 64, 65))
    fourth = space.take((2, 3), np.dtype(np.complex128))
    assert address(first) % 64 == 0
    assert address(second) - address(first) == 64
    assert address(third) - address(second) == 64
    assert address(fourth) - address(third) == 128
    assert fourth.shape == (2, 3)
    assert fourth.dtype == np.complex128
    assert space.used == 256 + 6 * 16


def test_addresses_are_those_that_arrays_would_have():
    space = Workspace(1000)
    first = address(space.take((10,), BYTE))
    assert space.address(100) == first + 64
    assert space.used == 164
    assert address(space.take((10,), BYTE)) == first + 192
    assert space.address(744) == first + 256  # all that is left
    assert space.address(1) == 0


def test_addresses_are_given_back_at_the_end_of_a_frame():
    space = Workspace(1000)
    with space.frame():
        first = space.address(1000)
        assert first % 64 == 0
        assert space.address(1) == 0
    assert space.address(1000) == first


def test_a_frame_gives_back_what_was_taken_in_it():
    space = Workspace()
    outer = space.take((100,), BYTE)
    with space.frame():
        inner = space.take((100,), BYTE)
        with space.frame():
            innermost = space.take((100,), BYTE)
        assert address(space.take((7,), BYTE)) == address(innermost)
    assert address(space.take((8,), BYTE)) == address(inner)
    assert address(inner) - address(outer) == 128


def test_arrays_are_given_back_after_an_error_too():
    space = Workspace()

    def fail():
        with space.frame():
            space.take((100,), BYTE)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert space.used == 0


def test_what_does_not_fit_is_allocated_alone():
    space = Workspace()
    with space.frame():
        whole = space.take((KEPT_BYTES,), BYTE)
        assert whole.base is not None
        assert space.used == KEPT_BYTES
        assert space.take((1,), BYTE).base is None
    with space.frame():
        assert space.take((KEPT_BYTES + 1,), BYTE).base is None
        assert space.used == 0
    space.take((1,), BYTE)
    assert space.take((KEPT_BYTES - 63,), BYTE).base is None  # behind one line
    assert space.take((KEPT_BYTES - 64,), BYTE).base is not None


def test_a_workspace_that_keeps_nothing_allocates_every_array_alone():
    space = Workspace(kept=0)
    first, second = (space.take((3, 5), np.dtype(np.int16)) for _ in range(2))
    assert first.base is None
    assert second.base is None
    assert not np.shares_memory(first, second)


def test_memory_is_allocated_by_the_first_array_only():
    tracemalloc.start()
    try:
        space = Workspace()
        before, _ = tracemalloc.get_traced_memory()
        first = space.take((0,), BYTE)
        second = space.take((3,), BYTE)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before < 2**16
    assert KEPT_BYTES <= after - before < KEPT_BYTES + 2**16
    assert address(second) == address(first)


def test_aligned_memory_has_its_size():
    kept = [aligned(size) for size in (*range(1, 200), 1000)]
    assert [len(single) for single in kept] == [*range(1, 200), 1000]
    assert all(address(single) % 64 == 0 for single in kept)
    assert [single.base.nbytes for single in kept] == [len(single) + 64 for single in kept]


def test_a_thread_keeps_one_workspace_from_block_to_block():
    with lend() as first:
        first.take((9,), BYTE)
    with lend() as second:
        assert second is first
        assert second.used == 0
    other = []
    thread = threading.Thread(target=lambda: other.append(lend().__enter__()))
    thread.start()
    thread.join()
    assert other[0] is not first


def test_a_block_inside_another_has_a_workspace_of_its_own():
    with lend() as outer:
        array = outer.take((5,), BYTE)
        array[...] = 7
        with lend() as inner:
            assert inner is not outer
            inner.take((5,), BYTE)[...] = 1
        assert array.tolist() == [7] * 5


def test_a_workspace_is_not_used_again_after_an_error():
    """What was taken from it can live on in the traceback."""
    lent = []

    def fail():
        with lend() as space:
            lent.append(space)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    with lend() as space:
        assert space is not lent[0]
