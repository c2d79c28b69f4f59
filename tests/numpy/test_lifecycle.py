"""Calls at the ends of a process: at exit, after the main thread, in forks, without pools.

Each runs in a process of its own, and its problem is large enough for threads. An impulse
at one cell of x gives the kernel there, so that results are known.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

# `right()` makes a call that uses the pool of threads, and compares every element.
PREAMBLE = """
import atexit, gc, os, sys, threading, time
import numpy as np

X = np.zeros((2, 16, 80, 80), np.float32)
X[1, 5, 20, 31] = 3
KERNEL = (np.arange(16 * 16 * 16) % 7 - 3).reshape(16, 16, 4, 4).astype(np.float32)
DUE = np.zeros((2, 16, 162, 162), np.float32)
DUE[1, :, 40:44, 62:66] = 3 * KERNEL[5]

def right():
    import mtconv
    with mtconv.workers(2):
        return all(
            np.array_equal(mtconv.conv_transpose(X, KERNEL, stride=2, algorithm=name), DUE)
            for name in ("auto", "gemm", "polyphase")
        )

def report(name, result=None):
    text = f"{name} {right() if result is None else result}"
    os.write(1, (text + chr(10)).encode())
"""

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def run(program, timeout=100):
    """Run a program after the preamble; return the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_calls_at_exit_are_right_before_and_after_the_import():
    program = """
    atexit.register(report, "registered before the import")
    import mtconv
    atexit.register(report, "registered before the first call")
    report("first")
    atexit.register(report, "registered after the first call")
    """
    assert run(program) == [
        "first True",
        "registered after the first call True",
        "registered before the first call True",
        "registered before the import True",
    ]


@pytest.mark.parametrize("imports", ["import mtconv", ""])
def test_the_first_call_may_be_made_at_exit(imports):
    program = f"""
    {imports}
    atexit.register(report, "at exit")
    """
    assert run(program) == ["at exit True"]


@pytest.mark.parametrize("first", ["", "report('first')"], ids=["cold", "warm"])
def test_a_thread_that_goes_on_after_the_main_thread_is_right(first):
    program = f"""
    import mtconv
    {first}
    def work():
        threading.main_thread().join()
        for _ in range(3):
            report("after")
    threading.Thread(target=work).start()
    """
    lines = run(program)
    assert lines[-3:] == ["after True"] * 3


def test_two_threads_after_the_main_thread_are_right():
    program = """
    report("first")
    def work():
        threading.main_thread().join()
        for _ in range(3):
            report("after")
    for _ in range(2):
        threading.Thread(target=work).start()
    """
    assert run(program) == ["first True"] + ["after True"] * 6


@pytest.mark.parametrize(
    "first", ["mtconv.conv(X[0, :, :4, :4], KERNEL)", "right()"], ids=["no pool", "pool"]
)
def test_a_finalizer_at_the_end_of_the_interpreter_is_right(first):
    program = f"""
    import mtconv
    {first}
    class Last:
        # All it needs is its own: the names of modules are gone.
        def __init__(self, function, array):
            self.parts = (function, array, KERNEL, DUE.tobytes(), os.write)
            self.itself = self
        def __del__(self):
            call, x, kernel, due, write = self.parts
            result = call(x, kernel, stride=2)
            write(1, b"right" if result.tobytes() == due else b"wrong")
            write(1, bytes([10]))
    last = Last(mtconv.conv_transpose, X)
    sys.modules["other"] = type(sys)("other")
    sys.modules["other"].last = Last(mtconv.conv_transpose, X)
    """
    assert run(program) == ["right", "right"]


def test_the_first_call_of_all_in_a_finalizer_at_shutdown_is_refused_with_its_reason():
    # Python imports nothing any more then, so the backend cannot be had.
    program = """
    import mtconv
    class Last:
        def __init__(self):
            self.parts = (mtconv.conv_transpose, mtconv.BackendError, os.write)
            self.itself = self
        def __del__(self):
            call, refusal, write = self.parts
            try:
                call([1, 2], [1, 10], stride=2)
            except refusal as error:
                write(1, f"{error}\\n".encode())
    last = Last()
    """
    assert run(program) == [
        "The numpy backend of mtconv cannot be imported while Python is shutting down. "
        "Make one call of mtconv with the same kind of arrays before."
    ]


def test_a_thread_that_computes_when_the_process_ends_does_not_hold_it_up():
    program = """
    report("first")
    def work():
        while True:
            right()
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
    atexit.register(report, "at exit")
    """
    assert run(program) == ["first True", "at exit True"]


@pytest.mark.parametrize(
    "refusal",
    [
        "threading.Thread.start = refuse",
        "threading._start_new_thread = refuse",
        "import _thread; threading._start_new_thread = _thread.start_new_thread = refuse",
    ],
)
@pytest.mark.parametrize("first", ["", "import mtconv"], ids=["before", "after"])
def test_where_no_thread_can_be_started_calls_are_right(refusal, first):
    program = f"""
    {first}
    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")
    {refusal}
    report("first")
    report("second")
    """
    assert run(program) == ["first True", "second True"]


def test_a_pool_that_cannot_grow_is_right():
    program = """
    import mtconv
    report("first")
    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")
    real, threading.Thread.start = threading.Thread.start, refuse
    x, due = np.concatenate([X, X, X]), np.concatenate([DUE, DUE, DUE])
    with mtconv.workers(6):
        for _ in range(3):
            result = mtconv.conv_transpose(x, KERNEL, stride=2)
            report("refused", np.array_equal(result, due))
    threading.Thread.start = real
    report("later")
    """
    assert run(program) == ["first True", *["refused True"] * 3, "later True"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_where_the_system_refuses_threads_calls_are_right():
    program = """
    import resource
    import mtconv
    np.dot(np.ones((300, 300)), np.ones((300, 300)))
    # The address space is used up by the stacks that threads would need.
    threading.stack_size(2**34)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
    try:
        threading.Thread(target=int).start()
    except RuntimeError as error:
        print(error, flush=True)
    report("first")
    report("second")
    """
    assert run(program) == ["can't start new thread", "first True", "second True"]


# Python warns of a fork while threads run from 3.12 on.
FORKING = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
"""


def forking(program):
    """Join programs, each of its own indentation."""
    return FORKING + textwrap.dedent(program)


@FORKS
@pytest.mark.parametrize("size", [40, 80])  # for one thread; for several
def test_a_fork_while_other_threads_compute_is_right(size):
    program = f"SIZE = {size}" + forking("""
    X, DUE = X[..., :SIZE, :SIZE], DUE[..., : 2 * SIZE + 2, : 2 * SIZE + 2]
    report("first")
    stop = threading.Event()
    def work():
        while not stop.is_set():
            right()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(20):
        time.sleep(0.002 * (number % 5))
        child = os.fork()
        if not child:
            import faulthandler
            faulthandler.dump_traceback_later(20, exit=True)
            os._exit(0 if right() else 3)
        _, status = os.waitpid(child, 0)
        if status:
            report("child", os.waitstatus_to_exitcode(status))
    stop.set()
    for thread in threads:
        thread.join()
    report("last")
    """)
    assert run(program) == ["first True", "last True"]


@FORKS
def test_a_fork_within_a_call_is_right():
    program = forking("""
    report("first")
    class Index:
        def __index__(self):
            child = os.fork()
            if not child:
                os._exit(0 if right() else 3)
            _, status = os.waitpid(child, 0)
            report("child", status == 0)
            return 2
    import mtconv
    result = mtconv.conv_transpose(X, KERNEL, stride=Index())
    report("parent", np.array_equal(result, DUE))
    """)
    lines = run(program)
    assert lines[0] == "first True"
    assert lines[-1] == "parent True"
    assert set(lines[1:-1]) == {"child True"}


WORKER = """
import os
import numpy as np
import mtconv

def due(number):
    kernel = (np.arange(16 * 16 * 16) % 7 - 3).reshape(16, 16, 4, 4).astype(np.float32)
    x = np.zeros((2, 16, 80, 80), np.float32)
    x[1, 5, 20, 31] = number
    result = np.zeros((2, 16, 162, 162), np.float32)
    result[1, :, 40:44, 62:66] = number * kernel[5]
    return x, kernel, result

def right(number):
    x, kernel, result = due(number)
    with mtconv.workers(2):
        return bool(np.array_equal(mtconv.conv_transpose(x, kernel, stride=2), result))

if __name__ == "__main__":
    import sys, warnings
    from multiprocessing import get_context
    warnings.simplefilter("ignore", DeprecationWarning)
    assert right(1)
    context = get_context(sys.argv[1])
    with context.Pool(2) as pool:
        print(pool.map(right, range(8)))
    process = context.Process(target=right, args=(3,))
    process.start()
    process.join()
    print(process.exitcode)
    assert right(2)
"""


@FORKS
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_are_right(method, tmp_path):
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    folder = os.pathsep.join(part for part in (os.getcwd(), *sys.path) if part)  # noqa: PTH109
    done = subprocess.run(
        [sys.executable, str(path), method],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", folder)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == [str([True] * 8), "0", ""]
