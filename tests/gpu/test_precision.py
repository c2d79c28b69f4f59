"""TensorFloat-32 where it is not asked for, and the same bits in every run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import mtconv
from mtconv import testing
from tests.gpu.support import SMOKE, Library, library, same

OPTIONS = {"stride": 2, "padding": 1}


def wide_numbers() -> tuple[Any, Any, Any]:
    """Whole numbers of 13 bits, which TensorFloat-32 rounds; all sums stay below 2**24."""
    rng = np.random.default_rng(0)
    x = rng.integers(4097, 8192, (2, 8, 6, 6)) | 1
    kernel = rng.integers(-8, 9, (8, 8, 4, 4))
    y = rng.integers(-8, 9, (2, 8, 12, 12))
    return tuple(array.astype("float32") for array in (x, kernel, y))


def expected(x: Any, kernel: Any, y: Any) -> tuple[Any, Any, Any]:
    x, kernel, y = (array.astype("float64") for array in (x, kernel, y))
    got = (
        testing.reference_conv_transpose(x, kernel, **OPTIONS),
        testing.reference_conv(y, kernel, **OPTIONS),
        testing.reference_kernel_grad(x, y, kernel_size=4, **OPTIONS),
    )
    assert all(abs(array).max() < 2**24 for array in got)
    return tuple(array.astype("float32") for array in got)


def maps(x: Any, kernel: Any, y: Any, **choices: Any) -> tuple[Any, Any, Any]:
    return (
        mtconv.conv_transpose(x, kernel, **OPTIONS, **choices),
        mtconv.conv(y, kernel, **OPTIONS, **choices),
        mtconv.kernel_grad(x, y, kernel_size=4, **OPTIONS, **choices),
    )


ALGORITHMS = {
    "jax": ("auto", "exact", "gemm", "polyphase", "native"),
    "torch": ("exact",),  # torch's flags rule the rest
    "cupy": ("auto",),
}


@pytest.mark.parametrize(
    ("name", "algorithm"), [(name, a) for name, row in ALGORITHMS.items() for a in row]
)
def test_tensor_float_32_is_not_used_unasked(name: str, algorithm: str) -> None:
    lib, arrays = library(name), wide_numbers()
    got = maps(*map(lib.put, arrays), algorithm=algorithm)
    for result, value in zip(got, expected(*arrays), strict=True):
        same(lib.get(result), value)


@pytest.mark.skipif(SMOKE, reason="a CPU has no TensorFloat-32")
@pytest.mark.usefixtures("jax")
def test_tensor_float_32_would_be_seen() -> None:
    """Where the caller asks for it, these numbers are rounded: the test above can fail."""
    lib, arrays = library("jax"), wide_numbers()
    got = maps(*map(lib.put, arrays), algorithm="gemm", precision="default")
    value = expected(*arrays)[0]
    assert (lib.get(got[0]) != value).any()
    np.testing.assert_allclose(lib.get(got[0]), value, atol=1e-3 * abs(value).max())


def test_torch_as_its_flags_say(torch: Any) -> None:
    """With the flags off, torch's own convolutions are exact as well."""
    lib, arrays = library("torch"), wide_numbers()
    flags = torch.backends.cudnn
    with flags.flags(enabled=True, deterministic=True, allow_tf32=False):
        got = maps(*map(lib.put, arrays), algorithm="native")
    for result, value in zip(got, expected(*arrays), strict=True):
        scale = abs(value).max()
        np.testing.assert_allclose(lib.get(result), value, atol=2e-6 * scale, rtol=0)


def deterministic(lib: Library) -> Any:
    """Ask torch for it by its own flag, which rules cuDNN."""
    if lib.name != "torch":
        return nullcontext()
    return pytest.importorskip("torch").backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True
    )


@pytest.mark.parametrize("algorithm", ["auto", "exact"])
def test_two_runs_give_the_same_bits(lib: Library, algorithm: str) -> None:
    """Sums of numbers that round: another order of adding would show."""
    rng = np.random.default_rng(2)
    arrays = [
        lib.put(rng.standard_normal(shape).astype("float32"))
        for shape in ((4, 32, 16, 16), (32, 16, 4, 4), (4, 16, 32, 32))
    ]
    with deterministic(lib):
        runs = [maps(*arrays, algorithm=algorithm) for _ in range(4)]
    first, *others = [[lib.get(result) for result in run] for run in runs]
    for other in others:
        for result, bits in zip(other, first, strict=True):
            same(result, bits)


def test_rounding_is_that_of_single_precision(lib: Library) -> None:
    """Against float64 on the host: TensorFloat-32 is a thousand times worse."""
    rng = np.random.default_rng(3)
    arrays = [
        rng.standard_normal(shape).astype("float32")
        for shape in ((1, 16, 5, 4), (16, 8, 4, 4), (1, 8, 10, 8))
    ]
    got = maps(*map(lib.put, arrays), algorithm="exact")
    wide = [array.astype("float64") for array in arrays]
    values = (
        testing.reference_conv_transpose(*wide[:2], **OPTIONS),
        testing.reference_conv(wide[2], wide[1], **OPTIONS),
        testing.reference_kernel_grad(wide[0], wide[2], kernel_size=4, **OPTIONS),
    )
    for result, value in zip(got, values, strict=True):
        error = abs(lib.get(result) - value).max() / abs(value).max()
        assert error < 2e-6
