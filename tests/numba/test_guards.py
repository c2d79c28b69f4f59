"""No kernel reads or writes outside of its arrays, at pages that nobody may touch.

Every array ends, or begins, where a page without any permission begins: one byte too far
ends the process. Results are compared as well, and enumerated and random problems take
every kernel.
"""

import subprocess
import sys

import pytest

pytest.importorskip("numba")
if not sys.platform.startswith("linux"):
    pytest.skip("needs mprotect", allow_module_level=True)

CODE = """
import ctypes, mmap, sys
import numpy as np
from mtconv.backends import _numba
from mtconv.backends._numba import launch
from mtconv.planning import compiled
from mtconv.planning.plan import plan_for_spec
from mtconv.spec import ConvSpec
import mtconv

libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE
kept = []

def guarded(size, dtype, high):
    '''Memory of an array between two pages without permissions, at one of them.'''
    length = -(-size * dtype.itemsize // PAGE) * PAGE
    memory = mmap.mmap(-1, length + 2 * PAGE)
    kept.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (start, start + PAGE + length):
        assert libc.mprotect(ctypes.c_void_p(page), PAGE, 0) == 0
    whole = np.frombuffer(memory, dtype, length // dtype.itemsize, PAGE)
    return whole[len(whole) - size :] if high else whole[:size]

def placed(array, high):
    flat = guarded(array.size, array.dtype, high)
    flat[:] = array.ravel()
    return flat.reshape(array.shape)

class Space:
    '''Scratch memory of exactly the bytes that a kernel asks for.'''
    def __enter__(self): return self
    def __exit__(self, *_): return None
    def address(self, size):
        memory = guarded(-(-size // 64) * 64, np.dtype("u1"), True)
        return memory.__array_interface__["data"][0]

launch.lend = Space
_numba.results.empty = lambda shape, dtype: guarded(
    int(np.prod(shape)), dtype, high
).reshape(shape)
rng = np.random.default_rng(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    rank = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 2, 20]))
    ins, outs = (int(rng.integers(1, 5 if groups > 2 else 30)) for _ in range(2))
    sizes = rng.integers(1, (60, 12, 6)[rank - 1], rank)
    taps, strides = rng.integers(1, 5, rank), rng.integers(1, 6, rank)
    options = dict(
        stride=tuple(strides.tolist()), dilation=tuple(rng.integers(1, 3, rank).tolist()),
        padding=tuple(rng.integers(0, 2, rank).tolist()), groups=groups,
    )
    batch = int(rng.integers(1, 4))
    shapes = (batch, ins * groups, *sizes.tolist()), (ins * groups, outs, *taps.tolist())
    try:
        spec = ConvSpec.from_shapes(*shapes, **options)
    except mtconv.GeometryError:
        continue
    dtype = np.dtype(sys.argv[3])
    x, kernel = (rng.integers(-3, 4, shape).astype(dtype) for shape in shapes)
    y = rng.integers(-3, 4, (shapes[0][0], outs * groups, *spec.big)).astype(dtype)
    expected = spec.conv_transpose(x, kernel), spec.conv(y, kernel), spec.kernel_grad(x, y)
    for high in (False, True):
        a, b, c = (placed(array, high) for array in (x, kernel, y))
        for names in (
            ("lanes", "gradient"), ("rows", "gradient"), ("planes", "gradient_planes"),
            ("columns", "gradient"),
        ):
            _numba.kernels_for = lambda spec, form, *_: names[form == "kernel_grad":][:1]
            plan_for_spec.cache_clear()
            found = (
                spec.conv_transpose(a, b, backend="numba", algorithm="native"),
                spec.conv(c, b, backend="numba", algorithm="native"),
                spec.kernel_grad(a, c, backend="numba", algorithm="native"),
            )
            for ours, theirs in zip(found, expected, strict=True):
                assert (ours == theirs).all(), (names, spec, shapes)
    kept.clear()
print("held")
"""


@pytest.mark.parametrize("dtype", ["float32"])
@pytest.mark.parametrize("seed", [1, 2])
def test_random_problems_stay_within_their_arrays(seed, dtype):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(seed), "15", dtype], capture_output=True, text=True
    )
    assert done.stdout == "held\n", f"exit {done.returncode}: {done.stderr[-2000:]}"


def test_a_page_without_permissions_ends_the_process():
    touch = CODE.split("class Space")[0] + (
        "a = guarded(8, np.dtype('f'), True)\n"
        "ctypes.c_float.from_address(a.__array_interface__['data'][0] + 32).value\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", touch, "1"], capture_output=True, text=True
    )
    assert done.returncode < 0
