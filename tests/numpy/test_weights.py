"""Packed forms of a kernel: made once, and only ever found beside the kernel itself."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv.backends.host.memory import LimitedPacks, Weights, Workspace

FLOAT = np.dtype(np.float32)


def pack(weights, form, shape=(2,), dtype=FLOAT):
    """Pack a kernel as its sum; return the packed form and how often that was computed."""
    filled = []

    def fill(array):
        filled.append(array)
        array[...] = weights.array.sum()

    packed = weights.packed((form,), shape, np.dtype(dtype), Workspace(), fill)
    assert packed.shape == shape
    assert packed.dtype == dtype
    assert (packed == weights.array.sum()).all()
    return len(filled)


def test_without_packs_a_form_is_made_each_time():
    weights = Weights(np.ones(3))
    assert [pack(weights, "a"), pack(weights, "a")] == [1, 1]


def test_a_form_is_kept_for_its_part_shape_and_dtype():
    packs = {}
    weights = Weights(np.ones(3), packs, (0, 1))
    assert [pack(weights, "a"), pack(weights, "a"), pack(weights, "b")] == [1, 0, 1]
    assert [pack(weights, "a", (1, 2)), pack(weights, "a", dtype="float64")] == [1, 1]
    part = Weights(np.full(3, 5.0), packs, (1, 0))
    assert [pack(part, "a"), pack(part, "a"), pack(weights, "a")] == [1, 0, 0]
    assert len(packs) == 5


def test_a_call_keeps_as_many_bytes_as_it_may():
    """Two forms of 8 bytes are kept, the third is made anew, and one of 4 fits again."""
    packs = LimitedPacks(20)
    weights = Weights(np.ones(3), packs)
    assert [pack(weights, name) for name in "ababcc"] == [1, 1, 0, 0, 1, 1]
    assert [pack(weights, "d", (1,)), pack(weights, "d", (1,))] == [1, 0]
    assert sum(form.nbytes for form in packs.values()) == 20


def test_a_form_that_was_not_filled_to_its_end_is_not_kept():
    packs = {}
    weights = Weights(np.ones(3), packs)

    def fail(array):
        array[0] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.packed(("a",), (2,), FLOAT, Workspace(), fail)
    assert packs == {}
    assert pack(weights, "a") == 1
