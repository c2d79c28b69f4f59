"""Every framework's calls give what the framework gave, without the framework."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compat.draws import DRAWS
from tests.compat.pins import ours, pinned


@pytest.mark.parametrize("name", DRAWS)
def test_a_call_gives_what_its_framework_gave(name, backend, same):
    calls = list(pinned(name))
    # Each shape is compiled anew on JAX, so it takes its turn with every fourth call.
    for drawn, result in calls[:: 4 if backend == "jax" else 1]:
        same(ours(drawn, backend), result)


@pytest.mark.parametrize("name", DRAWS)
def test_arrays_of_the_standard_and_nothing_more_will_do(name, same):
    """array-api-strict has no methods but the standard's: no transpose, no reshape."""
    strict = pytest.importorskip("array_api_strict")
    for drawn, result in list(pinned(name))[::4]:
        arrays = {key: strict.asarray(value) for key, value in drawn.arrays.items()}
        passed = ours(replace(drawn, arrays=arrays))
        same(passed, result)


def test_an_algorithm_can_be_named(same):
    for drawn, result in pinned("torch"):
        same(ours(drawn, "numpy", algorithm="direct"), result)


def test_no_framework_is_imported():
    """Calls of every framework, in a new process, load NumPy and nothing of theirs."""
    code = """
import sys
from tests.compat.pins import ours, pinned
from tests.compat.draws import DRAWS
for name in DRAWS:
    ours(next(pinned(name))[0])
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {*done.stdout.split()}
    assert {"numpy", "mtconv"} <= loaded
    assert not loaded & {"torch", "jax", "flax", "haiku", "equinox", "keras", "tensorflow"}
    assert not loaded & {"onnx", "onnxruntime", "tinygrad", "mlx", "scipy"}
