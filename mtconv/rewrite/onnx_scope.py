"""What the nodes of an ONNX graph can see: constants, sizes, and where values come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mtconv.rewrite.onnx_sizes import Size, attributes_of, declared, is_standard
from mtconv.rewrite.onnx_spec import refuse

__all__ = ["Scope", "dropped", "inner_graphs", "scope_of"]

_FOLD = "Fold constants beforehand, for example with onnxsim."
_INPUT = "is an input of the model"
_DEFAULT = "is an input of the model with a default value, which a caller may replace"
_LOOPED = "is an input of a graph inside a node"
_ABSENT = "is nowhere in the model"
_SPARSE = "is stored as a sparse tensor"
_FIXES = {
    _ABSENT: "",
    _INPUT: "Store it in the model as an initializer.",
    _DEFAULT: "Remove it from the inputs of the graph.",
    _SPARSE: "Store it as a dense initializer.",
}


@dataclass
class Scope:
    """What is known of values by their names.

    ``stored`` has the tensors of constants, ``sources`` says why others are none, and
    ``sizes`` has the sizes that follow from the model's inputs.
    """

    stored: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)

    def array(self, name: str) -> NDArray[Any] | None:
        """Return a constant, or None where a value is none."""
        from onnx import numpy_helper

        return numpy_helper.to_array(self.stored[name]) if name in self.stored else None

    def constant(self, node: str, name: str) -> NDArray[Any]:
        """Return a constant that a node reads; refuse what is none."""
        array = self.array(name)
        if array is None:
            source = self.sources.get(name, _ABSENT)
            rule = "must have constant kernels and biases"
            refuse(
                rule,
                f"{name!r} of node {node!r}, which {source}",
                _FIXES.get(source, _FOLD),
            )
        return array

    def store(self, tensor: Any, name: str) -> None:
        """Add a constant."""
        self.stored[name] = tensor
        self.sizes[name] = tuple(size or None for size in tensor.dims)

    def add_node(self, node: Any, size: Size | None) -> None:
        """Add the results of a node; ``size`` is that of the first."""
        tensor = _constant_of(node)
        if tensor is not None:
            self.store(tensor, node.output[0])
            return
        kind = node.op_type
        sparse = kind == "Constant" and "sparse_value" in attributes_of(node)
        for name in node.output:
            self.sources[name] = _SPARSE if sparse else f"is computed by a node {kind}"
        if size is not None:
            self.sizes[node.output[0]] = size


def _constant_of(node: Any) -> Any:
    """Return the tensor of a `Constant` node, or None."""
    from onnx import TensorProto, helper

    if node.op_type != "Constant" or not is_standard(node):
        return None
    values = attributes_of(node)
    for key, dtype in (("float", TensorProto.FLOAT), ("int", TensorProto.INT64)):
        row = values.get(f"value_{key}s")
        if row is not None:
            return helper.make_tensor("values", dtype, (len(row),), row)
    return values.get("value")


def scope_of(
    graph: Any, outer: Scope, *, outermost: bool = False, inputs_are_constants: bool = False
) -> Scope:
    """Return what the first node of a graph can see."""
    scope = Scope(dict(outer.stored), dict(outer.sources), dict(outer.sizes))
    inputs = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name not in inputs or inputs_are_constants:
            scope.store(tensor, tensor.name)
    for sparse in graph.sparse_initializer:
        scope.sources[sparse.values.name] = _SPARSE
    with_default = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name in scope.stored:
            continue
        default = _DEFAULT if value.name in with_default else _INPUT
        scope.sources[value.name] = default if outermost else _LOOPED
        # The sizes of an inner graph's inputs may change from one iteration to the next.
        size = declared(value) if outermost else None
        if size is not None:
            scope.sizes[value.name] = size
    return scope


def inner_graphs(node: Any) -> Iterator[Any]:
    """Yield the graphs that a node has as attributes."""
    for part in node.attribute:
        if part.HasField("g"):
            yield part.g
        yield from part.graphs


def dropped(graph: Any, replaced: set[str]) -> set[str]:
    """Return the constants of a graph that were replaced and that nothing reads now."""
    used = {value.name for value in graph.output} | _read(graph)
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and is_standard(node):
            constants.update(node.output)
    return (constants & replaced) - used


def _read(graph: Any) -> set[str]:
    """Return the names that nodes read, those of inner graphs too."""
    names: set[str] = set()
    for node in graph.node:
        names |= set(node.input)
        for inner in inner_graphs(node):
            names |= _read(inner) | {value.name for value in inner.output}
    return names
