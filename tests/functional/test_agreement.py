"""Every engine against the loop reference, by equality, on random problems.

The engines that compile nothing take a new shape for every example; JAX takes a fixed
pool of problems with random values.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import problems
from mtconv.testing import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)

DTYPES = ("int64", "float64", "float32", "int32", "complex128", "float16", "uint8")
MODES = ("circular", "reflect", "replicate", "symmetric")


def check(engine, case, same):
    """All three maps of one case equal the loops in value, shape and dtype."""
    expected = (
        reference_conv_transpose(case.x, case.kernel, case.bias, **case.options),
        reference_conv(case.y, case.kernel, **case.conv_options),
        reference_kernel_grad(case.x, case.y, **case.grad_options),
    )
    for got, wanted in zip(engine.maps(case, case.bias), expected, strict=True):
        same(got, wanted)
        assert got.dtype == wanted.dtype


@given(case=problems(dtypes=DTYPES))
def test_random_problems(quick_engine, same, case):
    check(quick_engine, case, same)


@given(case=problems(layouts=True))
def test_random_layouts(quick_engine, same, case):
    check(quick_engine, case, same)


@given(case=problems(padding_modes=MODES, layouts=True))
def test_random_padding_modes(quick_engine, same, case):
    check(quick_engine, case, same)


@given(case=problems())
def test_shapes_are_those_of_the_case(case):
    # The strategies know the sizes from how they build a case, not from mtconv.
    shapes = case.x.shape, case.kernel.shape
    assert mtconv.conv_transpose_shape(*shapes, **case.options) == case.y.shape
    y_shapes = case.y.shape, case.kernel.shape
    assert mtconv.conv_shape(*y_shapes, **case.conv_options) == case.x.shape


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@given(seed=st.integers(0, 2**32))
def test_pool_of_problems(engine, pooled, same, dtype, seed):
    check(engine, pooled(seed, dtype), same)


@given(case=problems(layouts=True, kinds=("batched", "unbatched")))
def test_a_layout_moves_axes_and_nothing_else(case):
    # The same arrays in the default layout, by moving their axes here.
    layout, kernel_layout = case.options.get("layout"), case.options.get("kernel_layout")
    if layout is None:
        return
    plain = {k: v for k, v in case.options.items() if "layout" not in k}
    space = "".join(letter for letter in layout if letter not in "NC")
    data = ("N" if "N" in layout else "") + "C" + space
    x = np.einsum(f"{layout}->{data}", case.x)
    kernel = np.einsum(f"{kernel_layout}->IO{space}", case.kernel)
    expected = reference_conv_transpose(x, kernel, case.bias, **plain)
    got = mtconv.conv_transpose(case.x, case.kernel, case.bias, **case.options)
    np.testing.assert_array_equal(np.einsum(f"{layout}->{data}", got), expected)
