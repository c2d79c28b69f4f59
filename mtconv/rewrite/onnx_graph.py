"""`ConvTranspose` nodes of an ONNX graph, rewritten as convolutions and shuffles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mtconv.compat import onnx as convention
from mtconv.conventions.arguments import Arguments
from mtconv.errors import GeometryError, message
from mtconv.rewrite.onnx_nodes import NodeMaker, emit
from mtconv.rewrite.shuffles import as_conv_and_shuffle
from mtconv.spec import ConvSpec

__all__ = ["RewrittenNode", "rewrite_model"]

LEAST_OPSET = 11
_DEFAULTS: dict[str, Any] = {
    "auto_pad": "NOTSET",
    "dilations": None,
    "group": 1,
    "kernel_shape": None,
    "output_padding": None,
    "output_shape": None,
    "pads": None,
    "strides": None,
}


class RewrittenNode(NamedTuple):
    """What became of a node: its name, and the kernel sizes before and after."""

    name: str
    kernel: tuple[int, ...]
    rewritten: tuple[int, ...]
    block: tuple[int, ...]


@dataclass
class _Scope:
    """Constants and shapes that the nodes of a graph can see."""

    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    sizes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)


def rewrite_model(model: Any) -> list[RewrittenNode]:
    """Rewrite every `ConvTranspose` of a model in place as convolution and shuffle.

    Parameters
    ----------
    model : onnx.ModelProto
        The model; it is changed.

    Returns
    -------
    list of RewrittenNode
        One for each node that was rewritten.

    Raises
    ------
    GeometryError
        If a node cannot be rewritten; the model is not changed then.
    """
    import onnx

    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < LEAST_OPSET:
        rule = f"must be of opset {LEAST_OPSET} or later"
        fix = "Convert it with onnx.version_converter.convert_version."
        raise GeometryError(message("rewrite", "source", rule, f"opset {opset}", fix=fix))
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(changed)
    except onnx.shape_inference.InferenceError:
        inferred = changed
    maker = NodeMaker(_names(changed.graph))
    done = list(_rewrite_graph(changed.graph, inferred.graph, _Scope(), maker))
    model.CopyFrom(changed)
    return done


def _rewrite_graph(
    graph: Any, inferred: Any, outer: _Scope, maker: NodeMaker
) -> Iterator[RewrittenNode]:
    """Rewrite the nodes of a graph and of the graphs inside its nodes."""
    scope = _scope_of(graph, inferred, outer)
    for node, other in zip(graph.node, inferred.node, strict=True):
        for part, known in zip(node.attribute, other.attribute, strict=True):
            if part.HasField("g"):
                yield from _rewrite_graph(part.g, known.g, scope, maker)
    nodes = []
    for node in graph.node:
        if node.op_type != "ConvTranspose" or node.domain not in ("", "ai.onnx"):
            nodes.append(node)
            continue
        rewritten, report = _rewrite_node(node, scope, maker)
        nodes += rewritten
        yield report
    _replace(graph.node, nodes)
    graph.initializer.extend(maker.taken())
    _drop_unused(graph)


def _scope_of(graph: Any, inferred: Any, outer: _Scope) -> _Scope:
    from onnx import numpy_helper

    scope = _Scope(dict(outer.constants), dict(outer.sizes))
    for tensor in graph.initializer:
        scope.constants[tensor.name] = numpy_helper.to_array(tensor)
    for node in graph.node:
        values = [a.t for a in node.attribute if a.name == "value" and a.HasField("t")]
        if node.op_type == "Constant" and values:
            scope.constants[node.output[0]] = numpy_helper.to_array(values[0])
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            scope.sizes[value.name] = tuple(
                size.dim_value if size.HasField("dim_value") else None
                for size in kind.shape.dim
            )
    return scope


def _rewrite_node(
    node: Any, scope: _Scope, maker: NodeMaker
) -> tuple[list[Any], RewrittenNode]:
    """Return the nodes that take the place of one, and a report."""
    from onnx import helper

    name = node.name or node.output[0]
    options = dict(_DEFAULTS)
    for part in node.attribute:
        options[part.name] = helper.get_attribute_value(part)
    kernel, *rest = (_constant(name, text, scope) for text in node.input[1:] if text)
    bias = rest[0] if rest else None
    known = scope.sizes.get(node.input[0], ())
    spec = _spec(name, options, kernel, known[2:])
    form = as_conv_and_shuffle(spec, kernel, bias)
    sizes = None
    if len(known) == spec.rank + 2 and None not in known[2:]:
        sizes = spec.big
    nodes = emit(maker, node, form, sizes)
    return nodes, RewrittenNode(name, kernel.shape, form.kernel.shape, form.block)


def _constant(name: str, text: str, scope: _Scope) -> NDArray[Any]:
    if text not in scope.constants:
        rule = "must have constant kernels and biases"
        got = f"{text!r}, which node {name!r} computes or takes as an input"
        fix = "Fold constants beforehand, for example with onnxsim."
        raise GeometryError(message("rewrite", "source", rule, got, fix=fix))
    return scope.constants[text]


def _spec(
    name: str, options: dict[str, Any], kernel: NDArray[Any], space: tuple[Any, ...]
) -> ConvSpec:
    """Return the geometry of a node, with sizes that stand for all where some are unknown.

    What is cropped at both ends does not depend on the size, unless one is asked for.
    """
    taps = kernel.shape[2:]
    if len(space) != len(taps) or None in space:
        if options["output_shape"]:
            rule = "must have known sizes where a node asks for an output_shape"
            got = f"node {name!r} with sizes that are not known"
            fix = "Name the sizes of the model's inputs."
            raise GeometryError(message("rewrite", "source", rule, got, fix=fix))
        pads = options["pads"] or (0,)
        spans = (d * k for d, k in zip(options["dilations"] or taps, taps, strict=True))
        space = (max(*spans, 1) + 2 * sum(pads) + 2,) * len(taps)
    arguments = Arguments(f"node {name!r}", options, tuple(space), taps)
    geometry = convention.read(arguments)
    groups = geometry.groups
    small, share = kernel.shape[:2]
    if any(axis.big < 1 for axis in geometry.axes) or small % groups:
        rule = "must have nodes with results, whose groups divide their channels"
        raise GeometryError(message("rewrite", "source", rule, f"node {name!r}"))
    return ConvSpec(geometry.axes, groups, small, share * groups)


def _names(graph: Any) -> set[str]:
    """Collect every name that is taken, those of inner graphs too."""
    names = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
        for part in node.attribute:
            if part.HasField("g"):
                names |= _names(part.g)
    return names


def _drop_unused(graph: Any) -> None:
    """Remove constants that no node reads any more."""
    used = {value.name for value in graph.output} | _read(graph)
    gone = {tensor.name for tensor in graph.initializer} - used
    _replace(graph.initializer, [t for t in graph.initializer if t.name not in gone])
    _replace(graph.input, [value for value in graph.input if value.name not in gone])


def _replace(items: Any, kept: list[Any]) -> None:
    """Put other items into a repeated field."""
    copies = [type(item).FromString(item.SerializeToString()) for item in kept]
    del items[:]
    items.extend(copies)


def _read(graph: Any) -> set[str]:
    names: set[str] = set()
    for node in graph.node:
        names |= set(node.input)
        for part in node.attribute:
            if part.HasField("g"):
                names |= _read(part.g) | {value.name for value in part.g.output}
    return names
