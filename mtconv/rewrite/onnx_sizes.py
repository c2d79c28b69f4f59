"""Sizes of the values of an ONNX graph, as far as they follow from those of its inputs.

Shape inference of onnx is wrong for some nodes, and so may be the shapes that a model
states about values inside. Neither is read here. A value that cannot be followed has no
sizes, and a size that is not known is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from numpy.typing import NDArray

from mtconv.geometry import same_size, small_size

__all__ = ["Size", "attributes_of", "declared", "followed", "is_standard"]

Size = tuple[int | None, ...]

# The first result has the shape of the first input.
_ALIKE_NAMES = """
    Abs BatchNormalization Cast CastLike Ceil Celu Clip Cos DequantizeLinear Dropout Elu
    Erf Exp Floor Gelu GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization
    Mish Neg PRelu QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin
    Softmax Softplus Softsign Sqrt Swish Tanh ThresholdedRelu
"""
_ALIKE = frozenset(_ALIKE_NAMES.split())
_BROADCAST = frozenset(("Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum"))
_POOLS = frozenset(("AveragePool", "LpPool", "MaxPool"))


def is_standard(node: Any) -> bool:
    """Return whether a node is an operator of ONNX itself."""
    return node.domain in ("", "ai.onnx")


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes that a node has."""
    from onnx import helper

    return {
        part.name: None if part.ref_attr_name else helper.get_attribute_value(part)
        for part in node.attribute
    }


def declared(value: Any) -> Size | None:
    """Return the sizes that a graph declares for one of its inputs."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    sizes = (d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim)
    return tuple(size if size > 0 else None for size in sizes)


def followed(
    node: Any, sizes: Mapping[str, Size], array: Callable[[str], NDArray[Any] | None]
) -> Size | None:
    """Return the sizes of a node's first result, or None where they are not followed.

    ``array`` returns the constant that has a name, or None.
    """
    kind, inputs = node.op_type, [sizes.get(name) for name in node.input]
    if not is_standard(node) or not inputs or inputs[0] is None:
        return None
    if kind in _ALIKE:
        return inputs[0]
    known = [size for size in inputs if size is not None]
    if kind == "Reshape":
        shape = array(node.input[1])
        options = attributes_of(node)
        return None if shape is None else _reshaped(inputs[0], shape.tolist(), options)
    if kind in _BROADCAST and len(known) == len(inputs):
        return _broadcast(known)
    if kind == "Concat" and len(known) == len(inputs):
        return _joined(known, attributes_of(node)["axis"])
    if kind == "Conv" and inputs[1] is not None:
        return _windows(inputs[0], inputs[1][0], inputs[1][2:], attributes_of(node))
    if kind in _POOLS:
        options = attributes_of(node)
        same = (options.get("auto_pad") or b"")[:4] == b"SAME"
        if not options.get("ceil_mode") and not same:
            return _windows(inputs[0], inputs[0][1], options["kernel_shape"], options)
    return None


def _reshaped(size: Size, shape: list[int], options: dict[str, Any]) -> Size | None:
    """Return the sizes after `Reshape`: 0 is the size there, -1 whatever is left."""
    if options.get("allowzero") or shape.count(0) > shape[: len(size)].count(0):
        return None
    result = [size[axis] if n == 0 else n for axis, n in enumerate(shape)]
    if -1 in result:
        others = [n for n in result if n != -1]
        spot, left = result.index(-1), None
        if None not in size and None not in others:
            left = prod(filter(None, size)) // prod(filter(None, others))
        result[spot] = left
    return tuple(result)


def _broadcast(sizes: Sequence[Size]) -> Size:
    rank = max(map(len, sizes))
    columns = zip(*((1,) * (rank - len(size)) + size for size in sizes), strict=True)
    return tuple(_common(column) for column in columns)


def _common(column: Sequence[int | None]) -> int | None:
    """Return the size that all of an axis are stretched to."""
    largest = max((n for n in column if n is not None), default=1)
    return None if None in column and largest == 1 else largest


def _joined(sizes: Sequence[Size], axis: int) -> Size | None:
    rank = len(sizes[0])
    if any(len(size) != rank for size in sizes):
        return None
    axis %= rank
    result: list[int | None] = []
    for place, column in enumerate(zip(*sizes, strict=True)):
        known = [n for n in column if n is not None]
        if place == axis:
            result.append(sum(known) if len(known) == len(column) else None)
        else:
            result.append(known[0] if known else None)
    return tuple(result)


def _windows(
    size: Size, channels: int | None, taps: Sequence[int | None], options: dict[str, Any]
) -> Size | None:
    """Return the sizes after a convolution or a pooling."""
    rank, word = len(taps), options.get("auto_pad") or b"NOTSET"
    stride, dilation = (
        options.get(name) or [1] * rank for name in ("strides", "dilations")
    )
    pads = (options.get("pads") if word == b"NOTSET" else None) or [0] * 2 * rank
    if not len(size) - 2 == len(stride) == len(dilation) == len(pads) // 2 == rank:
        return None
    space: list[int | None] = []
    axes = zip(size[2:], taps, stride, dilation, pads[:rank], pads[rank:], strict=True)
    for n, k, s, d, low, high in axes:
        if n is None or k is None or min(s, d) < 1:
            space.append(None)
            continue
        result = (
            same_size(n, s) if word[:4] == b"SAME" else small_size(n, k, s, d, low, high)
        )
        space.append(result if result > 0 else None)
    return (size[0], channels, *space)
