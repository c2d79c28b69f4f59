"""pylops' own dot test, as it is, of every way in which operators compute floats."""

import numpy as np
import pytest

import mtconv
import mtconv.kernels

pylops = pytest.importorskip("pylops")

from pylops.utils import dottest  # noqa: E402

RNG = np.random.default_rng(21)
CIRCULAR = {"padding_mode": "circular"}
KERNEL = RNG.standard_normal((4, 2, 3, 4))
LARGE = RNG.standard_normal((45, 45))
DATA = RNG.standard_normal((2, 4, 6, 7))


def dot(operator):
    """Run pylops' dot test, which raises unless both sides are equal to 1e-12."""
    np.random.seed(5)  # noqa: NPY002  # pylops draws from it
    complexflag = 3 if operator.dtype.kind == "c" else 0
    L = pylops.aslinearoperator(operator)
    assert dottest(L, *L.shape, rtol=1e-12, complexflag=complexflag, raiseerror=True)


OPERATORS = {
    "convolution": mtconv.Conv(KERNEL, (9, 10), stride=2, padding=1, groups=2),
    "complex": mtconv.Conv(KERNEL * (1 + 2j), (9, 10), stride=(1, 2), padding=1),
    "reflect": mtconv.Conv(KERNEL, (9, 10), padding=2, padding_mode="reflect"),
    "fft": mtconv.Conv(LARGE, (100, 90), algorithm="fft"),
    "frequency": mtconv.Conv(LARGE, (100, 90), padding=22, stride=2, **CIRCULAR),
    "separable": mtconv.Conv(mtconv.kernels.gaussian(2.0), (120, 130), padding=8),
    "separable, circular": mtconv.Conv(
        mtconv.kernels.gaussian(2.0), (120, 130), padding=8, stride=(2, 3), **CIRCULAR
    ),
    "kernels of a convolution": mtconv.KernelConv(
        DATA, kernel_size=(3, 2), channels=3, stride=2, padding=1
    ),
    "kernels of a transposed convolution": mtconv.KernelConvTranspose(
        DATA, kernel_size=(3, 2), channels=6, groups=2, stride=2, dilation=(1, 2)
    ),
    "kernels, circular and complex": mtconv.KernelConv(
        DATA * (2 - 1j), kernel_size=(3, 3), channels=2, padding=1, **CIRCULAR
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_pairs(name):
    A = OPERATORS[name]
    dot(A)
    dot(A.T)
    dot(A.H @ A)
    dot(mtconv.vstack([A, 2.5 * A]))


def test_those_that_are_to_be_separable_are():
    for name in ("separable", "separable, circular"):
        assert mtconv.explain(OPERATORS[name]).algorithm == "separable"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [1, 1 - 2j], ids=["real", "complex"])
@pytest.mark.parametrize("stride", [1, 2])
def test_regularized_inverses(channels, factor, stride):
    kernel = RNG.standard_normal((channels, 2, 3, 3)) * factor
    padding = ((0, 3 - stride), (1, 2 - stride))
    A = mtconv.Conv(kernel, (8, 6), stride=stride, padding=padding, **CIRCULAR)
    for operator in (A, A.T):
        B = operator.regularized_inverse(0.1)
        dot(B)
        dot(B.T)
        dot(B @ operator.H)


def test_kernels_are_found_by_its_solvers():
    kernel = RNG.standard_normal((4, 3, 3, 2))
    A = mtconv.KernelConvTranspose(DATA, kernel_size=(3, 2), channels=3, stride=2)
    start = np.zeros(A.shape[1])
    solution = pylops.optimization.basic.cgls(
        pylops.aslinearoperator(A), A(kernel).ravel(), start, niter=500, tol=1e-12
    )[0]
    np.testing.assert_allclose(solution.reshape(kernel.shape), kernel, atol=1e-8)
