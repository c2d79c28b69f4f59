"""Read the three formats back as calls: what an implementer's test runner does.

Each format has records, one for each problem and as they are in the files, and a function
that makes a call of a record.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np


class Read(NamedTuple):
    """A call from a file, and its expected result."""

    name: str
    x: np.ndarray
    kernel: np.ndarray  # (inputs, outputs / groups, *k), and (outputs, inputs / groups, *k)
    bias: np.ndarray | None
    options: dict
    result: np.ndarray


class Reader(NamedTuple):
    """How the transposed convolutions of a format are read."""

    records: Callable[..., Iterator]  # of a path
    call: Callable[..., Read]  # of a record

    def __call__(self, path):
        return map(self.call, self.records(path))


def json_records(path):
    yield from json.loads(path.read_text())["cases"]


def json_call(entry):
    x, kernel, result = (
        np.reshape(entry[name]["data"], entry[name]["shape"])
        for name in ("x", "kernel", "conv_transpose")
    )
    axes = entry["axes"]
    extra = [
        axis["big"] - (axis["stride"] * (axis["small"] - 1) + span(axis) - sum(ends(axis)))
        for axis in axes
    ]
    options = {
        "stride": tuple(axis["stride"] for axis in axes),
        "dilation": tuple(axis["dilation"] for axis in axes),
        "padding": tuple(ends(axis) for axis in axes),
        "output_padding": tuple(extra),
        "groups": entry["groups"],
    }
    return Read(entry["name"], x, kernel, None, options, result)


def ends(axis):
    return axis["lo"], axis["hi"]


def span(axis):
    return axis["dilation"] * (axis["kernel"] - 1) + 1


def onnx_records(root, operator="ConvTranspose", pattern="*"):
    """Yield the attributes of each node, with its name and arrays among them."""
    import onnx

    for folder in sorted((root / "node").glob(pattern)):
        node = onnx.load(folder / "model.onnx").graph.node[0]
        if node.op_type != operator:
            continue
        values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        files = sorted((folder / "test_data_set_0").iterdir())
        *inputs, result = (onnx.numpy_helper.to_array(onnx.load_tensor(f)) for f in files)
        arrays = {"inputs": (*inputs, None)[:3], "result": result}
        yield defaults(inputs[0].ndim - 2) | values | arrays | {"name": folder.name}


def defaults(rank):
    return {
        "auto_pad": b"NOTSET",
        "dilations": [1] * rank,
        "group": 1,
        "output_padding": [0] * rank,
        "output_shape": None,
        "pads": [0] * (2 * rank),
        "strides": [1] * rank,
    }


def onnx_call(record):
    x, kernel, _ = record["inputs"]
    word, wanted, strides = record["auto_pad"], record["output_shape"], record["strides"]
    pads, options = pairs(record["pads"]), common(record)
    if wanted is None and word.startswith(b"SAME"):
        wanted = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if wanted is not None:  # as the text of ConvTranspose says
        rows = zip(
            *(x.shape[2:], kernel.shape[2:], strides, record["dilations"], wanted),
            record["output_padding"],
            strict=True,
        )
        totals = [s * (n - 1) + q + (k - 1) * d + 1 - big for n, k, s, d, big, q in rows]
        pads = halves(totals, word)
    options |= {"padding": pads, "output_padding": tuple(record["output_padding"])}
    return Read(record["name"], *record["inputs"], options, record["result"])


def onnx_conv_call(record):
    x, kernel, _ = record["inputs"]
    pads, options = pairs(record["pads"]), common(record)
    if record["auto_pad"].startswith(b"SAME"):
        rows = zip(
            *(x.shape[2:], kernel.shape[2:], record["strides"], record["dilations"]),
            strict=True,
        )
        # ceil(n / s) results, of which the last begins at s * (ceil(n / s) - 1).
        totals = [max(s * ((n - 1) // s) + (k - 1) * d + 1 - n, 0) for n, k, s, d in rows]
        pads = halves(totals, record["auto_pad"])
    options |= {"padding": pads}
    return Read(record["name"], *record["inputs"], options, record["result"])


def common(record):
    return {
        "stride": tuple(record["strides"]),
        "dilation": tuple(record["dilations"]),
        "groups": record["group"],
    }


def pairs(pads):
    """Pair the low ends, which come first, with the high ends."""
    rank = len(pads) // 2
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def halves(totals, word):
    """Halve what is cut off; the larger half is at the high end for SAME_UPPER alone."""
    upper = [(total // 2, total - total // 2) for total in totals]
    return tuple(half if word == b"SAME_UPPER" else half[::-1] for half in upper)


def stablehlo_records(root):
    for path in sorted(root.glob("*_conv_transpose.mlir")):
        yield path.read_text()


def stablehlo_arrays(text):
    """Read both sides and the result, with the axes "bf01" and "io01"."""
    arrays = (
        np.array(ast.literal_eval(dense)) for dense in re.findall(r"dense<(.*?)>", text)
    )
    orders = r"dim_numbers = \[(.*?)\]x\[(.*?)\]->\[(.*?)\]"
    letters = re.search(orders, text).groups()
    return [
        ordered(array, order, channels)
        for array, order, channels in zip(arrays, letters, ("bf", "io", "bf"), strict=True)
    ]


def stablehlo_window(text):
    """Read the lists of the window, one item for each axis."""
    return {
        name: ast.literal_eval(value.replace("true", "True").replace("false", "False"))
        for name, value in re.findall(r"(\w+) = (\[[^=]*\])(?=[,}])", text)
        if name != "dim_numbers"
    }


def stablehlo_call(text):
    (lhs, rhs, result), window = stablehlo_arrays(text), stablehlo_window(text)
    kept = [2 + axis for axis, turned in enumerate(window["reverse"]) if not turned]
    rhs = np.flip(rhs, tuple(kept))
    groups = int(re.search(r"feature_group_count = (\d+)", text)[1])
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
    name = re.match(r"// (\w+):", text)[1]
    return Read(name, lhs, kernel, None, options, result)


def ordered(array, letters, channels):
    """Bring axes that are in the order of the letters into the order of mtconv's calls."""
    letters = letters.split(", ")
    order = [*channels, *map(str, range(array.ndim - 2))]
    return array.transpose([letters.index(letter) for letter in order])


READERS = {
    "json": Reader(json_records, json_call),
    "onnx": Reader(onnx_records, onnx_call),
    "stablehlo": Reader(stablehlo_records, stablehlo_call),
}
ONNX_CONV = Reader(partial(onnx_records, operator="Conv"), onnx_conv_call)
