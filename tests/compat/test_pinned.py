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


def test_missing_results_name_the_command_that_writes_them():
    with pytest.raises(FileNotFoundError) as refusal:
        next(pinned("toy"))
    assert str(refusal.value) == (
        "no pinned results of toy: run `python -m tests.compat.make_pins toy` where toy is "
        "installed"
    )


@pytest.fixture
def script(monkeypatch):
    """The script that writes results, without a variable that it sets for keras."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    from tests.compat import make_pins

    return make_pins


def test_results_of_an_absent_framework_are_not_written(script, monkeypatch):
    monkeypatch.setattr(script, "why_not", lambda _: "ModuleNotFoundError: No module")
    with pytest.raises(SystemExit) as ended:
        script.main(["haiku"])
    assert ended.value.code == (
        "haiku cannot be imported (ModuleNotFoundError: No module); install it: python -m "
        "pip install dm-haiku jax"
    )
    with pytest.raises(SystemExit, match="toy must be one of torch, jax, "):
        script.main(["toy"])


def test_the_script_ends_where_a_framework_refuses_every_call(script, monkeypatch):
    def refuse(name, drawn):
        msg = f"{name} takes no {type(drawn).__name__}"
        raise RuntimeError(msg)

    monkeypatch.setattr(script, "why_not", lambda _: None)
    monkeypatch.setattr(script, "run", refuse)
    monkeypatch.setattr(script, "TRIES", 5)
    with pytest.raises(SystemExit) as ended:
        script.main(["torch"])
    assert ended.value.code == (
        "torch took 0 of 5 calls; the last refusal: RuntimeError: torch takes no Drawn"
    )


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
