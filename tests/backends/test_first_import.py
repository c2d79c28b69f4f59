"""A call that interrupts the first import of a backend is right, or a BackendError.

A signal handler or a finalizer can make it. In one process of its own, every backend is
imported again and again, and interrupted at another line each time: a line of mtconv, or of
a small package that mtconv imports in the middle of a call. Large libraries are imported
once, and interrupted at many lines.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PREAMBLE = """
import os, sys
import numpy as np
import mtconv

BACKEND, POINTS, PACKAGE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
convert = np.array
if BACKEND == "jax" and PACKAGE == "mtconv":
    from jax.numpy import asarray as convert
X, KERNEL = (convert(np.array(a, np.float32)) for a in ([1, 2], [1, 10, 100]))
Y = convert(np.array([1, 2, 3, 4, 5], np.float32))
DUE = {
    "conv_transpose": [1, 10, 102, 20, 200],
    "conv": [321, 543],
    "kernel_grad": [7, 10, 13],
    "pool": None,
}
by_name = BACKEND in ("sparse", "numba") or PACKAGE in ("jax", "scipy", "numba")
named = {"backend": BACKEND} if by_name else {}
LARGE = np.zeros((2, 16, 48, 48), np.float32)
LARGE[1, 5, 20, 31] = 3
WIDE = (np.arange(16 * 16 * 16) % 7 - 3).reshape(16, 16, 4, 4).astype(np.float32)

def call(name):
    if name == "pool":  # on threads, for which threadpoolctl is imported
        if PACKAGE != "threadpoolctl":
            return True
        with mtconv.workers(2):
            result = mtconv.conv_transpose(LARGE, WIDE, stride=2)
        part = result[1, :, 40:44, 62:66].copy()
        result[1, :, 40:44, 62:66] = 0
        return (part == 3 * WIDE[5]).all() and not result.any()
    if name == "conv_transpose":
        result = mtconv.conv_transpose(X, KERNEL, stride=2, **named)
    elif name == "conv":
        result = mtconv.conv(Y, KERNEL, stride=2, **named)
    else:
        result = mtconv.kernel_grad(X, Y, kernel_size=(3,), stride=2, **named)
    return np.asarray(result).tolist() == DUE[name]

lines, number, outcomes = 0, 0, []

def nested():
    for name in DUE:
        try:
            outcomes.append("right" if call(name) else "wrong")
        except mtconv.BackendError as error:
            known = "interrupts an import" in str(error)
            outcomes.append("refused" if known else str(error))
        except Exception as error:
            outcomes.append(repr(error))

def report():
    nested()
    if outcomes[-4:] != ["right"] * 4:
        outcomes.append(f"later: {outcomes[-4:]}")
    for outcome in sorted(set(outcomes)):
        print(outcome)
"""

AGAIN_AND_AGAIN = """
ROOT = os.sep + PACKAGE

def fresh():
    global mtconv
    for name in list(sys.modules):
        if name.split(".")[0] in ("mtconv", "platformdirs", "threadpoolctl"):
            del sys.modules[name]
    import mtconv

def trace(frame, event, argument):
    global lines
    # Lines of modules: those that run while they are imported.
    if event == "line" and frame.f_code.co_name == "<module>":
        lines += 1
        if lines == number:
            nested()
    return trace if ROOT in frame.f_code.co_filename else None

def traced():
    global lines
    fresh()
    lines = 0
    sys.settrace(trace)
    try:
        return all(map(call, DUE))
    finally:
        sys.settrace(None)

assert traced()
total = lines
assert total > POINTS
for point in range(POINTS):
    number = 1 + point * (total - 1) // POINTS
    if not traced():
        outcomes.append("the interrupted call is wrong")
    nested()
    if outcomes[-4:] != ["right"] * 4:
        outcomes.append(f"later: {outcomes[-4:]}")
report()
"""

ONCE = """
import importlib
ROOT = os.sep + PACKAGE + os.sep

def trace(frame, event, argument):
    global lines
    if ROOT not in frame.f_code.co_filename or frame.f_code.co_name != "<module>":
        return None
    if event == "line":
        lines += 1
        if lines % POINTS == 0:
            nested()
    return trace

sys.settrace(trace)
importlib.import_module(sys.argv[4])
sys.settrace(None)
assert lines > 5 * POINTS
report()
"""


def outcomes(program, *arguments, **variables):
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "MTCONV_NUMBA": "", "MTCONV_RATES": "", **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def skip_without(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")


@pytest.mark.parametrize(
    ("backend", "points", "package"),
    [
        ("numpy", 25, "mtconv"),
        ("numpy", 6, "platformdirs"),
        ("numpy", 8, "threadpoolctl"),
        ("sparse", 20, "mtconv"),
        ("jax", 12, "mtconv"),
        ("numba", 12, "mtconv"),
    ],
)
def test_a_call_that_interrupts_the_import_is_right_or_refused(backend, points, package):
    skip_without("scipy" if backend == "sparse" else backend)
    skip_without(package)
    seen = outcomes(AGAIN_AND_AGAIN, backend, str(points), package)
    assert "right" in seen
    assert set(seen) <= {"right", "refused"}


STORE = """
from mtconv.backends._numba.cache import digest
from mtconv.planning.rates import SHIPPED, WarmState, rates_file, write_stored
write_stored(rates_file(), WarmState(SHIPPED, digest(), ("float64",)))
"""


@pytest.mark.parametrize(
    ("package", "rates"),
    [("mtconv", ""), ("platformdirs", ""), ("platformdirs", "default")],
)
def test_also_where_rates_of_the_machine_are_stored(package, rates, tmp_path):
    skip_without("platformdirs")
    home = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "MTCONV_RATES": rates}
    subprocess.run([sys.executable, "-c", STORE], check=True, env={**os.environ, **home})
    seen = outcomes(AGAIN_AND_AGAIN, "numpy", "12", package, **home)
    assert "right" in seen
    assert set(seen) <= {"right", "refused"}


@pytest.mark.parametrize(
    ("backend", "package", "module", "lines"),
    [
        ("sparse", "scipy", "scipy.sparse", "400"),
        ("jax", "jax", "jax.numpy", "1500"),
        ("numba", "numba", "numba", "1000"),
    ],
)
def test_a_call_that_interrupts_the_import_of_a_library_is_right_or_refused(
    backend, package, module, lines
):
    skip_without(package)
    seen = outcomes(ONCE, backend, lines, package, module)
    assert set(seen) == {"right", "refused"} or seen == ["right"]
