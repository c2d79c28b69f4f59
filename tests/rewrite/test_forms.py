"""Rewritten forms of any problem, and the way back from a convolution and a shuffle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.rewrite import (
    as_conv_and_shuffle,
    as_phases,
    as_zero_insertion,
    from_conv_and_shuffle,
)
from mtconv.strategies import problems
from mtconv.testing import reference_conv_transpose

FORMS = [as_conv_and_shuffle, as_phases, as_zero_insertion]


@pytest.mark.parametrize("form", FORMS)
def test_any_problem_in_another_form(form):
    @settings(max_examples=100)
    @given(problems(layouts=True, dtypes=("int64", "float32", "complex64")))
    def equal(case):
        rewritten = form(case.spec, case.kernel, case.bias)
        expected = reference_conv_transpose(case.x, case.kernel, case.bias, **case.options)
        got = rewritten(case.x)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)

    equal()


def test_the_convolution_is_dense_where_the_stride_divides_the_kernel():
    spec = mtconv.ConvSpec.from_shapes((1, 2, 8, 8), (2, 3, 4, 4), stride=2, padding=1)
    kernel = np.ones(spec.kernel_shape, "int64")
    form = as_conv_and_shuffle(spec, kernel)
    assert form.kernel.shape == (3 * 4, 2, 3, 3)
    phases = as_phases(spec, kernel).phases
    assert [phase.kernel.shape for phase in phases] == [(3, 2, 2, 2)] * 4
    assert sum(phase.kernel.size for phase in phases) == kernel.size


def test_a_dilation_that_all_offsets_share_stays_one():
    spec = mtconv.ConvSpec.from_shapes((1, 1, 8), (1, 1, 3), dilation=4)
    form = as_conv_and_shuffle(spec, np.array([[[1, 2, 3]]]))
    assert form.kernel.tolist() == [[[3, 2, 1]]]
    assert form.dilation == (4,)


@pytest.mark.parametrize("form", [as_phases])
def test_nan_stays_where_the_kernel_takes_it(form):
    spec = mtconv.ConvSpec.from_shapes((4,), (2,), stride=3)
    got = form(spec, [1.0, 2.0])(np.array([1.0, np.nan, 3.0, 4.0]))
    expected = mtconv.conv_transpose([1.0, np.nan, 3.0, 4.0], [1.0, 2.0], stride=3)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("form", FORMS)
def test_under_jax_with_gradients(form):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    spec = mtconv.ConvSpec.from_shapes((1, 2, 5), (2, 3, 4), stride=3, padding=1)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(-4, 5, (1, 2, 5)).astype("float32"))
    w = jnp.asarray(rng.integers(-4, 5, (2, 3, 4)).astype("float32"))

    def loss(x, w):
        return (form(spec, w)(x) * jnp.arange(14.0)).sum()

    def expected(x, w):
        return (spec.conv_transpose(x, w) * jnp.arange(14.0)).sum()

    got = jax.jit(jax.grad(loss, (0, 1)))(x, w)
    for gradient, wanted in zip(got, jax.grad(expected, (0, 1))(x, w), strict=True):
        np.testing.assert_array_equal(gradient, wanted)


def shuffled(y, block, order):
    """Depth to space, element by element."""
    batch, channels, *space = y.shape
    phases = int(np.prod(block))
    out = np.zeros((batch, channels // phases, *np.multiply(space, block)), y.dtype)
    for c in range(channels // phases):
        for number, phase in enumerate(np.ndindex(*block)):
            index = number * (channels // phases) + c
            if order == "CRD":
                index = c * phases + number
            places = tuple(slice(p, None, b) for p, b in zip(phase, block, strict=True))
            out[(slice(None), c, *places)] = y[:, index]
    return out


@st.composite
def sub_pixels(draw):
    rank = draw(st.integers(1, 2))
    numbers = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    block, taps, dilation = (tuple(draw(numbers)) for _ in range(3))
    groups, before, after = (draw(st.integers(1, 2)) for _ in range(3))
    order = draw(st.sampled_from(["CRD", "DCR"])) if groups == 1 else "CRD"
    pads = st.tuples(st.integers(0, 3), st.integers(0, 3))
    padding = tuple(draw(pads) for _ in range(rank))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    channels = groups * after
    kernel = rng.integers(-4, 5, (channels * np.prod(block), before, *taps))
    spans = (d * (k - 1) + 1 for d, k in zip(dilation, taps, strict=True))
    space = [draw(st.integers(span, 7)) for span in spans]
    x = rng.integers(-4, 5, (2, groups * before, *space))
    bias = rng.integers(-4, 5, channels)
    options = {"padding": padding, "dilation": dilation, "groups": groups}
    return x, kernel, bias, block, order, options


@settings(max_examples=150)
@given(sub_pixels())
def test_a_convolution_and_a_shuffle_is_one_transposed_convolution(drawn):
    x, kernel, bias, block, order, options = drawn
    phases = int(np.prod(block))
    wide = np.repeat(bias, phases) if order == "CRD" else np.tile(bias, phases)
    expected = shuffled(mtconv.conv(x, kernel, wide, **options), block, order)
    form = from_conv_and_shuffle(kernel, wide, block=block, order=order, **options)
    got = mtconv.conv_transpose(x, form.kernel, form.bias, **form.options)
    np.testing.assert_array_equal(got, expected)


@settings(max_examples=60)
@given(problems(kinds=("batched",), options=("stride", "dilation", "groups")))
def test_there_and_back(case):
    there = as_conv_and_shuffle(case.spec, case.kernel, case.bias)
    back = from_conv_and_shuffle(
        there.kernel,
        there.bias,
        block=there.block,
        padding=there.padding,
        dilation=there.dilation,
        groups=there.groups,
    )
    got = mtconv.conv_transpose(case.x, back.kernel, back.bias, **back.options)
    expected = reference_conv_transpose(case.x, case.kernel, case.bias, **case.options)
    kept = tuple(slice(0, size) for size in case.spec.big)
    np.testing.assert_array_equal(got[(..., *kept)], expected)


def test_icnr_starts_as_nearest_neighbours():
    # A convolution whose phases are all alike repeats each pixel, and so does its kernel.
    single = np.random.default_rng(0).integers(-4, 5, (3, 2, 3, 3))
    kernel = np.repeat(single, 4, 0)
    form = from_conv_and_shuffle(kernel, block=2, padding=1)
    x = np.random.default_rng(1).integers(-4, 5, (1, 2, 5, 4))
    got = mtconv.conv_transpose(x, form.kernel, **form.options)
    expected = mtconv.conv(x, single, padding=1).repeat(2, 2).repeat(2, 3)
    np.testing.assert_array_equal(got, expected)
    pixels = form.kernel[:, :, ::2, ::2]
    for row, column in np.ndindex(2, 2):
        np.testing.assert_array_equal(form.kernel[:, :, row::2, column::2], pixels)


REFUSED = {
    "padding mode": (
        lambda: as_phases(
            mtconv.ConvSpec.from_shapes((3,), (3,), padding=1, padding_mode="circular"),
            [1, 2, 3],
        ),
        "as_phases: `spec` must have padding_mode='zeros'; got 'circular'. Pad the input "
        "of the convolution beforehand.",
    ),
    "kernel": (
        lambda: as_phases(mtconv.ConvSpec.from_shapes((3,), (3,)), [1, 2]),
        "as_phases: `kernel` must have the spec's sizes (3,); got shape (2,).",
    ),
    "bias": (
        lambda: as_phases(mtconv.ConvSpec.from_shapes((3,), (3,)), [1, 2, 3], [1]),
        "as_phases: `bias` must have one value per output channel of a kernel with "
        "channels; got shape (1,).",
    ),
    "channels": (
        lambda: from_conv_and_shuffle(np.ones((3, 1, 3)), block=2),
        "from_conv_and_shuffle: `kernel` must have a multiple of prod(block) = 2 output "
        "channels; got 3.",
    ),
    "biases of phases": (
        lambda: from_conv_and_shuffle(np.ones((2, 1, 3)), [1, 2], block=2),
        "from_conv_and_shuffle: `bias` must have shape (2,), the same for all phases of a "
        "channel; got biases that differ from phase to phase. Add other biases after the "
        "shuffle.",
    ),
    "groups in another order": (
        lambda: from_conv_and_shuffle(np.ones((4, 1, 3)), block=2, groups=2, order="DCR"),
        "from_conv_and_shuffle: `order` must be 'CRD' with groups, whose channels lie "
        "apart otherwise; got 'DCR'.",
    ),
    "same": (
        lambda: from_conv_and_shuffle(np.ones((4, 1, 3)), block=2, padding="same"),
        "from_conv_and_shuffle: `padding` must be integers; got 'same'.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_these_words(name):
    call, text = REFUSED[name]
    with pytest.raises(mtconv.GeometryError) as error:
        call()
    assert str(error.value) == text
