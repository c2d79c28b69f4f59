"""What must work without any extra, with and without threadpoolctl; for `nox -s bare`.

Not collected by pytest, which is absent there: a plain script that fails by assertion.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

import mtconv

ABSENT = ("jax", "scipy", "hypothesis", "matplotlib", "torch", "pytest")


def check_environment() -> None:
    """The package is the installed one, and no optional library is there to help."""
    assert Path(mtconv.__file__).is_relative_to(sys.prefix), mtconv.__file__
    present = [name for name in ABSENT if importlib.util.find_spec(name)]
    assert not present, present


def check_values() -> None:
    """The three maps have the values worked out by hand."""
    x = [[0, 1], [2, 3]]
    y = mtconv.conv_transpose(x, x)
    assert y.tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]], y
    assert mtconv.conv(y, x).tolist() == [[12, 27], [48, 57]]
    assert mtconv.kernel_grad(x, y, kernel_size=(2, 2)).tolist() == [[12, 27], [48, 57]]


def check_algorithms() -> None:
    """Every NumPy algorithm gives the adjoint: <conv(y), x> == <y, conv_transpose(x)>."""
    rng = np.random.default_rng(0)
    kernel = rng.integers(-4, 5, (2, 3, 4, 3)).astype(np.float64)
    x = rng.integers(-4, 5, (5, 2, 6, 7)).astype(np.float64)
    options = {"stride": (3, 2), "padding": ((1, 2), (0, 1))}
    y = rng.integers(-4, 5, mtconv.conv_transpose_shape(x.shape, kernel.shape, **options))
    for algorithm in ("gemm", "polyphase", "direct", "fft"):
        there = np.vdot(mtconv.conv(y, kernel, algorithm=algorithm, **options), x)
        back = np.vdot(y, mtconv.conv_transpose(x, kernel, algorithm=algorithm, **options))
        assert round(there) == round(back) != 0, (algorithm, there, back)


def check_missing_backend() -> None:
    """Asking for a backend that is not installed says how to install it."""
    text = ""
    try:
        mtconv.conv_transpose([1], [1], backend="jax")
    except ImportError as error:
        text = str(error)
    assert "pip install 'mtconv[jax]'" in text, text


THREADS = """
import sys
import numpy as np, mtconv
if "--without" in sys.argv:
    sys.modules["threadpoolctl"] = None  # an import of it fails, as where it is absent
x = np.arange(2 * 64 * 64 * 64).reshape(2, 64, 64, 64) % 7 - 3.0
kernel = np.arange(64 * 64 * 4 * 4).reshape(64, 64, 4, 4) % 5 - 2.0
assert sys.modules.get("threadpoolctl") is None
with mtconv.workers(2):
    y = mtconv.conv_transpose(x, kernel, stride=2)
print(sys.modules.get("threadpoolctl") is not None, int((y * y).sum()))
"""


def check_threads() -> None:
    """A call on a pool imports threadpoolctl; without it the values are the same."""
    printed = []
    for flags in ([], ["--without"]):
        command = [sys.executable, "-P", "-c", THREADS, *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        printed.append(done.stdout.split())
    assert [loaded for loaded, _ in printed] == ["True", "False"], printed
    assert printed[0][1] == printed[1][1] != "0", printed


def check_command() -> None:
    """The command runs."""
    command = [sys.executable, "-m", "mtconv"]
    shape = [*command, "shape", "1,1,2,2", "1,1,2,2", "--stride", "2"]
    done = subprocess.run(shape, capture_output=True, text=True, check=True)
    assert "(1, 1, 4, 4)" in done.stdout, done.stdout


if __name__ == "__main__":
    checks = (check_environment, check_values, check_algorithms, check_missing_backend)
    for check in (*checks, check_threads, check_command):
        check()
    print(f"mtconv {mtconv.__version__} with NumPy {np.__version__}: all checks passed")
