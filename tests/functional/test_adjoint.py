"""The three maps are the derivatives of one trilinear form, exactly, on every engine.

``T(x, w, y) = sum x[i] w[j] y[o]``, so ``<conv_transpose(x, w), y>``, ``<x, conv(y, w)>``
and ``<kernel_grad(x, y), w>`` are all the same number; on integers, to the last bit.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import problems
from mtconv.testing import assert_adjoint

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


def dot(a, b):
    return int(np.vdot(a, b))


def check_trilinear(engine, case):
    dy, dx, dw = engine.maps(case)
    form = dot(dy, case.y)
    assert dot(case.x, dx) == form
    assert dot(dw, case.kernel) == form


@given(case=problems(layouts=True, padding_modes=MODES, bias=False))
def test_one_trilinear_form(quick_engine, case):
    check_trilinear(quick_engine, case)


@given(seed=st.integers(0, 2**32))
def test_one_trilinear_form_on_the_pool(engine, pooled, seed):
    # The programs that `test_pool_of_problems` compares with loops, compiled once for both.
    check_trilinear(engine, pooled(seed, "int32"))


@given(case=problems(dtypes=("int8", "uint16"), bias=False))
def test_adjoint_though_integers_wrap(quick_engine, case):
    x, kernel, y = (10 * array for array in (case.x, case.kernel, case.y))
    assert_adjoint(
        lambda x: quick_engine.conv_transpose(x, kernel, **case.options),
        lambda y: quick_engine.conv(y, kernel, **case.conv_options),
        x,
        y,
    )


@given(case=problems(dtypes=("complex128",), bias=False))
def test_the_transpose_does_not_conjugate(quick_engine, case):
    def f(x):
        return quick_engine.conv_transpose(x, case.kernel, **case.options)

    def transposed(y, kernel=case.kernel):
        return quick_engine.conv(y, kernel, **case.conv_options)

    assert_adjoint(f, transposed, case.x, case.y, exact=True)
    # The conjugate transpose is the same map with the conjugated kernel.
    assert_adjoint(
        f,
        lambda y: transposed(y, case.kernel.conj()),
        case.x,
        case.y,
        conjugate=True,
        exact=True,
    )


FLOATS = problems(dtypes=("float64", "float32"), integer_valued=False, bias=False)


@given(case=FLOATS)
def test_adjoint_within_rounding_on_floats(case):
    assert_adjoint(
        lambda x: mtconv.conv_transpose(x, case.kernel, **case.options),
        lambda y: mtconv.conv(y, case.kernel, **case.conv_options),
        case.x,
        case.y,
    )


@given(case=FLOATS)
def test_fft_is_adjoint_within_its_bound(case):
    # The errors of transforms are those of the norms of x and kernel, even where all taps
    # are cropped and the map is zero.
    x, y, kernel = (np.asarray(a, np.float64) for a in (case.x, case.y, case.kernel))
    forward = mtconv.conv_transpose(case.x, case.kernel, algorithm="fft", **case.options)
    backward = mtconv.conv(case.y, case.kernel, algorithm="fft", **case.conv_options)
    there, back = (np.asarray(a, np.float64) for a in (forward, backward))
    norm = np.linalg.norm
    # Padded elements that fold onto one element add up their errors.
    folds = 1 + max((2 * max(axis.lo, 0, axis.hi) for axis in case.spec.axes), default=0)
    unit = 256 * np.finfo(case.x.dtype).eps  # 2**-44 in float64
    bound = unit * folds * norm(kernel) * norm(x) * norm(y)
    bound *= np.sqrt(max(x.size, y.size, 1))
    assert abs(np.vdot(there, y) - np.vdot(x, back)) <= bound


def vjp(function, arguments, cotangent):
    import jax

    return jax.vjp(function, *arguments)[1](cotangent)


class TestGradientsOfJax:
    """The vector-Jacobian products that JAX works out are the other two maps."""

    @pytest.fixture(params=[0, 1], ids=["seed-0", "seed-1"])
    def arrays(self, request, jax_numpy, pooled):
        case = pooled(request.param, "float64")
        return case, *map(jax_numpy.asarray, (case.x, case.kernel, case.y))

    def test_of_conv_transpose(self, arrays, same):
        case, x, kernel, y = arrays
        dx, dw = vjp(
            lambda x, w: mtconv.conv_transpose(x, w, **case.options), (x, kernel), y
        )
        same(dx, mtconv.conv(y, kernel, **case.conv_options))
        same(dw, mtconv.kernel_grad(x, y, **case.grad_options))

    def test_of_conv(self, arrays, same):
        case, x, kernel, y = arrays
        dy, dw = vjp(lambda y, w: mtconv.conv(y, w, **case.conv_options), (y, kernel), x)
        same(dy, mtconv.conv_transpose(x, kernel, **case.options))
        same(dw, mtconv.kernel_grad(x, y, **case.grad_options))

    def test_of_kernel_grad(self, arrays, same):
        case, x, kernel, y = arrays
        dx, dy = vjp(
            lambda x, y: mtconv.kernel_grad(x, y, **case.grad_options), (x, y), kernel
        )
        same(dx, mtconv.conv(y, kernel, **case.conv_options))
        same(dy, mtconv.conv_transpose(x, kernel, **case.options))
