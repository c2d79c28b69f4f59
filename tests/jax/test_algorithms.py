"""The algorithms on the CPU: what is chosen, loops for large problems, and their values."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mtconv
from mtconv.backends._jax import (
    columns,
    gemm,
    lowering,
    result_dtype,
    scattered,
    subpixel,
    sums,
)
from mtconv.geometry import Axis
from mtconv.planning.choose import choose_algorithm

FORMS = ("conv_transpose", "conv", "kernel_grad")


def chosen(x_shape, kernel_shape, **options):
    """Name the algorithm of each form."""
    spec = mtconv.ConvSpec.from_shapes(x_shape, kernel_shape, **options)
    return [choose_algorithm(spec, form, backend="jax")[0].algorithm for form in FORMS]


def test_matrix_products_for_many_channels():
    assert chosen((1, 64, 8, 8), (64, 32, 4, 4), stride=2) == ["gemm"] * 3


def test_phases_as_channels_where_columns_are_far_more_than_windows():
    shapes = (4, 8, 24, 24), (8, 256, 4, 4)
    assert chosen(*shapes, stride=2)[::2] == ["polyphase"] * 2
    # Phases with two numbers of taps are as good, phases without any are not.
    assert chosen(*shapes, stride=3)[0] == "polyphase"
    assert "polyphase" not in chosen(*shapes, stride=5)
    assert chosen((1, 64, 64, 64), (64, 4, 4, 4), stride=2)[0] == "gemm"


ALIKE = {
    "one axis": ((2, 3, 5), (3, 2, 6), {"stride": 3, "padding": 2}),
    "two axes": ((2, 4, 3, 5), (4, 3, 4, 6), {"stride": (2, 3), "padding": (1, 4)}),
    "groups": ((1, 4, 3, 5), (4, 3, 4, 4), {"stride": 2, "groups": 2, "padding": 3}),
    "an axis of stride 1": (
        (2, 2, 7, 4),
        (2, 3, 3, 4),
        {"stride": (1, 2), "dilation": (2, 1), "padding": (3, 0), "output_padding": (0, 1)},
    ),
    "padding of two strides": ((2, 3, 7), (3, 2, 6), {"stride": 2, "padding": ((5, 1),)}),
    "two numbers of taps": ((2, 4, 7), (4, 3, 8), {"stride": 3, "padding": 2, "groups": 2}),
    "two numbers on both axes": (
        (2, 3, 4, 3),
        (3, 2, 5, 3),
        {"stride": (3, 2), "padding": ((-1, 2), (1, 0))},
    ),
    "stride 1": ((2, 3, 5, 4), (3, 2, 3, 2), {"dilation": (1, 2), "padding": (1, 0)}),
    "zeros at the end": ((1, 2, 3), (2, 2, 4), {"stride": 4, "output_padding": 3}),
    "space": (
        (1, 2, 2, 3, 2),
        (2, 3, 2, 4, 3),
        {"stride": (2, 2, 3), "padding": (0, 1, 0)},
    ),
}


@pytest.mark.parametrize("name", ALIKE)
def test_phases_as_channels_give_the_same_values(make, monkeypatch, name):
    x_shape, kernel_shape, options = ALIKE[name]
    x, kernel = make(x_shape, 0), make(kernel_shape, 1)
    y = make(mtconv.conv_transpose_shape(x_shape, kernel_shape, **options), 2)
    arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    used = []
    for form in FORMS:
        function = getattr(subpixel, form)
        monkeypatch.setattr(
            subpixel, form, lambda *a, function=function: used.append(1) or function(*a)
        )
    for form, (first, second) in arrays.items():
        passed = dict(options)
        if form != "conv_transpose":  # the others see the size of y
            passed.pop("output_padding", None)
        if form == "kernel_grad":
            passed["kernel_size"] = kernel_shape[2:]
        call = getattr(mtconv, form)
        got = call(jnp.asarray(first), second, algorithm="polyphase", **passed)
        expected = call(np.asarray(first), np.asarray(second), algorithm="direct", **passed)
        np.testing.assert_array_equal(got, expected)
    assert len(used) == 3


def test_the_convolution_of_the_library_is_only_for_images_without_inserted_zeros():
    shapes = (1, 28, 100, 100), (28, 200, 5, 5)
    assert chosen(*shapes)[0] == "native"
    assert chosen(*shapes, stride=2)[0] != "native"
    assert chosen(*shapes, dilation=2)[0] == "native"


def test_the_convolution_of_the_library_takes_groups(make):
    x, kernel, y = make((2, 4, 5), 0), make((4, 3, 3), 1), make((2, 6, 9), 2)
    options = {"stride": 2, "padding": 1, "groups": 2}
    calls = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    for form, arrays in calls.items():
        extra = {"kernel_size": 3} if form == "kernel_grad" else {}
        call = partial(getattr(mtconv, form), **options, **extra)
        expected = call(*map(np.asarray, arrays), algorithm="direct")
        np.testing.assert_array_equal(call(*arrays, algorithm="native"), expected)


# Sizes of input and kernel, and options; the compiler may be told of the stride where no
# kernel is larger than its input.
STRIDED = {
    "as large": ((3,), (3,), {"stride": 2}, True),
    "larger": ((2,), (3,), {"stride": 2}, False),
    "cropped": ((4,), (2,), {"stride": 3, "padding": ((1, 0),), "output_padding": 1}, True),
    "cropped beyond": ((4,), (2,), {"stride": 3, "padding": ((2, 1),)}, False),
    "extended": ((3, 4), (2, 4), {"stride": (2, 3), "padding": (-1, (0, -2))}, True),
    "one axis larger": ((3, 4), (2, 5), {"stride": (2, 3), "padding": 1}, False),
    "stride 1 too": ((3, 4), (3, 2), {"stride": (1, 2), "padding": (2, 0)}, True),
    "dilated": ((5,), (2,), {"stride": 2, "dilation": 3}, False),
    "space": ((3, 2, 3), (2, 2, 2), {"stride": 2}, False),
}


@pytest.mark.parametrize("name", STRIDED)
def test_the_convolution_of_the_library_inserts_zeros_if_it_is_safe(make, name):
    size, kernel_size, options, told = STRIDED[name]
    x = make((2, 3, *size), 0).astype("float32")
    kernel = make((3, 4, *kernel_size), 1).astype("float32")
    call = jax.jit(partial(mtconv.conv_transpose, algorithm="native", **options))
    lowered = call.lower(x, kernel)
    strides = np.broadcast_to(options["stride"], len(size))
    wanted = f"lhs_dilate = [{', '.join(map(str, strides))}]"
    assert (wanted in lowered.as_text()) is told
    arrays = np.asarray(x), np.asarray(kernel)
    expected = mtconv.conv_transpose(*arrays, algorithm="direct", **options)
    np.testing.assert_array_equal(lowered.compile()(x, kernel), expected)


@pytest.mark.parametrize("algorithm", ["native", "polyphase"])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": ((3, 1), (1, 1))},
        {"padding": ((0, 2), (3, -1))},
        {"padding": ((3, 1), (1, 1)), "groups": 2},
        {"padding": ((5, 1), (-1, 2)), "stride": (2, 1), "groups": 2},
        {"padding": ((-1, 3), (0, 1)), "dilation": (1, 3)},
        {"padding": ((-6, 1), (0, -9))},
    ],
)
def test_the_convolution_of_the_library_crops_and_pads(make, algorithm, options):
    # XLA has wrong values on the CPU where one end of an axis is cropped, the other padded.
    x_shape, kernel_shape = (2, 4, 9, 8), (4, 3, 3, 2)
    x, kernel = make(x_shape, 0), make(kernel_shape, 1)
    y = make(mtconv.conv_transpose_shape(x_shape, kernel_shape, **options), 2)
    arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    for form, passed in arrays.items():
        first, second = (array.astype("float32") for array in passed)
        extra = {"kernel_size": kernel_shape[2:]} if form == "kernel_grad" else {}
        call = partial(getattr(mtconv, form), **options, **extra)
        expected = call(np.asarray(first), np.asarray(second), algorithm="direct")
        np.testing.assert_array_equal(call(first, second, algorithm=algorithm), expected)


@pytest.mark.parametrize(
    ("form", "shapes", "options"),
    [
        ("conv_transpose", ((1, 2, 4, 4), (2, 3, 5, 5)), {"padding": 2}),
        ("conv", ((1, 3, 4, 4), (2, 3, 5, 5)), {"padding": 3}),
        # Here x is the kernel, and has more elements than y.
        ("kernel_grad", ((1, 2, 4, 4), (1, 3, 3, 3)), {"padding": 1, "kernel_size": 2}),
    ],
)
def test_a_large_kernel_does_not_change_places_with_its_input(make, form, shapes, options):
    arrays = [make(shape, n).astype("float32") for n, shape in enumerate(shapes)]
    call = partial(getattr(mtconv, form), **options)
    compiled = jax.jit(partial(call, algorithm="native")).lower(*arrays).compile()
    assert "convolution" in compiled.as_text()
    assert "rhs_reversal" not in compiled.as_text()
    expected = call(*map(np.asarray, arrays), algorithm="direct")
    np.testing.assert_array_equal(compiled(*arrays), expected)


# Stride and dilation of one axis, its taps, and how many combs they are.
COMBS = [
    (3, 2, 6, 4),  # taps 0 and 1 land within one stride, tap 2 in the next one; twice
    (3, 2, 5, 3),
    (3, 2, 4, 3),  # the second comb of taps 3 and 4 is cut off
    (3, 2, 2, 1),  # fewer taps than repeat
    (2, 3, 5, 5),  # every tap in another stride
    (8, 2, 17, 5),  # four taps within one stride
    (4, 6, 5, 5),  # taps 0 and 1 on cells 0 and 2 of the strides 0 and 1
    (2, 4, 3, 3),  # all on one cell
]


@pytest.mark.parametrize(("stride", "dilation", "taps", "combs"), COMBS)
def test_scattered_taps(make, stride, dilation, taps, combs):
    assert scattered.terms(Axis(9, 40, taps, stride, dilation)) == combs
    for low, high, dtype in ((3, 1, "int32"), (-2, 2, "float32")):
        options = {
            "stride": (stride, 1),
            "dilation": (dilation, 2),
            "padding": ((low, high), (1, 0)),
        }
        x_shape, kernel_shape = (2, 2, 5, 4), (2, 3, taps, 2)
        x, kernel = make(x_shape, 0).astype(dtype), make(kernel_shape, 1).astype(dtype)
        big = mtconv.conv_transpose_shape(x_shape, kernel_shape, **options)
        y = make(big, 2).astype(dtype)
        arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
        for form, (first, second) in arrays.items():
            extra = {"kernel_size": (taps, 2)} if form == "kernel_grad" else {}
            call = partial(getattr(mtconv, form), **options, **extra)
            expected = call(np.asarray(first), np.asarray(second), algorithm="direct")
            got = jax.jit(partial(call, algorithm="gemm"))(first, second)
            np.testing.assert_array_equal(got, expected)


def test_elementwise_for_depthwise_layers_and_images():
    assert chosen((1, 64, 8, 8), (64, 1, 4, 4), stride=2, groups=64) == ["direct"] * 3
    assert chosen((20, 20), (31, 31)) == ["direct"] * 3


def test_large_kernels_of_few_channels_are_summed_tap_by_tap():
    got = chosen((1, 21, 4, 4), (21, 1, 64, 64), stride=32, groups=21)
    assert got == ["direct"] * 3


@pytest.mark.parametrize("form", FORMS)
def test_many_taps_that_lie_apart_are_a_loop(make, form):
    """9 by 9 taps two elements apart are 81 runs, more than are unrolled."""
    options = {"stride": (1, 3), "dilation": 2, "padding": (5, 2)}
    x, kernel = make((2, 2, 6, 4), 0), make((2, 3, 9, 9), 1)
    y = make(mtconv.conv_transpose_shape(x.shape, kernel.shape, **options), 2)
    arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    extra = {"kernel_size": (9, 9)} if form == "kernel_grad" else {}
    call = partial(getattr(mtconv, form), **options, **extra)
    got = call(*arrays[form], algorithm="direct")
    expected = call(*map(np.asarray, arrays[form]), algorithm="gemm")
    np.testing.assert_array_equal(got, expected)


# Layers whose columns are many times the result; stride, groups, kernel.
LARGE = {
    "channels": ((2, 3, 4, 5), (3, 6, 5, 3), {"stride": 2, "padding": 1}),
    "groups": ((2, 6, 4, 5), (6, 2, 5, 3), {"stride": 2, "padding": 1, "groups": 3}),
    "few cells": ((2, 24, 2, 3), (24, 4, 5, 3), {"stride": 2, "padding": 1}),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("limit", [1, 2000, 2**40])
def test_columns_in_parts_give_the_same_values(make, monkeypatch, name, limit):
    x_shape, kernel_shape, options = LARGE[name]
    monkeypatch.setattr(gemm, "COLUMNS", limit)
    x, kernel = make(x_shape, 0), make(kernel_shape, 1)
    y = make(mtconv.conv_transpose_shape(x_shape, kernel_shape, **options), 2)
    spec = mtconv.ConvSpec.from_shapes(x_shape, kernel_shape, **options)
    parts = gemm.parts_for(spec, x_shape[0], 8)
    assert (parts == 1) == (limit == 2**40)
    params = lowering.CallParams(spec, "gemm", None)
    arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    for form, (first, second) in arrays.items():
        got = jax.jit(
            lambda a, b, form=form: lowering.lower(
                form, a, b, params=params, platform="cpu"
            )
        )(first, second)
        # The mesh form never loops.
        assert (got == lowering.plain(form, first, second, params=params)).all()
        extra = {"kernel_size": kernel_shape[2:]} if form == "kernel_grad" else {}
        expected = getattr(mtconv, form)(
            np.asarray(first), np.asarray(second), algorithm="direct", **options, **extra
        )
        np.testing.assert_array_equal(got, expected)


def test_parts_are_as_many_as_the_columns_ask_for(monkeypatch):
    def parts(channels, taps, batch=1):
        shapes = (batch, 2, 6), (2, channels, taps)
        spec = mtconv.ConvSpec.from_shapes(*shapes, stride=2, padding=(taps - 2) // 2)
        assert spec.big == (12,)
        return gemm.parts_for(spec, batch, 8)

    # Eight channels of six cells by six taps: 288 elements, 2304 bytes.
    monkeypatch.setattr(gemm, "COLUMNS", 1152)
    assert [parts(8, 6), parts(8, 6, batch=2)] == [2, 4]
    assert parts(8, 4) == 2  # 1536 bytes
    monkeypatch.setattr(gemm, "COLUMNS", 480)
    assert [parts(8, 6), parts(8, 6, batch=2)] == [8, 8]  # at most one a channel
    assert parts(8, 2) == 1  # no more columns than cells of the result


def test_columns_tap_by_tap(make, monkeypatch):
    monkeypatch.setattr(columns, "MOST_SLICES", 1)  # one axis after the other
    monkeypatch.setattr(columns, "MOST_RUNS", 1)
    x_shape, kernel_shape = (2, 2, 4, 3), (2, 3, 3, 5)
    options = {"stride": (1, 2), "padding": ((1, 0), (3, 2))}
    x, kernel = make(x_shape, 0), make(kernel_shape, 1)
    y = make(mtconv.conv_transpose_shape(x_shape, kernel_shape, **options), 2)
    arrays = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    for form, (first, second) in arrays.items():
        extra = {"kernel_size": kernel_shape[2:]} if form == "kernel_grad" else {}
        call = partial(getattr(mtconv, form), **options, **extra)
        expected = call(np.asarray(first), np.asarray(second), algorithm="direct")
        np.testing.assert_array_equal(call(first, second, algorithm="gemm"), expected)


def test_each_platform_has_its_ladder(monkeypatch):
    spec = mtconv.ConvSpec.from_shapes((1, 2, 4), (2, 3, 3))
    arrays = [jax.ShapeDtypeStruct(s, "float32") for s in ((1, 3, 6), (2, 3, 3))]
    asked = []

    def noted(*args, accelerator):
        asked.append(accelerator)
        return real(*args, accelerator=accelerator)

    real = lowering.choose_algorithm
    monkeypatch.setattr(lowering, "choose_algorithm", noted)
    params = lowering.CallParams(spec, "auto", None)
    for platform in ("cpu", "cuda"):
        lower = partial(lowering.lower, "conv", params=params, platform=platform)
        jax.eval_shape(lower, *arrays)
    assert asked == [False, True]


def test_dtypes_are_those_of_the_arrays_there_are():
    narrow, wide = jnp.zeros(1, "int8"), jnp.zeros(1, "int16")
    assert result_dtype(narrow, None, wide) == "int16"
    assert result_dtype(narrow, None) == "int8"


FEW = {
    "one axis": ((3, 2, 9), (2, 1, 5), {"stride": 2, "padding": 2, "groups": 2}),
    "two axes": (
        (1, 1, 4, 24),
        (1, 2, 2, 4),
        {"stride": (1, 3), "dilation": (2, 1), "padding": ((1, 0), (-1, 2))},
    ),
    "two groups": ((2, 4, 2, 5), (4, 2, 2, 3), {"padding": ((0, 1), (1, 0)), "groups": 2}),
    "space": ((1, 1, 3, 2, 8), (1, 1, 2, 3, 5), {"dilation": (1, 1, 2), "padding": 1}),
    "runs of taps": ((2, 1, 3, 4), (1, 1, 6, 5), {"stride": (4, 3), "padding": (1, 3)}),
}


@pytest.mark.parametrize("terms", [1, 2**14])
@pytest.mark.parametrize(("together", "loops"), [(32, 8), (3, 3), (2, 1)])
@pytest.mark.parametrize("name", FEW)
def test_kernel_gradients_of_few_channels(make, monkeypatch, name, together, loops, terms):
    x_shape, kernel_shape, options = FEW[name]
    monkeypatch.setattr(sums, "_TOGETHER", together)
    monkeypatch.setattr(sums, "_MOST_LOOPS", loops)
    monkeypatch.setattr(sums, "_MOST_TERMS", terms)
    x = make(x_shape, 0)
    y = make(mtconv.conv_transpose_shape(x_shape, kernel_shape, **options), 1)
    # The not-a-number meets a few taps only, if any; the others do not see it.
    y = y.at[(0,) * y.ndim].set(jnp.nan)
    options = {**options, "kernel_size": kernel_shape[2:], "algorithm": "direct"}
    got = jax.jit(partial(mtconv.kernel_grad, **options))(x, y)
    expected = mtconv.kernel_grad(np.asarray(x), np.asarray(y), **options)
    np.testing.assert_array_equal(got, expected)


def test_long_sums_of_few_channels_are_made_of_short_ones():
    # One sum in single precision would stop at 2**24.
    x = jnp.ones((2**9, 1, 2**15 + 64), "float32")
    w = mtconv.kernel_grad(x, x, kernel_size=1, algorithm="direct")
    assert w.item() == 2**24 + 2**15


def test_zero_channels_and_empty_batches():
    for algorithm in ("gemm", "polyphase", "direct", "native"):
        options = {"stride": 2, "algorithm": algorithm}
        y = mtconv.conv_transpose(jnp.ones((2, 0, 3)), jnp.ones((0, 4, 3)), **options)
        assert y.shape == (2, 4, 7)
        assert (y == 0).all()
        y = mtconv.conv_transpose(jnp.ones((0, 2, 3)), jnp.ones((2, 4, 3)), **options)
        assert y.shape == (0, 4, 7)
        grad = mtconv.kernel_grad(
            jnp.ones((0, 2, 3)), jnp.ones((0, 4, 7)), kernel_size=3, **options
        )
        assert grad.shape == (2, 4, 3)
        assert (grad == 0).all()


def test_the_ladder_of_accelerators():
    def chosen(dtype="float32", **options):
        spec = mtconv.ConvSpec.from_shapes((1, 4, 8), (4, 2, 3), **options)
        named = {"dtype": dtype, "backend": "jax", "accelerator": True}
        return [choose_algorithm(spec, form, **named)[0].algorithm for form in FORMS]

    assert chosen("int32") == chosen("complex64") == ["gemm"] * 3
    assert chosen() == chosen(stride=2) == chosen("bfloat16", groups=2) == ["native"] * 3
    # The inserted zeros would be multiplied.
    assert chosen(stride=2, groups=2) == ["polyphase", "native", "native"]
    assert chosen(stride=2, dilation=2) == ["polyphase", "native", "native"]
