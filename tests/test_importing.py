"""Imports in the middle of calls: beside forks, at shutdown, and never in a second call.

Each program runs in a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

# `right()` compares all maps with sums that are worked out by hand.
PREAMBLE = """
import os, sys, threading, time
import numpy as np
import mtconv

BACKEND = sys.argv[1]
X, KERNEL = np.array([1, 2], np.float32), np.array([1, 10, 100], np.float32)
Y = np.array([1, 2, 3, 4, 5], np.float32)
LARGE = np.zeros((2, 16, 48, 48), np.float32)
LARGE[1, 5, 20, 31] = 3
WIDE = (np.arange(16 * 16 * 16) % 7 - 3).reshape(16, 16, 4, 4).astype(np.float32)
named = {"backend": BACKEND, "stride": 2}

def right():
    with mtconv.workers(2):
        result = np.array(mtconv.conv_transpose(LARGE, WIDE, **named))
    part = result[1, :, 40:44, 62:66].copy()
    result[1, :, 40:44, 62:66] = 0
    return bool(
        (part == 3 * WIDE[5]).all() and not result.any()
        and mtconv.conv_transpose(X, KERNEL, **named).tolist() == [1, 10, 102, 20, 200]
        and mtconv.conv(Y, KERNEL, **named).tolist() == [321, 543]
        and mtconv.kernel_grad(X, Y, kernel_size=(3,), **named).tolist() == [7, 10, 13]
    )

def say(text):
    os.write(1, f"{text}\\n".encode())
"""

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

BACKENDS = {"numpy": "numpy", "sparse": "scipy", "numba": "numba", "jax": "jax"}


def run(program, backend="numpy", *arguments):
    """Run a program after the preamble; return the lines that it printed."""
    package = BACKENDS.get(backend, "numpy")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program), backend, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "MTCONV_NUMBA": "", "MTCONV_RATES": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


# A thread makes the first call, and is held in the import of a module for a while.
HELD = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks while threads run

WITHIN, FOR = sys.argv[2], float(sys.argv[3])
inside = threading.Event()

class Holding:
    def find_spec(self, name, path=None, target=None):
        if name == WITHIN and not inside.is_set():
            inside.set()
            time.sleep(FOR)

sys.meta_path.insert(0, Holding())
say_of_thread = []
thread = threading.Thread(target=lambda: say_of_thread.append(right()))
thread.start()
assert inside.wait(60)

def in_child(function):
    child = os.fork()
    if not child:
        import faulthandler
        faulthandler.dump_traceback_later(80, exit=True)
        say(function())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    thread.join()
    say(f"exit {status}, thread {say_of_thread}")
"""


@FORKS
@pytest.mark.parametrize(
    ("backend", "within"),
    [
        ("numpy", "mtconv.backends._numpy.engine"),
        ("numpy", "threadpoolctl"),
        ("numpy", "platformdirs"),
        ("sparse", "scipy.sparse"),
        ("numba", "mtconv.backends._numba.lanes"),
        ("numba", "mtconv.backends._numba.launch"),
    ],
)
def test_a_fork_while_another_thread_is_in_its_first_call_is_right(backend, within):
    if importlib.util.find_spec(within.split(".")[0]) is None:
        pytest.skip(f"needs {within}")
    program = HELD + "if WITHIN == 'platformdirs': named['backend'] = None\n"
    lines = run(program + "in_child(right)", backend, within, "0.3")
    assert lines == ["True", "exit 0, thread [True]"]


@FORKS
def test_a_fork_while_another_thread_asks_for_an_operator_is_right():
    program = """
    def operators():
        return mtconv.Conv([1, 10], input_size=(3,))([1, 2, 3]).tolist() == [21, 32]
    right_maps, right = right, operators
    """
    program = textwrap.dedent(program) + HELD + "in_child(right)"
    lines = run(program, "numpy", "mtconv.operators.pair", "0.3")
    assert lines == ["True", "exit 0, thread [True]"]


@FORKS
def test_a_fork_does_not_wait_for_ever_and_calls_of_the_child_say_why_they_are_refused():
    program = """
    import mtconv.importing
    mtconv.importing.LONGEST_WAIT = 0.05
    def refused():
        try:
            right()
        except mtconv.BackendError as error:
            return error
    in_child(refused)
    """
    program = HELD + textwrap.dedent(program)
    lines = run(program, "numpy", "mtconv.backends._numpy.engine", "1")
    assert lines == [
        "The numpy backend of mtconv is not imported yet, and this process was forked "
        "while another thread imported. Make one call of mtconv with the same kind of "
        "arrays before the fork.",
        "exit 0, thread [True]",
    ]


@FORKS
def test_a_fork_by_the_thread_that_imports_goes_on_in_both_processes():
    program = """
    forked = []
    class Forking:
        def find_spec(self, name, path=None, target=None):
            if name == "mtconv.backends._numpy.engine" and not forked:
                forked.append(os.fork())
    sys.meta_path.insert(0, Forking())
    result = right()
    if not forked[0]:
        say(result)
        os._exit(0)
    os.waitpid(forked[0], 0)
    say(result)
    """
    assert run(program) == ["True", "True"]


@FORKS
def test_many_forks_beside_threads_that_import_are_right():
    # What SciPy imports takes part in forks. Python releases its lock after a fork that had
    # begun before it took part, and writes that this failed; so it is imported before.
    program = """
    import concurrent.futures.thread, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    def first(name):
        mtconv.conv([1, 2, 3], [1, 10], backend=name)
    threads = [threading.Thread(target=first, args=(n,)) for n in ("numpy", "sparse")]
    for thread in threads:
        thread.start()
    for number in range(12):
        time.sleep(0.002 * (number % 4))
        child = os.fork()
        if not child:
            import faulthandler
            faulthandler.dump_traceback_later(30, exit=True)
            os._exit(0 if right() else 3)
        if os.waitpid(child, 0)[1]:
            say("wrong")
    for thread in threads:
        thread.join()
    say("end")
    """
    assert run(program, "sparse") == ["end"]


# From here on import statements of mtconv, and imports of anything by it, end the call.
WITHOUT_IMPORTS = """
import builtins, importlib
real = builtins.__import__

def refuse(name, globals=None, *rest):
    own = globals and globals.get("__name__", "").split(".")[0] == "mtconv"
    if own and not name.startswith("numpy._core"):  # by which NumPy names dtypes
        raise AssertionError(f"{globals['__name__']} imports {name}")
    return real(name, globals, *rest)

builtins.__import__ = refuse
def refuse_module(name, *rest):
    raise AssertionError(f"imports {name}")
import mtconv.importing
importlib.import_module = mtconv.importing.import_module = refuse_module
"""


@pytest.mark.parametrize("backend", [*BACKENDS, "auto"])
def test_a_second_call_imports_nothing(backend):
    program = "if BACKEND == 'auto': named['backend'] = None\nassert right()\n"
    program += WITHOUT_IMPORTS + "say(right())"
    assert run(program, backend) == ["True"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_calls_of_operators_and_streams_import_nothing(backend):
    program = """
    from mtconv.streaming import ConvStream, residual
    wide = np.ones((2, 2, 3), np.float32)
    def all_of_them():
        A = mtconv.Conv(wide, input_size=5, backend=BACKEND)
        B = A.T @ A + A.T @ A
        stream = residual(ConvStream(wide, padding=1, backend=BACKEND))
        state, output = stream.step(stream.start(1), np.ones((1, 2, 4), np.float32))
        stream.flush(state)
        return [np.asarray(a).sum().item() for a in (B(np.ones((2, 5))), output)]
    first = all_of_them()
    """
    program = textwrap.dedent(program) + WITHOUT_IMPORTS
    program += "say((all_of_them() == first, first))"
    # Rows of A add 6 ones, both times, and read the 5 cells 1, 2, 3, 2 and 1 times.
    assert run(program, backend) == ["(True, [432.0, 38.0])"]


AT_THE_END = """
class Last:
    # All it needs is its own: the names of modules are gone.
    def __init__(self, *arrays, **options):
        maps = mtconv.conv_transpose, mtconv.BackendError
        self.parts = (*maps, arrays, options, os.write, str, np.ndarray.tolist)
        self.itself = self
    def __del__(self):
        call, refusal, arrays, options, write, text, tolist = self.parts
        try:
            result = text(tolist(call(*arrays, **options)))
        except refusal as error:
            result = text(error)
        write(1, (result + "\\n").encode())
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_call_at_shutdown_is_right_unless_its_library_imports(backend):
    program = AT_THE_END + "right()\nlast = Last(X, KERNEL, **named)\n"
    program += "sys.modules['other'] = type(sys)('other')\n"
    program += "sys.modules['other'].last = Last(X, KERNEL, **named)\n"
    expected = "[1.0, 10.0, 102.0, 20.0, 200.0]"
    if backend in ("sparse", "jax"):
        expected = (
            f"What the {backend} backend of mtconv needs cannot be imported while Python "
            "is shutting down."
        )
    assert set(run(program, backend)) == {expected}


@pytest.mark.parametrize("before", ["nothing", "numpy"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_first_call_at_shutdown_says_that_nothing_is_imported(backend, before):
    if backend == before:
        pytest.skip("that is a second call")
    program = AT_THE_END + f"if {before == 'numpy'}: mtconv.conv([1, 2], [1])\n"
    program += "last = Last(X, KERNEL, **named)\n"
    assert run(program, backend) == [
        f"The {backend} backend of mtconv cannot be imported while Python is shutting "
        "down. Make one call of mtconv with the same kind of arrays before."
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_first_call_in_an_exit_function_is_right_or_says_so(backend):
    # There modules can be imported, but not those that need new threads.
    program = """
    import atexit
    def first():
        try:
            say(right())
        except mtconv.BackendError as error:
            say(error)
    atexit.register(first)
    """
    refusal = (
        f"The {backend} backend of mtconv cannot be imported while Python is shutting "
        "down. Make one call of mtconv with the same kind of arrays before."
    )
    assert run(program, backend) in (["True"], [refusal])


def test_a_call_for_which_numba_cannot_be_imported_any_more_is_made_by_numpy():
    # The backend is there, since NumPy had made its first call, of complex numbers.
    program = AT_THE_END + "mtconv.conv([1j, 2], [1], backend='numba')\n"
    program += "assert 'numba' not in sys.modules\nlast = Last(X, KERNEL, **named)\n"
    assert run(program, "numba") == ["[1.0, 10.0, 102.0, 20.0, 200.0]"]
