"""Wrong calls are refused in the words of the framework whose call it is."""

import numpy as np
import pytest

import mtconv
from mtconv import compat


def zeros(*shape):
    return np.zeros(shape)


CASES = {
    "torch: output padding": (
        lambda: compat.torch.conv_transpose1d(
            zeros(1, 2, 3), zeros(2, 2, 3), stride=2, output_padding=2
        ),
        "torch.conv_transpose1d: `output_padding` must be smaller than either stride or "
        "dilation, here 2; got 2 on axis 'W'.",
    ),
    "torch: negative padding": (
        lambda: compat.torch.conv_transpose2d(
            zeros(2, 3, 3), zeros(2, 2, 3, 3), padding=-1
        ),
        "torch.conv_transpose2d: `padding` must be at least 0; got -1 on axis 'H'.",
    ),
    "torch: channels": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 3, 3), zeros(2, 2, 3)),
        "torch.conv_transpose1d: `input` must have as many channels as `weight`, of shape "
        "(C_in, C_out/groups, *k), takes: 2; got 3.",
    ),
    "torch: bias": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 2, 3), zeros(2, 5, 3), zeros(2)),
        "torch.conv_transpose1d: `bias` must have one value per output channel, shape "
        "(5,); got shape (2,).",
    ),
    "torch: groups": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 4, 3), zeros(4, 2, 3), groups=3),
        "torch.conv_transpose1d: `groups` must divide the I axis of `weight`, (C_in, "
        "C_out/groups, *k); got groups=3 and 4 channels.",
    ),
    "torch: dimensions": (
        lambda: compat.torch.conv_transpose2d(zeros(2, 3, 3), zeros(2, 2, 3)),
        "torch.conv_transpose2d: `weight` must have 4 dimensions; got 3.",
    ),
    "torch: nothing left": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 1, 1), zeros(1, 1, 2), padding=1),
        "torch.conv_transpose1d: `padding` must leave at least one element of the result;"
        " got a result of size 0 on axis 'W'.",
    ),
    "torch: same with a stride": (
        lambda: compat.torch.conv1d(
            zeros(1, 1, 5), zeros(1, 1, 2), stride=2, padding="same"
        ),
        "torch.conv1d: `padding` must not be 'same' with a stride; got (2,).",
    ),
    "jax: padding": (
        lambda: compat.jax.conv_transpose(zeros(1, 3, 1), zeros(3, 1, 1), (2,), "FULL"),
        "jax.lax.conv_transpose: `padding` must be one of 'SAME', 'VALID'; got 'FULL'.",
    ),
    "jax: pairs": (
        lambda: compat.jax.conv_transpose(zeros(1, 3, 1), zeros(3, 1, 1), (2,), (1, 1)),
        "jax.lax.conv_transpose: `padding` must have one (low, high) pair; got 1 on axis "
        "'W'.",
    ),
    "jax: strides": (
        lambda: compat.jax.conv_transpose(zeros(1, 3, 1), zeros(3, 1, 1), (2, 2), "SAME"),
        "jax.lax.conv_transpose: `strides` must be one value or one per spatial axis "
        "('W'); got (2, 2), of length 2. Write one integer, or 1 in a tuple.",
    ),
    "jax: dimension numbers": (
        lambda: compat.jax.conv_transpose(
            zeros(1, 3, 1),
            zeros(3, 1, 1),
            (2,),
            "SAME",
            dimension_numbers=("NWC", "HIO", "NHC"),
        ),
        "jax.lax.conv_transpose: `dimension_numbers` must name NC and the spatial axes of "
        "rhs in its lhs part; got 'NWC'.",
    ),
    "jax: dimension numbers of another kind": (
        lambda: compat.jax.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (2,), "SAME", dimension_numbers="NWC"
        ),
        "jax.lax.conv_transpose: `dimension_numbers` must be three strings for lhs, rhs "
        "and the result, or None; got 'NWC'.",
    ),
    "flax: padding": (
        lambda: compat.flax.conv_transpose(zeros(1, 3, 1), zeros(3, 1, 1), padding=1.5),
        "flax.ConvTranspose: `padding` must be an integer",
    ),
    "flax: dilation": (
        lambda: compat.flax.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), kernel_dilation=0
        ),
        "flax.ConvTranspose: `kernel_dilation` must be at least 1; got 0 on axis 'W'.",
    ),
    "haiku: output shape": (
        lambda: compat.haiku.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), stride=2, output_shape=9
        ),
        "haiku.ConvNDTranspose: `output_shape` must be a size that the convolution maps "
        "to inputs' 3; got 9, which gives 5 on axis 'W'.",
    ),
    "haiku: data format": (
        lambda: compat.haiku.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), data_format="CNHW"
        ),
        "haiku.ConvNDTranspose: `data_format` must be 'channels_first', 'channels_last', "
        "or like 'NC...' or 'N...C'; got 'CNHW'.",
    ),
    "equinox: output padding": (
        lambda: compat.equinox.conv_transpose(
            zeros(1, 3), zeros(1, 1, 3), stride=2, output_padding=2
        ),
        "equinox.nn.ConvTranspose: `output_padding` must be less than the stride, 2; got "
        "2 on axis 'W'.",
    ),
    "equinox: batch": (
        lambda: compat.equinox.conv_transpose(zeros(1, 1, 3), zeros(1, 1, 3)),
        "equinox.nn.ConvTranspose: `x` must have 2 dimensions; got 3 dimensions.",
    ),
    "keras: data format": (
        lambda: compat.keras.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), data_format="NHWC"
        ),
        "keras.ops.conv_transpose: `data_format` must be one of 'channels_last', "
        "'channels_first'; got 'NHWC'.",
    ),
    "tensorflow: output shape": (
        lambda: compat.tensorflow.conv1d_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (1, 8, 1), 2
        ),
        "tf.nn.conv1d_transpose: `output_shape` must be a size that the convolution maps "
        "to input's 3; got 8, which gives 4 on axis 'W'.",
    ),
    "tensorflow: batch": (
        lambda: compat.tensorflow.conv1d_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (2, 6, 1), 2
        ),
        "tf.nn.conv1d_transpose: `output_shape` must have input's batch and the channels "
        "of filters, (*k, C_out, C_in); got (2, 6, 1) for 1 samples and 1 channels.",
    ),
    "onnx: pads with auto_pad": (
        lambda: compat.onnx.ConvTranspose(
            zeros(1, 1, 3), zeros(1, 1, 3), auto_pad="SAME_UPPER", pads=[1, 1]
        ),
        "onnx.ConvTranspose: `pads` must be left out with auto_pad='SAME_UPPER'; got "
        "(1, 1).",
    ),
    "onnx: kernel shape": (
        lambda: compat.onnx.ConvTranspose(zeros(1, 1, 3), zeros(1, 1, 3), kernel_shape=[2]),
        "onnx.ConvTranspose: `kernel_shape` must be W's own, (3,); got (2,).",
    ),
    "tinygrad: stride": (
        lambda: compat.tinygrad.conv_transpose2d(
            zeros(1, 1, 3), zeros(1, 1, 3), stride=2.0
        ),
        "tinygrad.conv_transpose2d: `stride` must be an integer",
    ),
    "torch: stride": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 1, 3), zeros(1, 1, 3), stride=2.0),
        "torch.conv_transpose1d: `stride` must be an integer",
    ),
    "tensorflow: output shape without batch": (
        lambda: compat.tensorflow.conv_transpose(zeros(1, 3, 1), zeros(3, 1, 1), 6, 2),
        "tf.nn.conv_transpose: `output_shape` must have 3 sizes, batch and channels "
        "included; got 6.",
    ),
    "mlx: rank": (
        lambda: compat.mlx.conv_transpose2d(zeros(1, 3, 1), zeros(1, 3, 1)),
        "mlx.conv_transpose2d: `weight` must have 4 dimensions; got 3.",
    ),
    "matlab: kernel": (
        lambda: compat.matlab.convmtx2(zeros(3), 4, 4),
        "matlab.convmtx2: `H` must have 2 dimensions; got 1.",
    ),
    "jax: four axes": (
        lambda: compat.jax.conv_transpose(
            zeros(1, 2, 2, 2, 2, 1), zeros(1, 1, 1, 1, 1, 1), (1,) * 4, "VALID"
        ),
        "jax.lax.conv_transpose: `dimension_numbers` must be given for more "
        "than three spatial axes; got None.",
    ),
    "jax: dimensions of rhs": (
        lambda: compat.jax.conv_transpose(
            zeros(1, 3, 1),
            zeros(3, 1),
            (1,),
            "VALID",
            dimension_numbers=("NWC", "WIO", "NWC"),
        ),
        "jax.lax.conv_transpose: `rhs` must have 3 dimensions; got 2.",
    ),
    "jax: number of pairs": (
        lambda: compat.jax.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (2,), ((1, 1), (0, 0))
        ),
        "jax.lax.conv_transpose: `padding` must be one (low, high) pair for "
        "each of the 1 spatial axes; got ((1, 1), (0, 0)).",
    ),
    "torch: batches of batches": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 1, 2, 3), zeros(2, 2, 3)),
        "torch.conv_transpose1d: `input` must have 3 dimensions (N, C_in, "
        "*space), or one fewer; got 4 dimensions.",
    ),
    "torch: no groups": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 2, 3), zeros(2, 2, 3), groups=0),
        "torch.conv_transpose1d: `groups` must be an integer of at least 1; got 0.",
    ),
    "flax: no channels": (
        lambda: compat.flax.conv_transpose(zeros(3), zeros(3, 1, 1)),
        "flax.ConvTranspose: `inputs` must have at least 2 dimensions (*space, "
        "C_in); got 1 dimensions.",
    ),
    "haiku: unknown data format": (
        lambda: compat.haiku.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), data_format="WNC"
        ),
        "haiku.ConvNDTranspose: `data_format` must be 'channels_first', "
        "'channels_last', or like 'NC...' or 'N...C'; got 'WNC'.",
    ),
    "haiku: dimensions of w": (
        lambda: compat.haiku.conv_transpose(zeros(1, 3, 1), zeros(3, 1)),
        "haiku.ConvNDTranspose: `w` must have the shape (*k, C_out, C_in); got "
        "an array of 2 dimensions.",
    ),
    "equinox: circular with output padding": (
        lambda: compat.equinox.conv_transpose(
            zeros(1, 3),
            zeros(1, 1, 3),
            stride=2,
            padding="SAME",
            padding_mode="CIRCULAR",
            output_padding=1,
        ),
        "equinox.nn.ConvTranspose: `padding_mode` may be 'CIRCULAR' only with "
        "padding 'SAME' or 'SAME_LOWER' and no output_padding; got "
        "padding='SAME' and output_padding=(1,).",
    ),
    "onnx: output padding beyond the stride": (
        lambda: compat.onnx.ConvTranspose(
            zeros(1, 1, 3), zeros(1, 1, 3), strides=[2], output_padding=[2]
        ),
        "onnx.ConvTranspose: `output_padding` must be less than the larger of "
        "stride and dilation, 2; got 2 on axis 'W'.",
    ),
    "tensorflow: axes of a name": (
        lambda: compat.tensorflow.conv2d_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (1, 3, 1), 1
        ),
        "tf.nn.conv2d_transpose: `filters` must have 2 spatial axes; got 1.",
    ),
    "tensorflow: four axes": (
        lambda: compat.tensorflow.conv_transpose(
            zeros(1, 2, 2, 2, 2, 1), zeros(1, 1, 1, 1, 1, 1), (1, 2, 2, 2, 2, 1), 1
        ),
        "tf.nn.conv_transpose: `filters` must have at most 3 spatial axes; got 4.",
    ),
    "tensorflow: strides of the batch": (
        lambda: compat.tensorflow.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (1, 6, 1), [2, 2, 1]
        ),
        "tf.nn.conv_transpose: `strides` must be 1 for batch and channels; got (2, 2, 1).",
    ),
    "tensorflow: pairs for one axis": (
        lambda: compat.tensorflow.conv_transpose(
            zeros(1, 3, 1), zeros(3, 1, 1), (1, 6, 1), 2, padding=((0, 0), (1, 1), (0, 0))
        ),
        "tf.nn.conv_transpose: `padding` must be one of 'SAME', 'VALID'; got "
        "((0, 0), (1, 1), (0, 0)).",
    ),
    "empty kernel": (
        lambda: compat.torch.conv_transpose1d(zeros(1, 1, 3), zeros(1, 1, 0)),
        "torch.conv_transpose1d: `weight` must have at least one element; got size 0 on "
        "axis 'W'. Only batch and channels may be empty.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_call_is_refused_in_its_own_words(case):
    call, words = CASES[case]
    with pytest.raises(mtconv.GeometryError) as refusal:
        call()
    assert str(refusal.value).startswith(words)


def test_an_unknown_array_is_refused_by_its_own_name():
    with pytest.raises(mtconv.BackendError, match="conv_transpose1d: `weight` must"):
        compat.torch.conv_transpose1d(zeros(1, 1, 3), {1, 2})


def test_a_bool_is_no_number_of_groups():
    with pytest.raises(mtconv.GeometryError, match="`groups` must be an integer"):
        compat.torch.conv_transpose1d(zeros(1, 1, 3), zeros(1, 1, 3), groups=True)
