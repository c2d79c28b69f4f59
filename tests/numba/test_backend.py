"""The three maps by compiled kernels: values, dtypes, layouts, threads, and NumPy."""

import subprocess
import sys

import numpy as np
import pytest

import mtconv
from mtconv.planning.plan import plan_for_spec
from mtconv.spec import ConvSpec
from mtconv.testing.reference import reference_conv_transpose

pytest.importorskip("numba")

# One problem for each kernel and each way through it: shapes of x and kernel, options.
PROBLEMS = {
    "channels in the lanes": ((2, 3, 9), (3, 20, 4), {"stride": 2, "padding": 1}),
    "a chain and more": ((1, 60, 5), (60, 9, 3), {}),
    "rows by offset": ((2, 5, 6, 17), (5, 3, 3, 3), {"stride": (1, 2), "padding": 1}),
    "phases without taps": ((1, 4, 5, 5), (4, 2, 2, 2), {"stride": 3}),
    "five phases": ((1, 3, 40), (3, 2, 7), {"stride": 5, "dilation": 2}),
    "taps that meet zeros": (
        (5, 70, 3, 4, 3),
        (70, 33, 3, 3, 4),
        {"padding": (1, 1, 2), "stride": (1, 2, 1)},
    ),
    "planes in the lanes": ((2, 20, 5, 6), (20, 1, 3, 3), {"groups": 20, "stride": 2}),
    "a volume": ((1, 4, 3, 4, 5), (4, 9, 2, 3, 2), {"stride": (2, 1, 2), "padding": 1}),
    "columns": ((2, 40, 6, 7), (40, 1, 5, 5), {"stride": (2, 3), "padding": (1, 2)}),
    "columns of a volume": ((1, 50, 3, 4, 5), (50, 1, 3, 2, 9), {"stride": (2, 1, 7)}),
    "groups": ((3, 6, 7), (6, 10, 3), {"groups": 3, "stride": 2}),
    "windows beyond the input": (
        (1, 3, 3),
        (3, 1, 1),
        {"groups": 3, "stride": 6, "padding": 3},
    ),
    "a crop beyond the kernel": ((1, 2, 6), (2, 3, 2), {"padding": 2, "stride": 3}),
}


def whole(shape, dtype=np.float32, seed=0):
    """Small whole numbers, asymmetric."""
    values = np.random.default_rng(seed).integers(-4, 5, shape)
    return values.astype(dtype)


def maps(problem, dtype=np.float32, **how):
    x_shape, kernel_shape, options = PROBLEMS[problem]
    spec = ConvSpec.from_shapes(x_shape, kernel_shape, **options)
    x, kernel = whole(x_shape, dtype), whole(kernel_shape, dtype, 1)
    y = whole((x_shape[0], spec.big_channels, *spec.big), dtype, 2)
    return (
        spec.conv_transpose(x, kernel, **how),
        spec.conv(y, kernel, **how),
        spec.kernel_grad(x, y, **how),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_maps_of_whole_numbers_are_those_of_tap_by_tap(problem, dtype):
    direct = maps(problem, dtype, backend="numpy", algorithm="direct")
    for ours, theirs in zip(maps(problem, dtype, backend="numba"), direct, strict=True):
        assert ours.dtype == theirs.dtype
        assert (ours == theirs).all()


def test_the_first_map_is_that_of_plain_loops():
    x, kernel = whole((1, 2, 4)), whole((2, 3, 3), seed=1)
    expected = reference_conv_transpose(x, kernel, stride=2, padding=1)
    found = mtconv.conv_transpose(x, kernel, stride=2, padding=1, backend="numba")
    assert (found == expected).all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_any_number_of_threads_gives_the_same_bits(problem):
    x_shape, kernel_shape, options = PROBLEMS[problem]
    x_shape = (x_shape[0] * 8, *x_shape[1:-1], x_shape[-1] * 40)
    spec = ConvSpec.from_shapes(x_shape, kernel_shape, **options)
    rng = np.random.default_rng(3)
    x, kernel = rng.standard_normal(x_shape), rng.standard_normal(kernel_shape)
    y = rng.standard_normal((x_shape[0], spec.big_channels, *spec.big))
    results = []
    for number in (1, 2, 3):
        with mtconv.workers(number):
            results.append(
                [
                    array.tobytes()
                    for array in (
                        spec.conv_transpose(x, kernel, backend="numba"),
                        spec.conv(y, kernel, backend="numba"),
                        spec.kernel_grad(x, y, backend="numba"),
                    )
                ]
            )
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("problem", ["channels in the lanes", "rows by offset", "groups"])
def test_a_bias_is_added_to_every_element_of_its_channel(problem):
    x_shape, kernel_shape, options = PROBLEMS[problem]
    x, kernel = whole(x_shape), whole(kernel_shape, seed=1)
    bias = np.arange(kernel_shape[1] * options.get("groups", 1), dtype=np.float32)
    plain = mtconv.conv_transpose(x, kernel, backend="numba", **options)
    found = mtconv.conv_transpose(x, kernel, bias, backend="numba", **options)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    assert (found == plain + bias.reshape(shape)).all()


def test_layouts_and_steps_of_any_sign_need_no_copy():
    x, kernel = whole((2, 5, 6, 7)), whole((5, 11, 3, 3), seed=1)
    expected = mtconv.conv_transpose(x, kernel, stride=2, backend="numpy")
    last = mtconv.conv_transpose(
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)),
        np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)),
        stride=2,
        layout="NHWC",
        kernel_layout="HWIO",
        backend="numba",
    )
    assert (last.transpose(0, 3, 1, 2) == expected).all()
    turned = mtconv.conv_transpose(
        np.asfortranarray(x)[::-1, ::-1, :, ::-1].copy()[::-1, ::-1, :, ::-1],
        kernel[:, :, ::-1, :].copy()[:, :, ::-1, :],
        stride=2,
        backend="numba",
    )
    assert (turned == expected).all()


def test_a_read_only_argument_is_read():
    x, kernel = whole((1, 2, 6)), whole((2, 9, 3), seed=1)
    x.flags.writeable = kernel.flags.writeable = False
    found = mtconv.conv(mtconv.conv_transpose(x, kernel, backend="numba"), kernel)
    assert found.shape == (1, 2, 6)


def test_infinity_in_the_kernel_reaches_only_what_the_kernel_reaches():
    x, kernel = np.ones((1, 1, 3), "f"), np.array([[[1, np.inf, 2]]], "f")
    found = mtconv.conv_transpose(x, kernel, stride=2, backend="numba")
    assert found.tolist() == [[[1, np.inf, 3, np.inf, 3, np.inf, 2]]]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_infinite_element_anywhere_in_the_kernel_is_seen(problem, value):
    x_shape, kernel_shape, options = PROBLEMS[problem]
    spec = ConvSpec.from_shapes(x_shape, kernel_shape, **options)
    x, kernel = np.ones(x_shape, "f"), whole(kernel_shape, seed=1)
    y = np.ones((x_shape[0], spec.big_channels, *spec.big), "f")
    for place in {0, kernel.size // 2, kernel.size - 1}:
        damaged = kernel.copy()
        damaged.flat[place] = value
        for function, data in ((spec.conv_transpose, x), (spec.conv, y)):
            found = function(data, damaged, backend="numba")
            expected = function(data, damaged, backend="numpy", algorithm="direct")
            np.testing.assert_array_equal(found, expected)


def test_infinity_in_x_reaches_only_taps_of_the_gradient_that_it_meets():
    x, y = np.array([[[np.inf, 1]]], "f"), np.array([[[1, 2, 3]]], "f")
    found = mtconv.kernel_grad(x, y, kernel_size=3, padding=1, stride=2, backend="numba")
    by_taps = mtconv.kernel_grad(
        x, y, kernel_size=3, padding=1, stride=2, backend="numpy", algorithm="direct"
    )
    assert found.tolist() == by_taps.tolist()
    assert not np.isnan(found).any()


@pytest.mark.parametrize(
    ("x", "kernel", "options"),
    [
        (np.ones((1, 1, 2, 2, 2, 2)), np.ones((1, 1, 1, 2, 1, 2)), {}),
        (np.ones((1, 1, 3), complex), np.ones((1, 1, 2), complex), {}),
        (np.ones((1, 1, 3), "f"), np.ones((1, 1, 2), "d"), {}),
        (np.ones((1, 1, 3), ">f4"), np.ones((1, 1, 2), ">f4"), {}),
        (np.ones((0, 1, 3), "f"), np.ones((1, 1, 2), "f"), {}),
        (
            np.ones((1, 1, 5)),
            np.ones((1, 1, 3)),
            {"padding": 1, "padding_mode": "circular"},
        ),
    ],
    ids=["four axes", "complex", "two dtypes", "byte order", "empty batch", "circular"],
)
def test_what_the_kernels_do_not_have_is_done_by_numpy(x, kernel, options):
    found = mtconv.conv_transpose(x, kernel, backend="numba", **options)
    expected = mtconv.conv_transpose(x, kernel, backend="numpy", **options)
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()


def test_the_plan_says_what_numpy_does_where_the_kernels_cannot():
    spec = ConvSpec.from_shapes((1, 1, 2, 2, 2, 2), (1, 1, 1, 2, 1, 2))
    shapes = (1, 1, 2, 2, 2, 2), (1, 1, 1, 2, 1, 2)
    plan = plan_for_spec("conv_transpose", spec, *shapes, "float32", "auto", "numba")
    assert plan.algorithm != "native"


def test_operators_keep_the_packed_kernel():
    kernel = whole((6, 40, 3, 3), seed=1)
    operator = mtconv.ConvTranspose(kernel, input_size=(5, 6), stride=2, backend="numba")
    x = whole((2, 6, 5, 6))
    expected = mtconv.conv_transpose(x, kernel, stride=2, backend="numpy")
    assert (operator(x) == expected).all()
    assert (operator(x) == expected).all()


def test_a_kept_kernel_is_packed_anew_for_batches_that_order_it_otherwise():
    # Four samples share a box in the larger batch, so that fewer channels fit it.
    kernel = whole((20, 70, 3, 3, 3), seed=1)
    options = {"stride": 4, "padding": 1}
    operator = mtconv.Conv(kernel, input_size=(10, 10, 10), backend="numba", **options)
    for batch in (1, 40, 1):
        y = whole((batch, 70, 10, 10, 10))
        expected = mtconv.conv(y, kernel, backend="numpy", **options)
        assert (operator(y) == expected).all()


def test_a_call_that_the_plan_gives_to_numpy_does_not_import_numba():
    code = (
        "import mtconv, numpy, sys\n"
        "mtconv.conv([1j, 2j, 3j], [1, 1], backend='numba')\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def by_rows(monkeypatch):
    """Every convolution is made by the kernel of rows by offset."""
    monkeypatch.setattr("mtconv.backends._numba.kernels_for", lambda *_: ("rows",))
    plan_for_spec.cache_clear()
    yield
    plan_for_spec.cache_clear()


# Input channels, output channels, cells of the result and taps: results whose last vector
# begins in the one before, whole ones, ones shorter than a vector, and longer chains.
ROWS = [(3, 5, 37, 2), (2, 9, 160, 3), (1, 1, 5, 4), (60, 3, 19, 4), (2, 220, 33, 1)]


@pytest.mark.usefixtures("by_rows")
@pytest.mark.parametrize("stride", range(1, 11))
@pytest.mark.parametrize(("ins", "outs", "cells", "taps"), ROWS)
def test_rows_of_every_stride_are_those_of_tap_by_tap(ins, outs, cells, taps, stride):
    x = whole((2, ins, 2, stride * (cells - 1) + taps))
    kernel, bias = whole((outs, ins, 1, taps), seed=1), whole((outs,), seed=2)
    for padding in (0, 1):
        options = {"stride": (1, stride), "padding": (0, padding), "bias": bias}
        direct = mtconv.conv(x, kernel, backend="numpy", algorithm="direct", **options)
        ours = mtconv.conv(x, kernel, backend="numba", algorithm="native", **options)
        assert (ours == direct).all()


@pytest.mark.usefixtures("by_rows")
def test_rows_that_share_elements_have_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(5)
    x, kernel = rng.standard_normal((3, 40, 4001)), rng.standard_normal((21, 40, 5))
    results = []
    for number in (1, 2, 3):
        with mtconv.workers(number):
            results.append(mtconv.conv(x, kernel, backend="numba", algorithm="native"))
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()
