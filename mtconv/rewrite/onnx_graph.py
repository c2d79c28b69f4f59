"""`ConvTranspose` nodes of an ONNX graph, rewritten as convolutions and shuffles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mtconv.rewrite.onnx_nodes import NodeMaker, emit
from mtconv.rewrite.onnx_scope import Scope, dropped, inner_graphs, scope_of
from mtconv.rewrite.onnx_sizes import followed, is_standard
from mtconv.rewrite.onnx_spec import check_bias, node_spec, refuse
from mtconv.rewrite.shuffles import as_conv_and_shuffle

__all__ = ["RewrittenNode", "rewrite_model"]

LEAST_OPSET = 11
# Since this version of the format, constants need not be listed as inputs.
_FREE_CONSTANTS = 4


class RewrittenNode(NamedTuple):
    """What became of a node: its name, and the kernel sizes before and after."""

    name: str
    kernel: tuple[int, ...]
    rewritten: tuple[int, ...]
    block: tuple[int, ...]


@dataclass
class _Progress:
    """What all graphs of a model share: names that are taken, and arrays to drop."""

    names: set[str]
    replaced: set[str] = field(default_factory=set)


def rewrite_model(model: Any) -> list[RewrittenNode]:
    """Rewrite every `ConvTranspose` of a model in place as convolution and shuffle.

    Parameters
    ----------
    model : onnx.ModelProto
        The model; it is changed. A model of IR version 3 becomes one of version 4, in
        which constants need not be inputs.

    Returns
    -------
    list of RewrittenNode
        One for each node that was rewritten.

    Raises
    ------
    GeometryError
        If a node cannot be rewritten; the model is not changed then.

    Notes
    -----
    Sizes are followed from those of the model's inputs. The shapes that a model states
    about values inside are not read.
    """
    import onnx

    _check_model(model)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    fixed = changed.ir_version < _FREE_CONSTANTS
    scope = scope_of(changed.graph, Scope(), outermost=True, inputs_are_constants=fixed)
    done = list(_rewrite_graph(changed.graph, scope, _Progress(_names(changed.graph))))
    if done:
        changed.ir_version = max(changed.ir_version, _FREE_CONSTANTS)
        model.CopyFrom(changed)
    return done


def _check_model(model: Any) -> None:
    """Refuse a model some of whose nodes would be missed or mean something else."""
    opset = next((o.version for o in model.opset_import if is_standard(o)), 0)
    if opset < LEAST_OPSET:
        rule = f"must be of opset {LEAST_OPSET} or later"
        fix = "Convert it with onnx.version_converter.convert_version."
        refuse(rule, f"opset {opset}", fix)
    inline = "Put it into the graph with onnx.inliner.inline_local_functions."
    for function in model.functions:
        if is_standard(function):
            rule = "must not define operators of ONNX itself"
            refuse(rule, f"function {function.name!r}", inline)
        if _has_transposed(function):
            rule = "must have every ConvTranspose in a graph, and none in a function"
            refuse(rule, f"function {function.name!r}", inline)
    if model.training_info:
        rule = "must be a model for inference, whose weights do not change"
        refuse(rule, "training_info", "Remove training_info.")


def _has_transposed(graph: Any) -> bool:
    """Return whether a graph or function, or a graph inside its nodes, has such a node."""
    return any(
        _is_transposed(node) or any(map(_has_transposed, inner_graphs(node)))
        for node in graph.node
    )


def _is_transposed(node: Any) -> bool:
    return node.op_type == "ConvTranspose" and is_standard(node)


def _rewrite_graph(graph: Any, scope: Scope, work: _Progress) -> Iterator[RewrittenNode]:
    """Rewrite the nodes of a graph and of the graphs inside its nodes."""
    maker, nodes = NodeMaker(work.names), []
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from _rewrite_graph(inner, scope_of(inner, scope), work)
        if not _is_transposed(node):
            nodes.append(node)
            scope.add_node(node, followed(node, scope.sizes, scope.array))
            continue
        rewritten, report = _rewrite_node(node, scope, maker)
        work.replaced.update(node.input[1:])
        nodes += rewritten
        yield report
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(maker.taken())
    gone = dropped(graph, work.replaced)
    _delete(graph.node, [not gone.isdisjoint(node.output) for node in graph.node])
    _delete(graph.initializer, [tensor.name in gone for tensor in graph.initializer])
    _delete(graph.input, [value.name in gone for value in graph.input])


def _rewrite_node(
    node: Any, scope: Scope, maker: NodeMaker
) -> tuple[list[Any], RewrittenNode]:
    """Return the nodes that take the place of one, and a report."""
    name = node.name or node.output[0]
    if not all((*node.input, "", "")[:2]):
        refuse("must have an input and a kernel for every ConvTranspose", f"node {name!r}")
    kernel, *rest = (scope.constant(name, text) for text in node.input[1:] if text)
    bias = rest[0] if rest else None
    known = scope.sizes.get(node.input[0])
    spec = node_spec(name, node, kernel, known)
    if bias is not None:
        check_bias(name, spec, bias)
    form = as_conv_and_shuffle(spec, kernel, bias)
    sizes = None
    if known is not None and None not in known[2:]:
        sizes = spec.big
    space = sizes or (None,) * spec.rank
    batch = None if known is None else known[0]
    scope.add_node(node, (batch, spec.big_channels, *space))
    nodes = emit(maker, node, form, sizes)
    return nodes, RewrittenNode(name, kernel.shape, form.kernel.shape, form.block)


def _names(graph: Any) -> set[str]:
    """Collect every name that is taken, those of inner graphs too."""
    names = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    names |= {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
        for inner in inner_graphs(node):
            names |= _names(inner)
    return names


def _delete(items: Any, unwanted: list[bool]) -> None:
    """Delete items of a repeated field."""
    for index in reversed(range(len(unwanted))):
        if unwanted[index]:
            del items[index]
