"""Every framework's calls give what the framework gave, without the framework."""

import pytest

from tests.compat.draws import DRAWS
from tests.compat.pins import ours, pinned


@pytest.mark.parametrize("name", DRAWS)
def test_a_call_gives_what_its_framework_gave(name, backend, same):
    calls = list(pinned(name))
    # Each shape is compiled anew on JAX, so it takes its turn with every fourth call.
    for drawn, result in calls[:: 4 if backend == "jax" else 1]:
        same(ours(drawn, backend), result)


def test_an_algorithm_can_be_named(same):
    for drawn, result in pinned("torch"):
        same(ours(drawn, "numpy", algorithm="direct"), result)
