"""The nodes of ONNX that a convolution and a shuffle are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.rewrite.shuffles import ConvAndShuffle

__all__ = ["NodeMaker", "emit"]

_END = 2**63 - 1


class NodeMaker:
    """Makes nodes and constants with names that nothing else has."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._constants: list[Any] = []
        self._prefix = ""
        self._nodes: list[Any] = []

    def begin(self, prefix: str) -> None:
        """Begin the nodes that take the place of one."""
        self._prefix, self._nodes = prefix, []

    def ended(self) -> list[Any]:
        """Return the nodes made since."""
        return self._nodes

    def taken(self) -> list[Any]:
        """Return the constants made since this was last asked."""
        constants, self._constants = self._constants, []
        return constants

    def constant(self, what: str, array: NDArray[Any]) -> str:
        """Store an array; return its name."""
        from onnx import numpy_helper

        name = self._new(what)
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, what: str, *values: int) -> str:
        """Store integers."""
        return self.constant(what, np.array(values, "int64"))

    def node(
        self, kind: str, inputs: list[str], output: str | None = None, **options: Any
    ) -> str:
        """Make a node; return the name of its output."""
        from onnx import helper

        name = self._new(kind)
        output = output or self._new(f"{kind}_output")
        self._nodes.append(helper.make_node(kind, inputs, [output], name=name, **options))
        return output

    def _new(self, what: str) -> str:
        name, number = f"{self._prefix}/{what}", 0
        while name in self._names:
            number += 1
            name = f"{self._prefix}/{what}_{number}"
        self._names.add(name)
        return name


def emit(
    maker: NodeMaker, node: Any, form: ConvAndShuffle, sizes: tuple[int, ...] | None
) -> list[Any]:
    """Make the nodes in the place of a `ConvTranspose`.

    ``sizes`` are those of the result where they are known.
    """
    maker.begin(node.name or node.output[0])
    rank = len(form.block)
    x = node.input[0]
    pads = form.padding
    if min(min(pair) for pair in pads) < 0:
        x = _pad_and_crop(maker, x, pads)
        pads = ((0, 0),) * rank
    inputs = [x, maker.constant("kernel", form.kernel)]
    if form.bias is not None:
        inputs.append(maker.constant("bias", form.bias))
    last = max(form.block) == 1 and not any(form.crop)
    y = maker.node(
        "Conv",
        inputs,
        node.output[0] if last else None,
        kernel_shape=form.kernel.shape[2:],
        pads=[*(lo for lo, _ in pads), *(hi for _, hi in pads)],
        dilations=form.dilation,
        group=form.groups,
    )
    crop = any(form.crop)
    if max(form.block) > 1:
        y = _shuffle(maker, y, form, sizes, None if crop else node.output[0])
    if crop:
        axes = maker.integers("axes", *range(2, rank + 2))
        stops = maker.integers("stops", *(-c if c else _END for c in form.crop))
        starts = maker.integers("starts", *(0,) * rank)
        maker.node("Slice", [y, starts, stops, axes], node.output[0])
    return maker.ended()


def _pad_and_crop(maker: NodeMaker, x: str, pads: tuple[tuple[int, int], ...]) -> str:
    """Extend the input with zeros, then crop it, as its padding says."""
    rank = len(pads)
    if max(max(pair) for pair in pads) > 0:
        ends = [max(lo, 0) for lo, _ in pads], [max(hi, 0) for _, hi in pads]
        amounts = maker.integers("pads", 0, 0, *ends[0], 0, 0, *ends[1])
        x = maker.node("Pad", [x, amounts])
    starts = maker.integers("first", *(max(-lo, 0) for lo, _ in pads))
    stops = maker.integers("last", *(hi if hi < 0 else _END for _, hi in pads))
    axes = maker.integers("space", *range(2, rank + 2))
    return maker.node("Slice", [x, starts, stops, axes])


def _shuffle(
    maker: NodeMaker,
    y: str,
    form: ConvAndShuffle,
    sizes: tuple[int, ...] | None,
    output: str | None,
) -> str:
    """Shuffle channels to space."""
    block, channels = form.block, form.spec.big_channels or 1
    if len(block) == 2 and block[0] == block[1]:
        return maker.node("DepthToSpace", [y], output, blocksize=block[0], mode="CRD")
    if sizes is not None:
        space = [-(-n // step) for n, step in zip(sizes, block, strict=True)]
        split = maker.integers("split", 0, channels, *block, *space)
        whole = (n * step for n, step in zip(space, block, strict=True))
        joined = maker.integers("joined", 0, channels, *whole)
        return _regrouped(maker, y, block, (split, joined), output)
    if len(block) > 1:
        shapes = _shapes_at_run_time(maker, y, channels, block)
        return _regrouped(maker, y, block, shapes, output)
    # onnxruntime takes a single size of a shape as -1, which an empty batch cannot have.
    block = (*block, 1)
    y = maker.node("Reshape", [y, maker.integers("image", 0, 0, 0, 1)])
    y = _regrouped(maker, y, block, _shapes_at_run_time(maker, y, channels, block), None)
    return maker.node("Reshape", [y, maker.integers("row", 0, 0, 0)], output)


def _regrouped(
    maker: NodeMaker,
    y: str,
    block: tuple[int, ...],
    shapes: tuple[str, str],
    output: str | None,
) -> str:
    """Split the phases from the channels, move each behind its axis, and join the two."""
    split, joined = shapes
    rank = len(block)
    y = maker.node("Reshape", [y, split])
    pairs = [axis for a in range(rank) for axis in (2 + rank + a, 2 + a)]
    y = maker.node("Transpose", [y], perm=[0, 1, *pairs])
    return maker.node("Reshape", [y, joined], output)


def _shapes_at_run_time(
    maker: NodeMaker, y: str, channels: int, block: tuple[int, ...]
) -> tuple[str, str]:
    """Make the shapes before and after the shuffle from that of the convolution."""
    shape = maker.node("Shape", [y])
    two, end = maker.integers("two", 2), maker.integers("end", _END)
    space = maker.node("Slice", [shape, two, end])
    lead = maker.integers("lead", 0, channels)
    steps = maker.integers("block", *block)
    split = maker.node("Concat", [lead, steps, space], axis=0)
    whole = maker.node("Mul", [space, steps])
    return split, maker.node("Concat", [lead, whole], axis=0)
