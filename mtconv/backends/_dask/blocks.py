"""What one task does: join the parts that it was given and run one map on the block.

Blocks are arrays of NumPy, or of whatever library the chunks hold; its backend runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.planning.plan import plan_for_spec
from mtconv.spec import ConvSpec

__all__ = ["FoldTask", "MapTask", "cut"]


def cut(block: Any, part: tuple[slice, ...]) -> Any:
    """Take a part of a chunk; small ones are copied, so that the chunk can be freed."""
    taken = block[part]
    return taken.copy() if 2 * taken.size < block.size else taken


def joined(parts: Any, orders: tuple[tuple[int, ...] | None, ...] = ()) -> Any:
    """Join nested lists of parts, one level an axis, and reorder the elements."""
    region = _concatenated(parts, 0)
    for axis, order in enumerate(orders):
        if order is not None:
            region = region.take(np.asarray(order), axis=axis)
    return region


def _concatenated(parts: Any, axis: int) -> Any:
    if not isinstance(parts, list):
        return parts
    first, *others = (_concatenated(part, axis + 1) for part in parts)
    return np.concatenate((first, *others), axis=axis) if others else first


@dataclass(frozen=True)
class MapTask:
    """One map on one block.

    ``spec`` is the block's relation; ``algorithm`` is what the caller wrote, so that
    "auto" looks at the values of the block where it takes an inexact one; ``orders`` has
    one entry per axis of the first region, and of the second one of the kernel gradient.
    A kernel is no region.
    """

    form: str
    spec: ConvSpec
    algorithm: str
    orders: tuple[tuple[tuple[int, ...] | None, ...], ...]

    def __call__(self, parts: Any, other: Any, bias: Any = None) -> Any:
        first, second = map(joined, (parts, other), self.orders)
        engine = backend_for(self.form, None, x=first, y=second)
        # Other libraries have algorithms of their own.
        algorithm = self.algorithm if engine.NAME == "numpy" else "auto"
        plan = plan_for_spec(
            self.form,
            self.spec,
            first.shape,
            second.shape,
            engine.result_dtype(first, second, bias),
            algorithm,
            engine.NAME,
            None if bias is None else bias.shape,
        )
        result = engine.run(plan, first, second, bias, None)
        return result[None] if self.form == "kernel_grad" else result


@dataclass(frozen=True)
class FoldTask:
    """Add up elements of a padded region in the elements that the padding read them from.

    ``targets`` has, for each spatial axis, the element of the block to which each element
    of the region belongs (None: its own); ``shape`` has the spatial sizes of the block.
    """

    targets: tuple[tuple[int, ...] | None, ...]
    shape: tuple[int, ...]

    def __call__(self, parts: Any) -> Any:
        region = joined(parts)
        for axis, (target, size) in enumerate(
            zip(self.targets, self.shape, strict=True), 2
        ):
            if target is None:
                continue
            source = np.moveaxis(region, axis, 0)
            total = np.zeros_like(source, shape=(size, *source.shape[1:]))
            for cell, values in zip(target, source, strict=True):
                total[cell] += values
            region = np.moveaxis(total, 0, axis)
        return region
