"""`convert_checkpoint`: only what is named is a kernel."""

import numpy as np
import pytest

import mtconv
from mtconv.compat import convert_checkpoint, convert_kernel
from mtconv.compat.registry import FRAMEWORKS

KERNEL = np.arange(48.0).reshape(4, 3, 4)
ARRAYS = {"up.weight": KERNEL, "up.bias": np.zeros(3), "table": np.ones((1, 2, 3))}


def test_what_is_not_named_is_passed_on():
    there = convert_checkpoint(ARRAYS, "torch", "jax", transposed="up*")
    assert there["up.bias"] is ARRAYS["up.bias"]
    assert there["table"] is ARRAYS["table"]
    assert (there["up.weight"] == convert_kernel(KERNEL, "torch", "jax")).all()
    plain = convert_checkpoint(ARRAYS, "torch", "jax", conv=["up*"])
    assert (plain["up.weight"] == KERNEL.transpose(2, 1, 0)).all()


def test_groups_of_transposed_kernels():
    there = convert_checkpoint(ARRAYS, "torch", "mlx", transposed={"up*": 2})
    assert (there["up.weight"] == convert_kernel(KERNEL, "torch", "mlx", 2)).all()


# The order of present frameworks, whatever their rows say; a new one's is that of its row.
ORDERS = dict.fromkeys(("mtconv", "torch", "equinox", "onnx", "tinygrad", "paddle"), "OIHW")
ORDERS |= dict.fromkeys(("jax", "jax_transpose_kernel", "haiku", "keras"), "HWIO")
ORDERS |= dict.fromkeys(("flax", "flax_transpose_kernel", "tensorflow"), "HWIO")
ORDERS |= {"mlx": "OHWI"}
PLAIN = [name for name, row in FRAMEWORKS.items() if row.conv_kernel]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_kernels_have_no_flip_and_come_back(name):
    order = ORDERS.get(name, FRAMEWORKS[name].conv_kernel.replace("*", "HW"))
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    there = convert_kernel(kernel, "torch", name, form="conv")
    wanted = kernel.transpose(*map("OIHW".index, order))
    assert there.shape == wanted.shape
    assert (there == wanted).all()
    assert (convert_kernel(there, name, "torch", form="conv") == kernel).all()


def test_depthwise_kernels_of_tensorflow():
    """Result m of channel c is number c*M + m in torch, [h, w, c, m] in TensorFlow."""
    kernel = np.arange(6 * 2 * 5).reshape(6, 1, 2, 5)
    options = {"form": "depthwise", "multiplier": 2}
    there = convert_kernel(kernel, "torch", "tensorflow", **options)
    assert there.shape == (2, 5, 3, 2)
    for c in range(3):
        for m in range(2):
            assert (there[:, :, c, m] == kernel[2 * c + m, 0]).all()
    assert (convert_kernel(there, "keras", "torch", form="depthwise") == kernel).all()
    flax = convert_kernel(there, "tensorflow", "flax", form="depthwise")
    assert (flax == kernel.transpose(2, 3, 1, 0)).all()
    back = convert_kernel(flax, "flax", "keras", **options)
    assert (back == there).all()


REFUSED = {
    "a pattern without kernels": (
        {"conv": "*.bias"},
        "convert_checkpoint: `arrays` must have the kernels that are named: no kernel has "
        "a name like '*.bias', which conv asks for; got ['up.weight', 'up.bias', 'table'].",
    ),
    "a guess that nothing tells": (
        {"guess": True, "arrays": {"a.weight": KERNEL}},
        "convert_checkpoint: `guess` must tell what every array is; got ['a.weight']. Name "
        "them in a pattern, or leave `guess` out to copy them.",
    ),
    "one name for two": (
        {"rename": lambda _: "a"},
        "convert_checkpoint: `rename` must give each array a name of its own; got ['a'].",
    ),
    "a number as pattern": (
        {"conv": [1]},
        "convert_checkpoint: `conv` must be patterns; got [1].",
    ),
    "no plain convolution": (
        {"conv": "up*", "dst": "matlab"},
        "convert_checkpoint: `dst` must have kernels of the form 'conv'; got matlab.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_refused(case):
    changes, text = REFUSED[case]
    call = {"arrays": ARRAYS, "src": "torch", "dst": "jax"} | changes
    with pytest.raises(mtconv.GeometryError) as refusal:
        convert_checkpoint(call.pop("arrays"), call.pop("src"), call.pop("dst"), **call)
    assert str(refusal.value) == text


@pytest.mark.parametrize(
    ("name", "shape", "bias", "form"),
    [
        ("up.weight", (4, 8, 3), 8, "transposed"),
        ("up.weight", (4, 8, 3), 4, "conv"),
        ("x.conv1.weight", (4, 8, 3), None, "conv"),
        ("x.conv_transpose.weight", (4, 8, 3), None, "transposed"),
        ("up2.weight", (4, 4, 3), 4, "transposed"),
        ("group.conv.weight", (4, 4, 3), 4, "conv"),
        ("pos_embed.weight", (4, 8, 3), 8, "copied"),
        ("positions", (4, 8, 3), None, "copied"),
        ("a.weight", (4, 8, 3), None, ""),
        ("a.weight", (4, 8, 3), 16, ""),
    ],
)
def test_guesses(name, shape, bias, form):
    from mtconv.checkpoints.roles import guessed

    shapes = {name: shape} | ({name.replace("weight", "bias"): (bias,)} if bias else {})
    assert guessed(shapes, "IO*", "OI*")[name].form == form
