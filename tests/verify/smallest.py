"""Make failing files smaller as long as a runtime fails in the same way."""

import tempfile
from pathlib import Path

import numpy as np

from mtconv import GeometryError
from mtconv.verify.onnx_files import write_node
from mtconv.verify.onnx_nodes import node_of
from tests.verify.causes import node_call
from tests.verify.sweep import outcome

MOST_TRIES = 80


def smallest_node(run, folder, kind):
    """Return a folder's node made smaller, as shapes and attributes."""
    import onnx

    call, record = node_call(folder)
    attributes = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in record.items()
        if name not in ("name", "inputs", "result", "kernel_shape") and value is not None
    }
    operator = "ConvTranspose" if folder.name.startswith("convtranspose") else "Conv"
    if operator == "Conv":
        for name in ("output_padding", "output_shape"):
            attributes.pop(name, None)
    if attributes["auto_pad"] != "NOTSET" or "output_shape" in attributes:
        attributes.pop("pads")
    best = list(call.x.shape), list(call.kernel.shape), attributes, call.bias is not None
    tries = 0
    with tempfile.TemporaryDirectory() as scratch:
        progress = True
        while progress and tries < MOST_TRIES:
            progress = False
            for smaller in reductions(operator, *best):
                tries += 1
                if fails(onnx, run, Path(scratch, str(tries)), operator, smaller, kind):
                    best, progress = smaller, True
                    break
    return operator, best


def fails(onnx, run, root, operator, shapes, kind):
    """Write a node, if it is a legal one, and see whether it fails in this way."""
    x, w, attributes, bias = shapes
    groups = attributes["group"]
    outputs = w[1] * groups if operator == "ConvTranspose" else w[0]
    arrays = [counted(x), counted(w), *([counted([outputs])] if bias else [])]
    folder = root / "node" / f"{operator.lower()}_smaller"
    try:
        node = node_of("smaller", operator, tuple(arrays), attributes)
        write_node(onnx, folder, node)
    except GeometryError:
        return False
    pads = [end for pair in node_call(folder)[0].options["padding"] for end in pair]
    return min(pads) >= 0 and outcome(run, folder)[0] == kind


def counted(shape):
    """Fill an array with 1, 2, 3 and so on: no two elements are alike."""
    return 1.0 + np.arange(np.prod(shape)).reshape(shape)


def reductions(operator, x, w, attributes, bias):
    """Yield smaller nodes, those that lose most first."""
    if bias:
        yield x, w, attributes, False
    if x[0] > 1:
        yield [1, *x[1:]], w, attributes, bias
    for axis in range(len(x) - 2):
        if len(x) > 3:
            yield without(axis, x), without(axis, w), cut(axis, attributes), bias
    yield from fewer_channels(operator, x, w, attributes, bias)
    for name, value in plain(len(x) - 2).items():
        if attributes.get(name, value) != value:
            yield x, w, attributes | {name: value}, bias
    if "output_shape" in attributes:
        kept = {name: v for name, v in attributes.items() if name != "output_shape"}
        yield x, w, kept, bias
    for axis in range(2, len(x)):
        steps = attributes["strides"][axis - 2], attributes["dilations"][axis - 2]
        smaller = [(lower(x, axis), w), (x, lower(w, axis))]
        for sizes, step in zip(smaller, steps, strict=True):
            if min(sizes[0] + sizes[1]) > 0:
                yield *sizes, attributes, bias
                yield *sizes, with_less_of_the_result(attributes, axis - 2, step), bias
    for name in ("strides", "dilations", "pads", "output_padding", "output_shape"):
        least = int(name in ("strides", "dilations", "output_shape"))
        for spot, value in enumerate(attributes.get(name, ())):
            if value > least:
                yield x, w, attributes | {name: lower(attributes[name], spot)}, bias


def fewer_channels(operator, x, w, attributes, bias):
    """Yield nodes with fewer groups, and with fewer channels in each."""
    groups = attributes["group"]
    transposed = operator == "ConvTranspose"
    inputs, outputs = (x[1] // groups, w[1] if transposed else w[0] // groups)
    choices = ((1, inputs, outputs), (2, inputs, outputs), (groups, 1, 1))
    for g, i, o in (*choices, (groups, 1, outputs), (groups, inputs, 1)):
        if (g, i, o) != (groups, inputs, outputs) and g <= groups:
            kernel = [g * i, o] if transposed else [g * o, i]
            sizes = [x[0], g * i, *x[2:]], [*kernel, *w[2:]]
            yield *sizes, attributes | {"group": g}, bias


def with_less_of_the_result(attributes, axis, step):
    """Ask for as much less as the result loses."""
    if "output_shape" not in attributes:
        return attributes
    wanted = list(attributes["output_shape"])
    wanted[axis] = max(wanted[axis] - step, 1)
    return attributes | {"output_shape": wanted}


def plain(rank):
    return {
        "auto_pad": "NOTSET",
        "strides": [1] * rank,
        "dilations": [1] * rank,
        "pads": [0] * 2 * rank,
        "output_padding": [0] * rank,
    }


def without(axis, shape):
    return [*shape[: 2 + axis], *shape[3 + axis :]]


def cut(axis, attributes):
    """Leave an axis out of every attribute that has one value for each, or two."""
    rank = len(attributes["strides"])
    return {
        name: [v for spot, v in enumerate(value) if spot % rank != axis]
        if isinstance(value, list)
        else value
        for name, value in attributes.items()
    }


def lower(values, spot):
    return [*values[:spot], values[spot] - 1, *values[spot + 1 :]]


def written(operator, x, w, attributes, bias):
    """Write a node down: its shapes, and the attributes that are not defaults."""
    defaults = {**plain(len(x) - 2), "group": 1}
    words = [f"{operator}: X {tuple(x)}, W {tuple(w)}"]
    if bias:
        words.append("a bias")
    for name, value in attributes.items():
        if value != defaults.get(name):
            words.append(f"{name}={value}")
    return ", ".join(words)
