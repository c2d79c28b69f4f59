"""`ConvSpec`: frozen, hashable, printable, picklable, and a static argument under jit."""

import pickle
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from functools import partial

import numpy as np
import pytest
from hypothesis import given

import mtconv
from mtconv import ConvSpec, GeometryError
from mtconv.functional import apply_spec
from mtconv.geometry import Axis
from mtconv.strategies import problems, specs

SPEC = ConvSpec.from_shapes((8, 4, 5, 6), (4, 3, 3, 2), stride=(2, 1), padding=1, groups=2)


def test_it_holds_integers_and_no_batch():
    assert (
        ConvSpec(
            axes=(
                Axis(small=5, big=9, kernel=3, stride=2, dilation=1, lo=1),
                Axis(small=6, big=5, kernel=2, stride=1, dilation=1, lo=1),
            ),
            groups=2,
            small_channels=4,
            big_channels=6,
        )
        == SPEC
    )
    assert (
        ConvSpec.from_shapes(
            (4, 5, 6), (4, 3, 3, 2), stride=[2, 1], padding=[(1, 1), (1, 1)], groups=2
        )
        == SPEC
    )


def test_properties():
    assert SPEC.rank == 2
    assert SPEC.small == (5, 6)
    assert SPEC.big == (9, 5)
    assert SPEC.kernel_size == (3, 2)
    assert SPEC.kernel_shape == (4, 3, 3, 2)
    # 15 - 2 and 12 - 2 taps that are not cropped, for 4 x 3 pairs of channels.
    assert SPEC.multiply_adds == 13 * 10 * 12


def test_a_bare_kernel_counts_as_one_channel_on_each_side():
    bare = ConvSpec(axes=(Axis(small=3, big=5, kernel=3),))
    assert bare == ConvSpec.from_shapes((3,), (3,))
    assert bare.groups == 1
    assert bare.kernel_shape == (1, 1, 3)
    assert bare.multiply_adds == 9
    for half in (ConvSpec(bare.axes, 1, 2, None), ConvSpec(bare.axes, 1, None, 2)):
        assert half.kernel_shape == (1, 1, 3)


def test_the_relation_inside_a_padding_mode_has_the_padding_taken_in():
    spec = ConvSpec.from_shapes(
        (2, 4), (2, 3, 3), stride=2, padding=1, padding_mode="circular", layout="CL"
    )
    assert spec.big == (7,)
    assert spec.padded == ConvSpec.from_shapes((2, 4), (2, 3, 3), stride=2, layout="CL")
    assert spec.padded.big == (9,)


@given(spec=specs(layouts=True, padding_modes=("zeros", "circular")))
def test_round_trips(spec):
    again = eval(repr(spec), {"ConvSpec": ConvSpec, "Axis": Axis})
    assert again == spec
    assert hash(again) == hash(spec)
    restored = pickle.loads(pickle.dumps(spec))
    assert restored == spec
    assert hash(restored) == hash(spec)


def test_a_pickle_serves_another_process_whose_strings_hash_otherwise():
    spec = ConvSpec.from_shapes((3, 5), (3, 2, 2), layout="CL")
    hash(spec)  # what the pickle must not carry along
    code = f"""
import pickle, sys
from mtconv import ConvSpec
spec = pickle.loads({pickle.dumps(spec)!r})
same = ConvSpec.from_shapes((3, 5), (3, 2, 2), layout="CL")
assert spec == same and hash(spec) == hash(same)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_specs_differ_where_any_part_does():
    others = {
        ConvSpec.from_shapes((4, 5), (4, 3, 3)),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), stride=2),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), groups=2),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), padding=1),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), padding=1, padding_mode="circular"),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), layout="CL"),
        ConvSpec.from_shapes((4, 5), (4, 3, 3), kernel_layout="IOL"),
    }
    assert len(others) == 7


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        SPEC.groups = 1


@given(case=problems(layouts=True, bias=False))
def test_its_methods_are_the_three_maps(case):
    spec = case.spec
    same = np.testing.assert_array_equal
    same(
        spec.conv_transpose(case.x, case.kernel),
        mtconv.conv_transpose(case.x, case.kernel, **case.options),
    )
    same(
        spec.conv(case.y, case.kernel),
        mtconv.conv(case.y, case.kernel, **case.conv_options),
    )
    same(
        spec.kernel_grad(case.x, case.y),
        mtconv.kernel_grad(case.x, case.y, **case.grad_options),
    )


def test_it_serves_any_batch_and_bias():
    spec = ConvSpec.from_shapes((1, 2, 3), (2, 2, 2))
    kernel, x = np.arange(8).reshape(2, 2, 2), np.arange(30).reshape(5, 2, 3)
    got = spec.conv_transpose(x, kernel, [100, 200])
    assert got.shape == (5, 2, 4)
    np.testing.assert_array_equal(got[3], spec.conv_transpose(x[3], kernel, [100, 200]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda s: s.conv_transpose(np.ones((1, 2, 4)), np.ones((2, 2, 2))),
            "`x` must have",
        ),
        (lambda s: s.conv(np.ones((1, 2, 3)), np.ones((2, 2, 2))), "`x` must have"),
        (lambda s: s.conv(np.ones((1, 2, 4)), np.ones((2, 2, 3))), "`kernel` must have"),
        (lambda s: s.kernel_grad(np.ones((1, 2, 3)), np.ones((1, 2, 5))), "`y` must have"),
        (
            lambda s: s.kernel_grad(np.ones((1, 2, 3)), np.ones((2, 2, 4))),
            "`y` must be batched as x",
        ),
        (
            lambda s: s.conv_transpose(np.ones((1, 2, 3)), np.ones((2, 2, 2)), np.ones(3)),
            "`bias` must have",
        ),
    ],
)
def test_it_refuses_other_shapes(call, text):
    with pytest.raises(GeometryError, match=text):
        call(ConvSpec.from_shapes((1, 2, 3), (2, 2, 2)))


def test_it_is_a_static_argument_under_jit(jax_numpy, same):
    jax = pytest.importorskip("jax")
    spec = ConvSpec.from_shapes((1, 2, 3), (2, 1, 2), stride=2)
    compiled = jax.jit(
        lambda x, kernel, spec: spec.conv_transpose(x, kernel), static_argnames="spec"
    )
    x, kernel = jax_numpy.arange(6.0).reshape(1, 2, 3), np.arange(4.0).reshape(2, 1, 2)
    same(compiled(x, kernel, spec=spec), spec.conv_transpose(x, kernel))


def test_bare_volumes_need_no_layout_with_a_spec(same):
    spec = ConvSpec((Axis(2, 3, 2), Axis(1, 2, 2), Axis(3, 3, 1)))
    x, kernel = np.arange(6).reshape(2, 1, 3), np.arange(4).reshape(2, 2, 1)
    y = mtconv.conv_transpose(x, kernel, layout="DHW")
    same(spec.conv_transpose(x, kernel), y)
    same(spec.kernel_grad(x, y), mtconv.kernel_grad(x, y, kernel_size=(2, 2, 1)))


def test_sizes_that_are_not_the_specs_are_named_in_its_order():
    spec = ConvSpec.from_shapes((1, 4, 2), (2, 3, 2), layout="NLC")
    rule = re.escape(
        "spec's sizes (2, 4) in the order channels, space; got shape (1, 5, 2)"
    )
    with pytest.raises(mtconv.GeometryError, match=rule):
        spec.conv_transpose(np.ones((1, 5, 2)), np.ones((2, 3, 2)))


def test_layouts_may_be_any_kind_of_string():
    x, kernel = np.ones((1, 5, 2)), np.ones((3, 2, 1))
    assert mtconv.conv(x, kernel, layout=np.str_("NLC")).shape == (1, 5, 3)


@pytest.mark.parametrize(
    ("x", "kernel", "options", "wanted"),
    [
        ((5,), (2, 2, 3), {"layout": "L"}, "1 dimension (1 spatial axis)"),
        ((1, 2, 5), (3,), {"layout": "NCL"}, "(input and output channels and 1 spatial"),
        ((1, 2, 5), (2, 3), {"kernel_layout": "OIL"}, "dimensions (kernel_layout='OIL')"),
    ],
)
def test_kernels_of_other_dimensions_than_the_layouts(x, kernel, options, wanted):
    with pytest.raises(mtconv.GeometryError, match=re.escape(wanted)):
        mtconv.conv(np.ones(x), np.ones(kernel), **options)


def test_how_to_compute_is_said_by_name():
    x, kernel = np.ones((1, 1, 3)), np.ones((1, 1, 2))
    spec = ConvSpec.from_shapes(x.shape, kernel.shape)
    for call in (spec.conv_transpose, partial(apply_spec, "conv_transpose", spec)):
        assert call(x, kernel, None, algorithm="gemm").shape == (1, 1, 4)
        with pytest.raises(TypeError):
            call(x, kernel, None, "gemm")
