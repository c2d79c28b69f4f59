"""pylops takes the operators, passes its own dot test, and solves with them."""

import sys

import numpy as np
import pylops
import pytest
from pylops.optimization.sparsity import fista
from pylops.utils import dottest

import mtconv

RNG = np.random.default_rng(10)


@pytest.fixture(autouse=True)
def _integers(monkeypatch):
    """The dot test draws integers, so that both of its sides are exact and equal."""

    def draw(*shape, **_options):
        return RNG.integers(-4, 5, shape).astype(float)

    monkeypatch.setattr(sys.modules["pylops.utils.dottest"], "randn", draw)


def dot(operator, factor):
    """Run pylops' dot test, which raises unless both sides are equal."""
    L = pylops.aslinearoperator(operator)
    complexflag = 0 if factor == 1 else 3
    exact = {"rtol": 0, "atol": 0, "raiseerror": True}
    assert dottest(L, *L.shape, complexflag=complexflag, **exact)


MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("factor", [1.0, 1 - 2j], ids=["real", "complex"])
@pytest.mark.parametrize("backend", ["numpy", "sparse"])
def test_dottest(mode, rank, factor, backend):
    kernel = RNG.integers(-4, 5, (4, 3, *(3, 2, 2)[:rank])) * factor
    options = {"stride": 2, "padding": 1, "groups": 2, "padding_mode": mode}
    A = mtconv.Conv(kernel, (7, 6, 5)[:rank], backend=backend, **options)
    for operator in (A, A.T, A.H):
        dot(operator, factor)


@pytest.mark.parametrize("factor", [1.0, 1 - 2j], ids=["real", "complex"])
def test_dottest_of_what_operators_are_combined_to(factor):
    kernel = RNG.integers(-4, 5, (4, 3, 3, 2)) * factor
    A = mtconv.Conv(kernel, (7, 6), stride=2, padding=1, padding_mode="reflect")
    for operator in (
        A + A,
        A - A / 4,  # which is exact
        factor * A,
        A.H @ A,
        mtconv.vstack([A, 2 * A]),
        mtconv.hstack([A, A]),
        (mtconv.vstack([A, A]) @ A.T).H,
    ):
        dot(operator, factor)


def test_products():
    A = mtconv.ConvTranspose([1.0, 2.0, 3.0], 5, stride=2)
    L = pylops.aslinearoperator(A)
    x = np.arange(5.0)
    np.testing.assert_array_equal(L @ x, A(x))
    np.testing.assert_array_equal(L.H @ A(x), A.T(A(x)))
    np.testing.assert_allclose((2 * L.H @ L) @ x, 2 * A.T(A(x)), rtol=1e-14)


def test_sparse_spikes_are_found():
    # Three spikes under a smooth wavelet, seen at every other sample.
    wavelet = np.exp(-(np.linspace(-2, 2, 9) ** 2))
    A = mtconv.Conv(wavelet, 60, padding=4, stride=2)
    spikes = np.zeros(60)
    spikes[[11, 30, 47]] = 1.0, -2.0, 1.5
    alpha = 1 / A.norm() ** 2
    got = fista(
        pylops.aslinearoperator(A), A(spikes), niter=4000, eps=1e-3, alpha=alpha, tol=0
    )[0]
    assert set(np.argsort(np.abs(got))[-3:]) == {11, 30, 47}
    np.testing.assert_allclose(got, spikes, atol=0.05)
