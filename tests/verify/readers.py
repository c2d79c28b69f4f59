"""Read the three formats back as calls: what an implementer's test runner does."""

import ast
import json
import re
from typing import NamedTuple

import numpy as np


class Read(NamedTuple):
    """A transposed convolution from a file, and its expected result."""

    name: str
    x: np.ndarray
    kernel: np.ndarray  # (inputs, outputs / groups, *k)
    bias: np.ndarray | None
    options: dict
    result: np.ndarray


def read_json(path):
    whole = json.loads(path.read_text())
    for entry in whole["cases"]:
        arrays = {
            name: np.reshape(entry[name]["data"], entry[name]["shape"])
            for name in ("x", "kernel", "conv_transpose")
        }
        axes = entry["axes"]
        extra = [
            axis["big"]
            - (axis["stride"] * (axis["small"] - 1) + span(axis) - sum(ends(axis)))
            for axis in axes
        ]
        options = {
            "stride": tuple(axis["stride"] for axis in axes),
            "dilation": tuple(axis["dilation"] for axis in axes),
            "padding": tuple(ends(axis) for axis in axes),
            "output_padding": tuple(extra),
            "groups": entry["groups"],
        }
        result = arrays.pop("conv_transpose")
        yield Read(entry["name"], **arrays, bias=None, options=options, result=result)


def ends(axis):
    return axis["lo"], axis["hi"]


def span(axis):
    return axis["dilation"] * (axis["kernel"] - 1) + 1


def read_onnx(root):
    import onnx

    for folder in sorted((root / "node").iterdir()):
        node = onnx.load(folder / "model.onnx").graph.node[0]
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        rank = len(attributes["strides"])
        pads = attributes["pads"]
        options = {
            "stride": tuple(attributes["strides"]),
            "dilation": tuple(attributes["dilations"]),
            "padding": tuple(zip(pads[:rank], pads[rank:], strict=True)),
            "output_padding": tuple(attributes["output_padding"]),
            "groups": attributes["group"],
        }
        files = sorted((folder / "test_data_set_0").iterdir())
        *inputs, result = (onnx.numpy_helper.to_array(onnx.load_tensor(f)) for f in files)
        x, kernel, bias = (*inputs, None)[:3]
        yield Read(folder.name, x, kernel, bias, options, result)


def read_stablehlo(root):
    for path in sorted(root.glob("*_conv_transpose.mlir")):
        text = path.read_text()
        lhs, rhs, result = (
            np.array(ast.literal_eval(dense)) for dense in re.findall(r"dense<(.*?)>", text)
        )
        data, taps = re.search(r"dim_numbers = \[(.*?)\]x\[(.*?)\]", text).groups()
        window = {
            name: ast.literal_eval(value.replace("true", "True").replace("false", "False"))
            for name, value in re.findall(r"(\w+) = (\[[^=]*\])(?=[,}])", text)
            if name != "dim_numbers"
        }
        groups = int(re.search(r"feature_group_count = (\d+)", text)[1])
        rank = lhs.ndim - 2
        order = ["b", "f", *map(str, range(rank))]
        lhs, result = (a.transpose(*spots(data, order)) for a in (lhs, result))
        rhs = rhs.transpose(*spots(taps, ["i", "o", *map(str, range(rank))]))
        if not window["reverse"][0]:
            rhs = np.flip(rhs, tuple(range(2, 2 + rank)))
        inputs, outputs, *size = rhs.shape
        parts = rhs.reshape(inputs, groups, outputs // groups, *size)
        kernel = np.moveaxis(parts, 1, 0).reshape(inputs * groups, -1, *size)
        reach = [d * (k - 1) for d, k in zip(window["rhs_dilate"], size, strict=True)]
        crop = [(r - lo, r - hi) for r, (lo, hi) in zip(reach, window["pad"], strict=True)]
        options = {
            "stride": tuple(window["lhs_dilate"]),
            "dilation": tuple(window["rhs_dilate"]),
            "padding": tuple((lo, max(hi, 0)) for lo, hi in crop),
            "output_padding": tuple(max(-hi, 0) for _, hi in crop),
            "groups": groups,
        }
        yield Read(path.stem, lhs, kernel, None, options, result)


def spots(letters, order):
    letters = letters.split(", ")
    return [letters.index(letter) for letter in order]
