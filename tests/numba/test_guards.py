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
from itertools import islice, product
import numpy as np
from mtconv.backends import _numba
from mtconv.backends._numba import launch
from mtconv.planning.plan import plan_for_spec
from mtconv.geometry import Axis
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
KERNELS = (
    ("lanes", "gradient"), ("rows", "gradient"), ("planes", "gradient_planes"),
    ("columns", "gradient"),
)

def check(spec, batch, dtype, rng):
    '''Compare all maps by every kernel, at both ends of pages, with NumPy's.'''
    global high
    small = (batch, spec.small_channels, *spec.small)
    big = (batch, spec.big_channels, *spec.big)
    shapes = (small, spec.kernel_shape, big)
    x, kernel, y = (rng.integers(-3, 4, shape).astype(dtype) for shape in shapes)
    expected = spec.conv_transpose(x, kernel), spec.conv(y, kernel), spec.kernel_grad(x, y)
    for high in (False, True):
        a, b, c = (placed(array, high) for array in (x, kernel, y))
        for names in KERNELS:
            _numba.kernels_for = lambda spec, form, *_: names[form == "kernel_grad":][:1]
            plan_for_spec.cache_clear()
            results = (
                spec.conv_transpose(a, b, backend="numba", algorithm="native"),
                spec.conv(c, b, backend="numba", algorithm="native"),
                spec.kernel_grad(a, c, backend="numba", algorithm="native"),
            )
            for ours, theirs in zip(results, expected, strict=True):
                assert (ours == theirs).all(), (names, spec, batch)
    kept.clear()

def random_problems(rng):
    while True:
        rank = int(rng.integers(1, 4))
        groups = int(rng.choice([1, 1, 2, 20]))
        ins, outs = (int(rng.integers(1, 5 if groups > 2 else 30)) for _ in range(2))
        sizes = rng.integers(1, (60, 12, 6)[rank - 1], rank)
        taps, strides = rng.integers(1, 5, rank), rng.integers(1, 6, rank)
        options = dict(
            stride=tuple(strides.tolist()), groups=groups,
            dilation=tuple(rng.integers(1, 3, rank).tolist()),
            padding=tuple(rng.integers(0, 4, rank).tolist()),
        )
        batch = int(rng.integers(1, 4))
        shapes = (
            (batch, ins * groups, *sizes.tolist()), (ins * groups, outs, *taps.tolist())
        )
        try:
            yield ConvSpec.from_shapes(*shapes, **options), batch
        except mtconv.GeometryError:
            continue

def enumerated_problems(first, step):
    '''Every so many of all small relations, on an axis of its own or beside another.'''
    cases = product(range(1, 5), range(1, 5), range(1, 5), range(1, 4))
    relations = [
        Axis(n, big, k, stride, dilation, lo)
        for n, k, stride, dilation in cases
        for lo in range(-2, dilation * (k - 1) + 3)
        for big in range(1, stride * n + dilation * (k - 1) + 3)
    ]
    other = Axis(5, 11, 3, 2, 1, 1)
    for number in range(first, len(relations), step):
        axis = relations[number]
        axes = ((axis,), (axis, other), (other, axis), (other, axis, other))[number % 4]
        groups = 1 + number % 2
        yield ConvSpec(axes, groups, 2 * groups, 3 * groups), 1 + number % 3

dtype = np.dtype(sys.argv[1])
seed, count = int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(seed)
problems = (
    islice(random_problems(rng), count)
    if sys.argv[2] == "random"
    else enumerated_problems(seed, count)
)
for spec, batch in problems:
    check(spec, batch, dtype, rng)
print("held")
"""


def held(*words):
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], capture_output=True, text=True
    )
    assert done.stdout == "held\n", f"exit {done.returncode}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", [1, 2])
def test_random_problems_stay_within_their_arrays(seed, dtype):
    held(dtype, "random", str(seed), "25")


@pytest.mark.parametrize("first", [0, 1, 2])
def test_enumerated_problems_stay_within_their_arrays(first):
    held("float32", "enumerated", str(29 * first), "97")


def test_a_page_without_permissions_ends_the_process():
    touch = CODE.split("class Space")[0] + (
        "a = guarded(8, np.dtype('f'), True)\n"
        "ctypes.c_float.from_address(a.__array_interface__['data'][0] + 32).value\n"
    )
    done = subprocess.run([sys.executable, "-c", touch], capture_output=True, text=True)
    assert done.returncode < 0
