"""Scratch memory: a stack of aligned arrays, and kernels that are packed once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mtconv.backends._numpy.workspace import KEPT_BYTES, Workspace, _aligned, workspace

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


def test_memory_is_allocated_by_the_first_array_only():
    space = Workspace()
    assert space._buffer.size == 0
    first = space.take((0,), BYTE)
    assert space._buffer.size == KEPT_BYTES
    assert address(space.take((3,), BYTE)) == address(first)


def test_aligned_memory_has_its_size():
    kept = [_aligned(size) for size in (*range(1, 200), 1000)]
    assert [len(one) for one in kept] == [*range(1, 200), 1000]
    assert all(address(one) % 64 == 0 for one in kept)
    assert [one.base.nbytes for one in kept] == [len(one) + 64 for one in kept]


def packed(space, key, shape=(2,), dtype="float32"):
    """Ask for an array of ones; say how often that filled it."""
    filled = []

    def fill(array):
        filled.append(array)
        array[...] = 1

    found = space.packed((key,), shape, np.dtype(dtype), fill)
    assert found.shape == shape
    assert found.dtype == dtype
    assert (found == 1).all()
    return len(filled)


def test_without_packs_an_array_is_of_the_workspace_and_filled_each_time():
    space = Workspace()
    assert packed(space, "a") == 1
    assert space.used == 8
    assert packed(space, "a") == 1


def test_packs_keep_an_array_for_its_key_shape_dtype_and_scope():
    space = Workspace()
    space.packs = {}
    assert packed(space, "a") == 1
    assert packed(space, "a") == 0
    assert packed(space, "b") == 1
    assert packed(space, "a", (1, 2)) == 1
    assert packed(space, "a", dtype="float64") == 1
    space.scope = (0, 1)
    assert packed(space, "a") == 1
    assert packed(space, "a") == 0
    space.scope = (1, 0)
    assert packed(space, "a") == 1
    space.scope = ()
    assert packed(space, "a") == 0
    assert len(space.packs) == 6
    assert space.used == 0


def test_every_thread_has_one_workspace():
    mine = workspace()
    assert workspace() is mine
    others = []
    thread = threading.Thread(target=lambda: others.extend([workspace(), workspace()]))
    thread.start()
    thread.join()
    assert others[0] is others[1]
    assert others[0] is not mine
