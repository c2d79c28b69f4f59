"""A plan says all that a call does: dtypes, shape, algorithm, and fallbacks for values."""

from __future__ import annotations

import numpy as np
import pytest

from mtconv import ConvSpec, GeometryError, explain
from mtconv.geometry import Axis
from mtconv.planning.candidate import CONDITIONS, FLOATING, Fallback
from mtconv.planning.plan import asked_size, plan_for, plan_for_spec
from mtconv.problem.options import freeze


def plan(
    form="conv_transpose",
    first=(2, 6, 5, 7),
    second=(6, 4, 3, 4),
    dtype="float32",
    algorithm="gemm",
    backend="numpy",
    kernel_size=None,
    **options,
):
    frozen = freeze(form, **options)
    named = (dtype, algorithm, backend)
    return plan_for(form, first, second, frozen, *named, kernel_size=kernel_size)


@pytest.mark.parametrize(
    ("form", "first", "second", "options", "shape"),
    [
        ("conv_transpose", (2, 6, 5, 7), (6, 4, 3, 4), {"stride": 2}, (2, 4, 11, 16)),
        ("conv_transpose", (6, 5, 7), (6, 4, 3, 4), {}, (4, 7, 10)),
        ("conv_transpose", (5, 7), (3, 4), {}, (7, 10)),
        ("conv_transpose", (2, 5, 7, 6), (6, 4, 3, 4), {"layout": "NHWC"}, (2, 7, 10, 4)),
        ("conv", (2, 4, 7, 10), (6, 4, 3, 4), {}, (2, 6, 5, 7)),
        ("conv", (2, 7, 10, 4), (6, 4, 3, 4), {"layout": "NHWC"}, (2, 5, 7, 6)),
        ("kernel_grad", (2, 6, 5), (2, 4, 7), {"kernel_size": 3}, (6, 4, 3)),
        ("kernel_grad", (5,), (7,), {"kernel_size": (3,)}, (3,)),
        (
            "kernel_grad",
            (2, 6, 5, 5),
            (2, 4, 7, 8),
            {"kernel_size": (3, 4), "kernel_layout": "HWIO"},
            (3, 4, 6, 4),
        ),
    ],
)
def test_it_has_the_shape_of_the_result(form, first, second, options, shape):
    assert plan(form, first, second, **options).shape == shape


@pytest.mark.parametrize(
    ("dtype", "computing"),
    [
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("complex64", "complex64"),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "jax", "sparse", "torch", "array_api"])
def test_halves_are_summed_in_single_precision(dtype, computing, backend):
    made = plan(dtype=dtype, algorithm="auto", backend=backend)
    assert (made.dtype, made.computing) == (dtype, computing)


@pytest.mark.parametrize("dtype", ["int8", "uint64", "int64"])
def test_integers_are_multiplied_as_floats_while_their_sums_fit(dtype):
    for algorithm in ("gemm", "polyphase", "subpixel"):
        made = plan(dtype=dtype, algorithm=algorithm)
        assert made.computing == "float64"
        assert made.fallbacks == (Fallback("sums", algorithm, dtype),)
    made = plan(dtype=dtype, algorithm="direct")
    assert (made.computing, made.fallbacks) == (dtype, ())


@pytest.mark.parametrize("dtype", [*FLOATING, np.dtype("longdouble").name])
def test_infinite_kernels_are_direct_where_zeros_stand_for_clipped_taps(dtype):
    own = {"float16": "float32", "bfloat16": "float32"}.get(dtype, dtype)
    direct = Fallback("infinite kernel", "direct", own)
    assert plan(dtype=dtype, algorithm="polyphase").fallbacks == (direct,)
    assert plan(dtype=dtype, algorithm="gemm").fallbacks == ()
    clipped = plan("conv", (2, 4, 7, 10), dtype=dtype, padding=1)
    assert clipped.fallbacks == (direct,)
    grad = plan("kernel_grad", (5,), (5,), dtype=dtype, kernel_size=(3,), padding=1)
    assert grad.fallbacks == (Fallback("infinite x", "direct", own),)


def test_spectra_by_auto_have_an_exact_algorithm_behind_them_and_by_name_none():
    shapes = (1, 1, 2**15), (1, 1, 2**10)
    for dtype, double in (("float32", "float64"), ("complex64", "complex128")):
        made = plan("conv_transpose", *shapes, dtype, "auto", padding=512)
        exact = plan("conv_transpose", *shapes, dtype, "exact", padding=512)
        assert (made.algorithm, made.computing, made.requested) == ("fft", double, "auto")
        assert made.fallbacks[0] == Fallback("spectra", exact.algorithm, dtype)
        assert made.fallbacks[1:] == exact.fallbacks
        assert made.fallback == exact.algorithm
        assert exact.fallback == ""
        named = plan("conv_transpose", *shapes, dtype, "fft", padding=512)
        assert (named.computing, named.fallbacks) == (dtype, ())


def test_other_backends_never_look_at_values():
    for backend in ("jax", "sparse", "torch", "array_api", "cupy"):
        assert plan(algorithm="auto", backend=backend).fallbacks == ()


def test_plans_that_differ_in_the_batch_alone_are_equal():
    two, three = plan(first=(2, 6, 5, 7)), plan(first=(3, 6, 5, 7))
    assert two == three
    assert hash(two) == hash(three)
    assert two.shape != three.shape
    assert two != plan(dtype="float64")
    assert two != plan(stride=2)


def test_every_condition_is_explained():
    text = str(explain((1, 1, 2**15), (1, 1, 2**10), padding=512))
    assert f"polyphase in float32 for {CONDITIONS['spectra']}" in text
    assert f"direct for {CONDITIONS['infinite kernel']}" in text
    text = str(explain((2, 6, 5, 7), (6, 4, 3, 4), dtype="int32"))
    assert "\n  computed in float64\n" in text
    assert f"\n  in int32 for {CONDITIONS['sums']}" in text


# ----------------------------------------------------------------------------------- limits


def sized(small, big, kernel, groups=2, channels=(8, 8), batch=2):
    """Plan a transposed convolution of one axis whose sizes are given."""
    spec = ConvSpec((Axis(small, big, kernel),), groups, *channels)
    shapes = (batch, channels[0], small), spec.kernel_shape
    return plan_for_spec("conv_transpose", spec, *shapes, "float32", "gemm", "numpy")


@pytest.mark.parametrize(
    ("array", "others"),
    [
        ({"small": 2**43}, {"big": 5, "kernel": 3}),  # 2 samples of 8 channels
        ({"big": 2**43}, {"small": 5, "kernel": 3}),
        ({"kernel": 2**42}, {"small": 5, "big": 7}),  # 8 by 4 channels
        ({"batch": 2**42}, {"small": 4, "big": 3, "kernel": 3}),  # 8 by 4 elements
        ({"batch": 2**42}, {"small": 3, "big": 4, "kernel": 3}),
    ],
)
def test_no_array_has_more_than_2_to_47_elements(array, others):
    assert sized(**array, **others).algorithm == "gemm"
    ((name, size),) = array.items()
    with pytest.raises(GeometryError) as caught:
        sized(**{name: size + 1}, **others)
    elements = 2**47 // size * (size + 1)
    assert str(caught.value) == (
        "conv_transpose: `x` must not lead to an array of more than 2**47 = "
        f"140737488355328 elements; got {elements} elements. Check stride, padding and "
        'output_size. Three axes include channels here; layout="DHW", kernel_layout="DHW" '
        "reads a bare volume."
    )


def test_an_empty_batch_is_judged_as_if_it_were_one_sample():
    assert sized(2**44, 5, 3, batch=0).algorithm == "direct"
    with pytest.raises(GeometryError, match=r"got 140737488355336 elements\."):
        sized(2**44 + 1, 5, 3, batch=0)


def test_numbers_of_a_hundred_digits_are_not_written_out():
    with pytest.raises(GeometryError, match=f"got {2**199} elements"):
        sized(2**195, 5, 3)
    with pytest.raises(GeometryError, match=r"got more than 2\*\*200 elements"):
        sized(2**197, 5, 3)


@pytest.mark.parametrize("argument", ["stride", "dilation", "padding"])
def test_steps_are_at_most_2_to_256(argument):
    def planned(step):
        steps = {"stride": step} if argument == "stride" else {}
        steps |= {"dilation": step - 1} if argument == "dilation" else {}  # of two taps
        steps |= {"lo": step} if argument == "padding" else {}
        spec = ConvSpec((Axis(3, 5, 2), Axis(3, 5, 2, **steps)))
        return plan_for_spec(
            "conv_transpose", spec, (3, 3), (2, 2), "float32", "gemm", "numpy"
        )

    assert planned(2**255).algorithm == "gemm"
    with pytest.raises(GeometryError) as caught:
        planned(2**256 + 1)
    rule = f"`{argument}` must not lead to offsets of more than 2**256; got "
    assert rule in str(caught.value)


@pytest.mark.parametrize(("size", "asked"), [(None, ()), (5, (5,)), ((5, 6), (5, 6))])
def test_sizes_that_are_asked_for_are_one_for_each_axis(size, asked):
    assert asked_size(freeze("conv_transpose", output_size=size)) == asked
    assert asked_size(ConvSpec((Axis(3, 5, 3),))) == ()
