"""The Hypothesis strategies reach every branch, are right, quick, and shrink to little."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import mtconv
from mtconv import compat
from mtconv.strategies import Case, options_for, problems, specs

FIND = settings(max_examples=3000, database=None, suppress_health_check=list(HealthCheck))
MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


def axes(case):
    return case.spec.axes


def smallest(case):
    """Whether an explicit output size is the default one."""
    options = {k: v for k, v in case.options.items() if k != "output_size"}
    if options == case.options or all(a.stride == 1 for a in axes(case)):
        return False
    try:
        shape = mtconv.conv_transpose_shape(case.x.shape, case.kernel.shape, **options)
    except mtconv.GeometryError:  # no default size, for example a natural one below 1
        return False
    return shape == case.y.shape


def largest(case):
    """Whether one cell more would make the last axis's small side larger."""
    larger = (*case.y.shape[:-1], case.y.shape[-1] + 1)
    small = mtconv.conv_shape(larger, case.kernel.shape, **case.conv_options)
    return axes(case)[-1].stride > 1 and small[-1] == case.x.shape[-1] + 1


BRANCHES = {
    "kernel below the stride": lambda c: any(a.kernel < a.stride for a in axes(c)),
    "padding beyond the kernel": lambda c: any(a.lo > a.extent for a in axes(c)),
    "zero extension": lambda c: any(a.lo < 0 and a.hi < 0 for a in axes(c)),
    "asymmetric padding": lambda c: isinstance(c.options.get("padding"), tuple),
    "padding by a word": lambda c: c.options.get("padding") == "same_lower",
    "smallest legal size": smallest,
    "largest legal size": lambda c: "output_size" in c.options and largest(c),
    "largest output padding": lambda c: "output_padding" in c.options and largest(c),
    "natural size of zero or less": lambda c: (
        "output_size" in c.options
        and isinstance(c.options.get("padding", 0), (int, tuple))
        and any(a.stride * (a.small - 1) + a.extent - 2 * a.lo <= 0 for a in axes(c))
    ),
    "stride and dilation with a common factor": lambda c: any(
        a.stride == a.dilation > 1 for a in axes(c)
    ),
    "groups with unequal channels": lambda c: (
        c.spec.groups > 1 and c.spec.small_channels != c.spec.big_channels
    ),
    "empty batch": lambda c: c.x.size == 0,
    "no batch": lambda c: c.spec.small_channels is not None and c.x.ndim == c.spec.rank + 1,
    "bias": lambda c: c.bias is not None,
    "three axes": lambda c: c.spec.rank == 3,
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_branch_is_reached(branch):
    find(problems(), BRANCHES[branch], settings=FIND)


@pytest.mark.parametrize("mode", MODES)
def test_every_padding_mode_is_reached(mode):
    case = find(
        problems(padding_modes=MODES), lambda c: c.spec.padding_mode == mode, settings=FIND
    )
    assert case.options.get("padding_mode", "zeros") == mode


@given(case=problems(padding_modes=MODES, layouts=True))
def test_every_case_is_valid_for_all_three_maps(case):
    y = mtconv.conv_transpose(case.x, case.kernel, case.bias, **case.options)
    assert y.shape == case.y.shape
    assert mtconv.conv(case.y, case.kernel, **case.conv_options).shape == case.x.shape
    dw = mtconv.kernel_grad(case.x, case.y, **case.grad_options)
    assert dw.shape == case.kernel.shape


@given(case=problems(options=("stride",), kinds=("batched",), ranks=(2,), bias=False))
def test_options_that_are_left_out_keep_their_defaults(case):
    assert set(case.options) <= {"stride"}
    assert case.x.ndim == 4
    assert case.bias is None


@given(case=problems(paddings=("ints",), options=("padding", "output_padding", "stride")))
def test_paddings_of_integers_are_symmetric_and_not_negative(case):
    padding = case.options.get("padding", 0)
    values = padding if isinstance(padding, tuple) else (padding,)
    assert all(isinstance(p, int) and p >= 0 for p in values)


@given(case=problems(dtypes=("float32", "uint8"), batches=(2,), kinds=("batched",)))
def test_dtypes_and_batches_are_the_ones_asked_for(case):
    assert case.x.dtype == case.kernel.dtype == case.y.dtype
    assert case.x.dtype in (np.float32, np.uint8)
    assert len(case.x) == len(case.y) == 2


@given(case=problems(integer_valued=False, dtypes=("float64",)))
def test_numbers_need_not_be_integers(case):
    assert case.kernel.size == 0 or (case.kernel % 1).any()


@given(case=problems())
def test_the_printed_case_is_the_call(case):
    names = {"conv_transpose": mtconv.conv_transpose, "numpy": np}
    expected = mtconv.conv_transpose(case.x, case.kernel, case.bias, **case.options)
    np.testing.assert_array_equal(eval(repr(case), names), expected)


@given(spec=specs(ranks=(2,)))
def test_specs_are_the_specs_of_cases(spec):
    assert isinstance(spec, mtconv.ConvSpec)
    assert spec.rank == 2


@pytest.mark.parametrize(
    ("strategy", "call"),
    [
        (problems(), "conv_transpose(x=[1], kernel=[1])"),
        (problems(kinds=("batched",)), "conv_transpose(x=[[[1]]], kernel=[[[1]]])"),
        (problems(ranks=(2,)), "conv_transpose(x=[[1]], kernel=[[1]])"),
        (
            problems(dtypes=("float32",)),
            "conv_transpose(x=numpy.array([1.0], 'float32'), "
            "kernel=numpy.array([1.0], 'float32'))",
        ),
    ],
)
def test_what_cases_shrink_to(strategy, call):
    assert repr(find(strategy, lambda _: True, settings=FIND)) == call


def test_a_stride_shrinks_to_one_option():
    case = find(problems(), lambda c: axes(c)[0].stride > 1, settings=FIND)
    assert repr(case) == "conv_transpose(x=[1], kernel=[1], stride=2)"


def test_cases_are_built_and_not_filtered():
    drawn = []

    @settings(max_examples=100, database=None, deadline=None, phases=[Phase.generate])
    @given(data=st.data())
    def count(data):
        drawn.append(isinstance(data.draw(problems(layouts=True)), Case))

    count()
    assert len(drawn) == 100
    assert all(drawn)


SIZE, TAPS = (3, 4), (2, 3)
LAST = (np.ones((1, *SIZE, 1)), np.ones((*TAPS, 1, 1)))
FIRST = (np.ones((1, 1, *SIZE)), np.ones((1, 1, *TAPS)))
CALLS = {
    "torch": lambda o: compat.torch.conv_transpose2d(*FIRST, **o),
    "jax": lambda o: compat.jax.conv_transpose(
        *LAST, o.pop("strides"), o.pop("padding"), **o
    ),
    "flax": lambda o: compat.flax.conv_transpose(*LAST, **o),
    "haiku": lambda o: compat.haiku.conv_transpose(*LAST, **o),
    "equinox": lambda o: compat.equinox.conv_transpose(FIRST[0][0], FIRST[1], **o),
    "keras": lambda o: compat.keras.conv_transpose(*LAST, **o),
    "tensorflow": lambda o: compat.tensorflow.conv_transpose(
        *LAST, (1, *o.pop("output_shape")[1:-1], 1), **o
    ),
    "onnx": lambda o: compat.onnx.ConvTranspose(*FIRST, **o),
    "tinygrad": lambda o: compat.tinygrad.conv_transpose2d(*FIRST, **o),
    "mlx": lambda o: compat.mlx.conv_transpose2d(LAST[0], np.ones((1, *TAPS, 1)), **o),
    "matlab": lambda o: compat.matlab.convmtx2(np.ones(TAPS), **o),
}


@pytest.mark.parametrize("framework", CALLS)
@given(data=st.data())
def test_options_of_frameworks_are_legal_for_their_calls(framework, data):
    options = data.draw(options_for(framework, size=SIZE, kernel_size=TAPS))
    assert CALLS[framework](dict(options)).size > 0


def test_an_unknown_framework_is_refused():
    with pytest.raises(ValueError, match="one of mtconv, torch, jax"):
        options_for("theano", size=SIZE, kernel_size=TAPS)
