"""`norm` of what has no norm: an error of its own, on every way and backend."""

import numpy as np
import pytest

import mtconv

FIX = "A matrix with such elements has no largest singular value."
# Taken apart by a Fourier transform, iterated on, and decomposed as it is.
WAYS = {
    "circular": {"input_size": 6, "padding": ((0, 2),), "padding_mode": "circular"},
    "iterated": {"input_size": 30},
    "decomposed": {"input_size": 4},
}
DTYPES = ["f2", "f4", "f8", ">f8", "g", "c8", "c16"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["Conv", "ConvTranspose"])
def test_a_kernel_that_is_not_finite_has_no_norm(name, bad, dtype, way):
    kernel = np.array([1, bad, bad]).astype(dtype)
    operator = getattr(mtconv, name)(kernel, **WAYS[way])
    with pytest.raises(ValueError, match="finite") as caught:
        operator.norm()
    assert str(caught.value) == (
        f"{name}.norm: `kernel` must be finite in double precision; got 2 of 3 elements "
        f"NaN or infinite. {FIX}"
    )


def test_a_long_double_beyond_double_precision_is_not_finite_there():
    if np.finfo("g").max < np.longdouble("1e400"):
        pytest.skip("long doubles are doubles here")
    with pytest.raises(ValueError, match="got 1 of 2 elements NaN or infinite"):
        mtconv.Conv(np.array(["1e400", "1"], "g"), input_size=4).norm()


@pytest.mark.parametrize("library", ["jax.numpy", "torch", "array_api_strict"])
def test_kernels_of_other_libraries(library):
    xp = pytest.importorskip(library)
    make = getattr(xp, "tensor", xp.asarray)
    operator = mtconv.Conv(make([1.0, float("nan")]), input_size=4)
    with pytest.raises(ValueError, match=r"Conv\.norm: `kernel` must be finite"):
        operator.norm()


@pytest.mark.parametrize(
    "tol",
    [float("nan"), float("inf"), -1e-9, "1e-8", None, True, 1j, np.array(1e-8), [0.1]],
)
@pytest.mark.parametrize("way", WAYS)
def test_a_tolerance_is_a_number(way, tol):
    with pytest.raises(ValueError, match="tol") as caught:
        mtconv.Conv([1.0, 2.0, 1.0], **WAYS[way]).norm(tol=tol)
    assert str(caught.value) == (
        "Conv.norm: `tol` must be a finite number of at least 0; got "
        f"{tol!r} of type {type(tol).__name__}. For example 1e-8."
    )


@pytest.mark.parametrize("tol", [0, 1e-3, np.float32(1e-6), np.int64(0)])
def test_any_real_number_is_a_tolerance(tol):
    pytest.importorskip("scipy")
    # The sum of the taps bounds the norm, which comes near it as the input grows.
    assert 3.9 < mtconv.Conv([1.0, 2.0, 1.0], input_size=30).norm(tol=tol) < 4
