"""The record that kernels read: a number for each name, and zero for what has none."""

import numpy as np
import pytest

from mtconv.backends._numba.facts import (
    FACTS,
    PACK,
    PACK_AND_LOOK,
    PACKED,
    make_facts,
)


def test_a_record_has_what_is_named_and_else_zeros():
    facts = make_facts(in_steps=(5, 6, 7, 8, 9), block=[2, 3, 4], tasks=11, ins=12)
    assert facts.shape == (1,)
    numbers = dict(zip(FACTS.names, facts[0].tolist(), strict=True))
    named = {name: number for name, number in numbers.items() if number}
    steps = {f"in_steps{axis}": 5 + axis for axis in range(5)}
    block = {"block0": 2, "block1": 3, "block2": 4}
    assert named == {**steps, **block, "tasks": 11, "ins": 12}


@pytest.mark.parametrize("name", ["in_steps", "out_steps"])
def test_arrays_have_steps_of_batch_channels_and_three_axes(name):
    assert [f"{name}{axis}" in FACTS.names for axis in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(
    "name", ["in_size", "out_size", "units", "in_step", "out_step", "start"]
)
def test_every_axis_has_its_numbers(name):
    assert [f"{name}{axis}" in FACTS.names for axis in range(4)] == [True] * 3 + [False]


def test_fields_are_integers_one_after_another():
    offsets = [FACTS.fields[name][1] for name in FACTS.names]
    assert {FACTS.fields[name][0] for name in FACTS.names} == {np.dtype(np.int64)}
    assert offsets == list(range(0, 8 * len(offsets), 8))


def test_names_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="no field of name task"):
        make_facts(task=1)


def test_to_use_to_pack_and_to_look_are_told_apart():
    assert len({PACKED, PACK, PACK_AND_LOOK}) == 3
