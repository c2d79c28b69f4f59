"""A call that interrupts the first import of a backend is right, or a BackendError.

A signal handler or a finalizer can make it. In one process of its own, every backend is
imported again and again, and interrupted at another line each time.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
import numpy as np
import mtconv

ROOT = os.path.dirname(mtconv.__file__) + os.sep
BACKEND, POINTS = sys.argv[1], int(sys.argv[2])
convert = np.array
if BACKEND == "jax":
    from jax.numpy import asarray as convert
X, KERNEL = (convert(np.array(a, np.float32)) for a in ([1, 2], [1, 10, 100]))
Y = convert(np.array([1, 2, 3, 4, 5], np.float32))
DUE = {
    "conv_transpose": [1, 10, 102, 20, 200],
    "conv": [321, 543],
    "kernel_grad": [7, 10, 13],
}
named = {"backend": "sparse"} if BACKEND == "sparse" else {}

def call(name):
    if name == "conv_transpose":
        result = mtconv.conv_transpose(X, KERNEL, stride=2, **named)
    elif name == "conv":
        result = mtconv.conv(Y, KERNEL, stride=2, **named)
    else:
        result = mtconv.kernel_grad(X, Y, kernel_size=(3,), stride=2, **named)
    return np.asarray(result).tolist() == DUE[name]

def fresh():
    global mtconv
    for name in [name for name in sys.modules if name.split(".")[0] == "mtconv"]:
        del sys.modules[name]
    import mtconv

lines, number, outcomes = 0, 0, []

def nested():
    for name in DUE:
        try:
            outcomes.append("right" if call(name) else "wrong")
        except mtconv.BackendError as error:
            known = "is being imported" in str(error)
            outcomes.append("refused" if known else str(error))
        except Exception as error:
            outcomes.append(repr(error))

def trace(frame, event, argument):
    global lines
    name = frame.f_code.co_filename
    # Lines of modules: those that run while they are imported.
    if event == "line" and frame.f_code.co_name == "<module>":
        lines += 1
        if lines == number:
            nested()
    return trace if name.startswith(ROOT) else None

def traced():
    global lines
    fresh()
    lines = 0
    sys.settrace(trace)
    try:
        return call("conv_transpose")
    finally:
        sys.settrace(None)

assert traced()
total = lines
for point in range(POINTS):
    number = 1 + point * (total - 1) // POINTS
    if not traced():
        outcomes.append("the interrupted call is wrong")
    nested()
    if outcomes[-3:] != ["right"] * 3:
        outcomes.append(f"later: {outcomes[-3:]}")
for outcome in sorted(set(outcomes)):
    print(outcome)
"""


@pytest.mark.parametrize(
    ("backend", "package"), [("numpy", "numpy"), ("sparse", "scipy"), ("jax", "jax")]
)
def test_a_call_that_interrupts_the_import_is_right_or_refused(backend, package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    points = "12" if backend == "jax" else "30"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, backend, points],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    outcomes = done.stdout.split("\n")[:-1]
    assert "right" in outcomes
    assert set(outcomes) <= {"right", "refused"}
