"""Values of the three maps, by equality with plain loops on the host."""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from tests.gpu.support import (
    FEW,
    LIBRARIES,
    PROBLEMS,
    Library,
    check_maps,
    library,
    make,
    same,
)

SWEEP = [
    (name, kind, value)
    for name in LIBRARIES
    for kind, values in (
        ("dtype", ("bfloat16", "float16", "float64", "complex64", "int8", "uint8")),
        ("dtype", ("int32", "int64")),
        ("algorithm", ("exact", "gemm", "polyphase", "direct", "native")),
    )
    for value in values
]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem(lib: Library, problem: str) -> None:
    check_maps(lib, make(problem))


@pytest.mark.parametrize(("name", "kind", "value"), SWEEP)
@pytest.mark.parametrize("problem", FEW)
def test_sweep(name: str, kind: str, value: str, problem: str) -> None:
    lib = library(name)
    if value not in (*lib.dtypes, *lib.algorithms):
        pytest.skip(f"{name} has no {kind} {value}")
    if kind == "dtype":
        check_maps(lib, make(problem, value), compiled=True)
    else:
        check_maps(lib, make(problem), compiled=True, algorithm=value)


def test_numpy_arrays_follow_to_the_gpu(lib: Library) -> None:
    case = make("strided image")
    got = mtconv.conv_transpose(lib.put(case.x), case.kernel, case.bias, **case.options)
    assert lib.on_gpu(got)
    same(lib.get(got), case.expected()[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_float32(lib: Library, dtype: str) -> None:
    """Ones: a sum in float16 stops at 2048, and one in bfloat16 at 256."""
    if dtype not in lib.dtypes:
        pytest.skip(f"{lib} has no {dtype}")
    case = make("plain signal", dtype)
    x = np.ones((1, 2304, 3), case.x.dtype)
    kernel = np.ones((2304, 1, 1), case.x.dtype)
    for algorithm in ("auto", "exact"):
        got = mtconv.conv_transpose(lib.put(x), lib.put(kernel), algorithm=algorithm)
        same(lib.get(got), np.full((1, 1, 3), 2304, case.x.dtype))


def test_the_check_can_fail(lib: Library) -> None:
    case = make("strided image")
    got = lib.get(mtconv.conv_transpose(*case.on(lib)[:3], **case.options))
    with pytest.raises(AssertionError):
        same(got[..., ::-1], case.expected()[0])
