"""Hostile and unusual types in the calls of other frameworks, and in conversions."""

import numpy as np
import pytest

from mtconv import BackendError, GeometryError
from mtconv.compat import (
    convert,
    convert_kernel,
    equinox,
    flax,
    haiku,
    jax,
    keras,
    matlab,
    mlx,
    onnx,
    tensorflow,
    tinygrad,
    torch,
)
from mtconv.compat.registry import FRAMEWORKS

X = np.array([[[1, 2, 0, 3]]])
KERNEL = np.array([[[1, 10, 100]]])


def refused(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text


# Every argument of a framework's call that is a sequence, with values for two axes.
IMAGE = np.arange(12).reshape(1, 1, 3, 4) % 5
TAPS = np.array([[[[1, 10], [100, 1000], [2, 3]]]])
LAST, LAST_TAPS = IMAGE.transpose(0, 2, 3, 1), TAPS.transpose(2, 3, 0, 1)
SEQUENCES = {
    torch.conv_transpose2d: (
        (IMAGE, TAPS),
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "dilation": (1, 2)},
    ),
    torch.conv2d: (
        (IMAGE, TAPS),
        {"stride": (2, 3), "padding": (1, 2), "dilation": (1, 2)},
    ),
    jax.conv_transpose: (
        (LAST, LAST_TAPS),
        {"strides": (2, 3), "padding": ((1, 2), (0, 1)), "rhs_dilation": (1, 2)},
    ),
    flax.conv_transpose: (
        (LAST, LAST_TAPS),
        {"strides": (2, 3), "padding": ((1, 2), (0, 1)), "kernel_dilation": (1, 2)},
    ),
    haiku.conv_transpose: (
        (LAST, LAST_TAPS),
        {"stride": (2, 3), "output_shape": (5, 12)},
    ),
    equinox.conv_transpose: (
        (IMAGE[0], TAPS),
        {
            "stride": (2, 3),
            "padding": ((1, 2), (0, 1)),
            "output_padding": (1, 2),
            "dilation": (1, 2),
        },
    ),
    keras.conv_transpose: (
        (LAST, LAST_TAPS),
        {"strides": (2, 3), "output_padding": (1, 2), "dilation_rate": (1, 2)},
    ),
    tensorflow.conv_transpose: (
        (LAST, LAST_TAPS),
        {
            "output_shape": (1, 5, 12, 1),
            "strides": (1, 2, 3, 1),
            "padding": ((0, 0), (1, 1), (0, 1), (0, 0)),
            "dilations": (1, 2),
        },
    ),
    tinygrad.conv_transpose2d: (
        (IMAGE, TAPS),
        {
            "stride": (2, 3),
            "padding": (1, 2, 0, 1),
            "output_padding": (1, 2),
            "dilation": (1, 2),
        },
    ),
    mlx.conv_transpose2d: (
        (LAST, TAPS.transpose(0, 2, 3, 1)),
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "dilation": (1, 2)},
    ),
    onnx.ConvTranspose: (
        (IMAGE, TAPS),
        {
            "strides": (2, 3),
            "pads": (1, 0, 2, 1),
            "output_padding": (1, 2),
            "dilations": (1, 2),
            "kernel_shape": (3, 2),
        },
    ),
}


@pytest.mark.parametrize("function", SEQUENCES, ids=lambda f: f.__module__ + f.__name__)
def test_sequences_of_other_frameworks_may_be_arrays(function):
    arrays, options = SEQUENCES[function]
    expected = function(*arrays, **options)
    for dtype in ("i8", "i4", "u1"):
        for single in options:
            changed = options | {single: np.array(options[single], dtype)}
            assert (function(*arrays, **changed) == expected).all(), single
        every = {name: np.array(value, dtype) for name, value in options.items()}
        assert (function(*arrays, **every) == expected).all()


# By hand: 1 10 100, 2 20 200 and 3 30 300 start at cells 0, 2 and 4.
FULL = [1, 10, 102, 20, 203, 30, 300]


@pytest.mark.parametrize(
    ("attributes", "cells"),
    [
        ({}, slice(0, 7)),
        ({"auto_pad": b"SAME_UPPER"}, slice(0, 6)),
        ({"auto_pad": b"SAME_LOWER"}, slice(1, 7)),
        ({"auto_pad": b"VALID"}, slice(0, 7)),
        ({"auto_pad": b"NOTSET", "pads": np.array([1, 2])}, slice(1, 5)),
        ({"auto_pad": np.str_("SAME_UPPER"), "pads": np.zeros(2, int)}, slice(0, 6)),
        ({"output_shape": np.array([6])}, slice(1, 7)),
        ({"output_shape": np.array([1, 1, 6])}, slice(1, 7)),
        ({"pads": [], "output_padding": np.array([], int)}, slice(0, 7)),
        ({"kernel_shape": np.array([3]), "group": np.int64(1)}, slice(0, 7)),
    ],
)
def test_attributes_of_an_onnx_node_are_taken_as_onnx_has_them(attributes, cells):
    x = np.array([[[1, 2, 3]]])
    got = onnx.ConvTranspose(x, KERNEL, strides=np.array([2]), **attributes)
    assert got.tolist() == [[FULL[cells]]]


ONNX = {
    "strides": (0, "`strides` must be at least 1; got 0 on axis 'W'."),
    "dilations": (
        np.array(True),
        "`dilations` must be an integer or one per axis; got array(True) of type ndarray. "
        "Nothing is rounded or converted; write, for example, 2.",
    ),
    "pads": (
        np.array([1]),
        "`pads` must have 2 integers: the low end of every axis, then the high ends; got "
        "(1,). For 1 at every end write pads=[1, 1].",
    ),
    "kernel_shape": (np.array([4]), "`kernel_shape` must be W's own, (3,); got (4,)."),
    "output_shape": (
        np.array([1, 6]),
        "`output_shape` must be one value or one per spatial axis ('W'); got (1, 6), of "
        "length 2. Write one integer, or 1 in a tuple.",
    ),
    "auto_pad": (
        b"SAME",
        "`auto_pad` must be one of 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'; got "
        "'SAME'.",
    ),
}


@pytest.mark.parametrize("name", ONNX)
def test_wrong_attributes_of_an_onnx_node(name):
    value, text = ONNX[name]
    refused(
        lambda: onnx.ConvTranspose(X, KERNEL, **{name: value}),
        GeometryError,
        f"onnx.ConvTranspose: {text}",
    )


NAMES = ", ".join(map(repr, FRAMEWORKS))
ONE = "One integer per spatial axis, for example (3,)."
SIZES = f"must be a sequence of sizes, each at least 1; got {{}}. {ONE}"
CONVERSIONS = {
    "an array as framework": (
        {"src": np.array("torch")},
        f"`src` must be one of {NAMES}; got array('torch', dtype='<U5').",
    ),
    "a list as framework": (
        {"dst": ["jax"]},
        f"`dst` must be one of {NAMES}; got ['jax'].",
    ),
    "one kernel size": ({"kernel_size": 3}, f"`kernel_size` {SIZES.format(3)}"),
    "no kernel size": ({"kernel_size": ()}, f"`kernel_size` {SIZES.format('()')}"),
    "a kernel without taps": (
        {"kernel_size": (0,)},
        f"`kernel_size` {SIZES.format('(0,)')}",
    ),
    "a float as kernel size": (
        {"kernel_size": (3.0,)},
        "`kernel_size` must be an integer; got 3.0 of type float on axis number 0. Nothing "
        "is rounded or converted; write, for example, 2.",
    ),
    "one input size": ({"input_size": 8}, f"`input_size` {SIZES.format(8)}"),
    "two input sizes": (
        {"input_size": (8, 9)},
        "`input_size` must have as many sizes as kernel_size, 1; got (8, 9).",
    ),
    "pairs as options": (
        {"options": [("stride", 2)]},
        "`options` must be a mapping of names to values; got list.",
    ),
    "no options": (
        {"options": None},
        "`options` must be a mapping of names to values; got NoneType.",
    ),
    "sizes of no sequence": (
        {"src": "tensorflow", "options": {"output_shape": 8}, "input_size": (4,)},
        "`output_shape` must have 3 sizes, batch and channels included; got 8.",
    ),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_wrong_conversions(name):
    changes, text = CONVERSIONS[name]
    call = {"options": {"stride": 2}, "src": "torch", "dst": "jax", "kernel_size": (3,)}
    refused(lambda: convert(**(call | changes)), GeometryError, f"convert: {text}")


def test_conversions_take_arrays_and_strings_of_other_classes():
    got = convert(
        {"stride": np.array([2]), "padding": np.int8(1)},
        np.str_("torch"),
        np.str_("jax"),
        kernel_size=np.array([3]),
        input_size=np.array([8]),
    )
    assert got == {"strides": (2,), "padding": ((1, 1),), "rhs_dilation": (1,)}
    assert convert_kernel(KERNEL, np.str_("torch"), "jax")[:, 0, 0].tolist() == [100, 10, 1]
    refused(
        lambda: convert_kernel(KERNEL, ["torch"], "jax"),
        GeometryError,
        f"convert_kernel: `src` must be one of {NAMES}; got ['torch'].",
    )
    refused(
        lambda: convert_kernel(KERNEL, "torch", "jax", groups=np.array([])),
        GeometryError,
        "convert_kernel: `groups` must be an integer of at least 1; got array([], "
        "dtype=float64).",
    )


def test_flags_and_dtypes_of_other_frameworks():
    for function, name, extra in (
        (jax.conv_transpose, "jax.lax.conv_transpose", {"strides": 2, "padding": "SAME"}),
        (flax.conv_transpose, "flax.ConvTranspose", {}),
    ):
        refused(
            lambda function=function, extra=extra: function(
                LAST, LAST_TAPS, transpose_kernel=np.array([]), **extra
            ),
            GeometryError,
            f"{name}: `transpose_kernel` must be True or False; got array([], "
            "dtype=float64) of type ndarray.",
        )
    for dtype in ("no such", object(), np.array(2)):
        refused(
            lambda dtype=dtype: jax.conv_transpose(
                LAST, LAST_TAPS, 2, "SAME", preferred_element_type=dtype
            ),
            BackendError,
            "jax.lax.conv_transpose: `preferred_element_type` must be a dtype of the "
            f"arrays' library; got {dtype!r} of type {type(dtype).__name__}.",
        )
    refused(
        lambda: jax.conv_transpose(LAST, LAST_TAPS, 2, "SAME", preferred_element_type=bool),
        BackendError,
        "jax.lax.conv_transpose: `lhs` must have integer, floating or complex elements; "
        "got dtype bool. Convert it, for example with .astype(float).",
    )
    refused(
        lambda: haiku.conv_transpose(LAST, LAST_TAPS, data_format=np.array([])),
        GeometryError,
        "haiku.ConvNDTranspose: `data_format` must be 'channels_first', 'channels_last', "
        "or like 'NC...' or 'N...C'; got array([], dtype=float64).",
    )
    refused(
        lambda: flax.conv_transpose(LAST, LAST_TAPS, padding=np.array(["CIRCULAR"] * 2)),
        GeometryError,
        "flax.ConvTranspose: `padding` must be an integer; got np.str_('CIRCULAR') of "
        "type str_ on axis number 0. Nothing is rounded or converted; write, for example, "
        "2.",
    )


def test_a_matrix_of_more_entries_than_any_machine_has():
    pytest.importorskip("scipy")
    refused(
        lambda: matlab.convmtx2([[1, 2]], 2**63, 3),
        GeometryError,
        "matlab.convmtx2: `m` must not lead to more than 2**47 = 140737488355328 entries; "
        f"got {6 * 2**63} entries.",
    )
