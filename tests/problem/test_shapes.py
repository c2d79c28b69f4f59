"""Shapes before there are arrays, against shapes worked out by hand and against arrays."""

import numpy as np
import pytest
from hypothesis import given

import mtconv
from mtconv import GeometryError, conv_shape, conv_transpose_shape, input_sizes
from mtconv.strategies import problems

# The layers that decoders are made of: x, kernel, options, result.
LAYERS = [
    # A generator's layer, twice as large.
    ((8, 512, 4, 4), (512, 256, 4, 4), {"stride": 2, "padding": 1}, (8, 256, 8, 8)),
    # An encoder of 23 rows made 12; its decoder needs to be told which of two it was.
    ((1, 1, 12), (1, 1, 3), {"stride": 2, "padding": 1}, (1, 1, 23)),
    ((1, 1, 12), (1, 1, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (1, 1, 24)),
    ((1, 1, 12), (1, 1, 3), {"stride": 2, "padding": 1, "output_size": 24}, (1, 1, 24)),
    # Unbatched, channels last, and the bare image.
    ((3, 5, 5), (3, 2, 3, 3), {}, (2, 7, 7)),
    (
        (8, 16, 16, 3),
        (4, 4, 3, 5),
        {"stride": 2, "layout": "NHWC", "kernel_layout": "HWIO"},
        (8, 34, 34, 5),
    ),
    ((5, 6), (2, 3), {"padding": ((0, 1), (-1, 0))}, (5, 9)),
    # "same" multiplies by the stride, whatever the kernel.
    ((1, 1, 7, 7), (1, 1, 5, 2), {"stride": (3, 2), "padding": "same"}, (1, 1, 21, 14)),
    ((1, 1, 7), (1, 1, 1), {"stride": 3, "padding": "same_lower"}, (1, 1, 21)),
    ((1, 1, 7), (1, 1, 9), {"padding": "valid"}, (1, 1, 15)),
    # Groups share out the channels, dilation stretches the kernel.
    ((2, 6, 4), (6, 5, 3), {"groups": 3, "dilation": 4}, (2, 15, 12)),
    # Bare volumes need a layout; four axes and more need none.
    ((2, 3, 4), (2, 2, 2), {"layout": "DHW"}, (3, 4, 5)),
    ((1, 2, 3, 3, 3, 3), (2, 1, 2, 2, 2, 2), {}, (1, 1, 4, 4, 4, 4)),
    # A batch of bare images.
    ((9, 3, 4), (2, 2), {"layout": "NHW"}, (9, 4, 5)),
]


@pytest.mark.parametrize(("x", "kernel", "options", "result"), LAYERS)
def test_of_conv_transpose(x, kernel, options, result):
    assert conv_transpose_shape(x, kernel, **options) == result


@pytest.mark.parametrize(("x", "kernel", "options", "result"), LAYERS)
def test_conv_maps_the_result_back(x, kernel, options, result):
    options = {k: v for k, v in options.items() if not k.startswith("output_")}
    if "kernel_layout" in options:
        options["kernel_layout"] = "HWOI"  # this call's channels are the other ones
    assert conv_shape(result, kernel, **options) == x


@given(case=problems(layouts=True))
def test_arrays_have_the_shapes_that_were_said(case):
    got = mtconv.conv_transpose(case.x, case.kernel, **case.options)
    assert got.shape == conv_transpose_shape(
        case.x.shape, case.kernel.shape, **case.options
    )
    got = mtconv.conv(case.y, case.kernel, **case.conv_options)
    assert got.shape == conv_shape(case.y.shape, case.kernel.shape, **case.conv_options)


def test_shapes_take_lists_and_numpy_integers():
    shape = conv_transpose_shape(
        [np.int64(1), 1, 2], np.array([1, 1, 3]), stride=np.array([2]), padding=np.int8(1)
    )
    assert shape == (1, 1, 3)
    assert all(type(size) is int for size in shape)


def test_shapes_are_exact_however_large():
    assert conv_transpose_shape((1, 1, 10**12), (1, 1, 3), stride=10**9)[-1] == (
        10**9 * (10**12 - 1) + 3
    )


def test_empty_batches_and_channels_have_shapes():
    assert conv_transpose_shape((0, 2, 3), (2, 5, 2)) == (0, 5, 4)
    assert conv_transpose_shape((1, 0, 3), (0, 5, 2)) == (1, 5, 4)
    assert conv_shape((1, 5, 4), (0, 5, 2)) == (1, 0, 3)


class TestInputSizes:
    def test_of_conv_transpose_is_one_size_or_none(self):
        assert input_sizes(9, 3, stride=2) == ((4,),)
        assert input_sizes(10, 3, stride=2) == ((4,),)  # with output_padding=1
        assert input_sizes(11, 3, stride=2) == ((5,),)
        assert input_sizes(2, 3) == ((),)

    def test_of_conv_are_the_legal_output_sizes(self):
        assert input_sizes(16, 4, form="conv", stride=2, padding=1) == ((32, 33),)
        assert input_sizes((5, 5), (3, 3), form="conv", stride=(1, 3)) == (
            (7,),
            (15, 16, 17),
        )

    def test_of_same(self):
        assert input_sizes(5, 4, form="conv", stride=3, padding="same") == ((13, 14, 15),)
        assert input_sizes(13, 4, stride=3, padding="same") == ((5,),)

    @given(case=problems(options=("stride", "padding", "dilation", "output_size")))
    def test_they_are_all_sizes_that_lead_there(self, case):
        spec, options = case.spec, case.conv_options
        sizes = input_sizes(spec.small, spec.kernel_size, form="conv", **options)
        for axis, legal in enumerate(sizes):
            assert spec.big[axis] in legal
            for size in (*legal, legal[0] - 1, legal[-1] + 1):
                big = (*spec.big[:axis], size, *spec.big[axis + 1 :])
                got = small_sides(big, spec.kernel_size, options)
                assert (got == spec.small) is (size in legal)


def small_sides(big, kernel_size, options):
    try:
        return conv_shape((1, *big), (1, 1, *kernel_size), **options)[1:]
    except GeometryError:
        return None
