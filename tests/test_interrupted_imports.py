"""Ctrl-C in the first call of a backend: later calls are right, or say what to do.

Each program runs in a process of its own, and is interrupted in the import of one module.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import signal, sys, warnings
import numpy as np
import mtconv

BACKEND, WITHIN = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs may ignore it

class Interrupting:
    done = False
    def find_spec(self, name, path=None, target=None):
        if name == WITHIN and not self.done:
            self.done = True
            signal.raise_signal(signal.SIGINT)

def call():
    x, kernel = np.float32([1, 2]), np.float32([1, 10, 100])
    return mtconv.conv_transpose(x, kernel, stride=2, backend=BACKEND)

sys.meta_path.insert(0, Interrupting())
try:
    call()
except KeyboardInterrupt:
    print("interrupted")
except mtconv.BackendError:
    print("refused")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        try:
            print(np.asarray(call()).tolist() == [1, 10, 102, 20, 200])
        except mtconv.BackendError as error:
            print(f"BackendError: {error}")
for warning in caught:
    if "mtconv" in str(warning.message):
        print(f"{warning.category.__name__}: {warning.message}")
"""


def run(backend, within, before=""):
    """Run the program; return the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(PROGRAM), backend, within],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def broken(package):
    return (
        f"cannot be imported: an earlier import of {package} in this process was broken "
        "off, by Ctrl-C or an error, and left parts of it behind. Restart the process. If "
        f"it happens there too, `import {package}` says why."
    )


def test_a_broken_import_of_jax_cannot_be_repeated():
    pytest.importorskip("jax")
    text = f"BackendError: The jax backend of mtconv {broken('jax')}"
    assert run("jax", "jax.numpy") == ["interrupted", text, text, text]


def test_an_import_that_the_caller_has_broken_off_is_known():
    pytest.importorskip("jax")
    before = textwrap.dedent("""
        import sys

        class Failing:
            def find_spec(self, name, path=None, target=None):
                if name == "jax._src.lax.lax":
                    raise RuntimeError

        sys.meta_path.insert(0, Failing())
        try:
            import jax
        except RuntimeError:
            sys.meta_path.pop(0)
    """)
    text = f"BackendError: The jax backend of mtconv {broken('jax')}"
    assert run("jax", "nothing", before) == ["refused", *[text] * 3]


def test_jax_is_imported_where_nothing_of_it_is_half_there():
    pytest.importorskip("jax")
    assert run("jax", "mtconv.backends._jax.primitives") == [
        "interrupted",
        "True",
        "True",
        "True",
    ]


def test_numpy_computes_where_numba_was_broken_off():
    # Not imported here: a NumPy that is too new for it makes that an error.
    if importlib.util.find_spec("numba") is None:
        pytest.skip("needs numba")
    lines = run("numba", "numba.core.types")
    assert lines[:4] == ["interrupted", "True", "True", "True"]
    assert lines[4:] == [
        "RuntimeWarning: mtconv leaves numba aside: ImportBroken: The compiled kernels of "
        f"mtconv {broken('numba')}"
    ]


@pytest.mark.parametrize(
    "within", ["mtconv.backends._numba.launch", "numba.core.typing.cffi_utils"]
)
def test_compiled_kernels_are_imported_again(within):
    if importlib.util.find_spec("numba") is None:
        pytest.skip("needs numba")
    assert run("numba", within) == ["interrupted", "True", "True", "True"]


def test_scipy_is_imported_again_or_refused():
    pytest.importorskip("scipy")
    first, *later = run("sparse", "scipy.sparse._csr")
    assert first == "interrupted"
    text = f"BackendError: The sparse backend of mtconv {broken('scipy')}"
    assert later in (["True"] * 3, [text] * 3)
