"""One layer of a Dask graph: tasks that read regions of chunked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from mtconv.backends._dask.blocks import cut
from mtconv.backends._dask.chunks import Need

__all__ = ["GraphLayer"]


class GraphLayer:
    """Tasks of one map; equal maps of equal arrays have equal names.

    Parameters
    ----------
    title : str
        What the layer does, the start of its name.
    plan : object
        What else tells two layers of the same arrays apart, by its `repr`.
    arrays : dask.array.Array
        What the tasks read.
    """

    def __init__(self, title: str, plan: object, *arrays: da.Array) -> None:
        token = tokenize(title, repr(plan), [array.name for array in arrays])
        self.name = f"{title}-{token}"
        self.arrays = arrays
        self.tasks: dict[Any, Any] = {}

    def add(self, index: tuple[int, ...], function: Any, *arguments: Any) -> None:
        """Make block ``index`` of the result by a call; keys and lists of keys are read."""
        self.tasks[(self.name, *index)] = (function, *arguments)

    def region(self, array: da.Array, needs: Sequence[Need]) -> Any:
        """Name the parts of chunks that make a region: nested lists, one level an axis.

        A part of a chunk is a task of its own, so that only the part is sent to
        another worker.
        """

        def parts(needs: Sequence[Need], *chosen: tuple[int, int, int]) -> Any:
            if needs:
                need, *later = needs
                return [parts(later, *chosen, part) for part in need.parts]
            key = (array.name, *(chunk for chunk, _, _ in chosen))
            whole = all(
                (start, stop) == (0, chunks[chunk])
                for chunks, (chunk, start, stop) in zip(array.chunks, chosen, strict=True)
            )
            if whole:
                return key
            limits = [limit for part in chosen for limit in part]
            name = (f"part-of-{array.name}", *limits)
            slices = tuple(slice(start, stop) for _, start, stop in chosen)
            self.tasks[name] = (cut, key, slices)
            return name

        return parts(needs)

    def array(self, *chunks: Sequence[int]) -> da.Array:
        """Return the result as an array with these chunks."""
        metas = [array._meta for array in self.arrays]
        # NumPy's arrays follow those of another library.
        like = next((m for m in metas if not isinstance(m, np.ndarray)), metas[0])
        dtype = self.arrays[0].dtype
        meta = meta_from_array(like, ndim=len(chunks), dtype=dtype)
        graph = HighLevelGraph.from_collections(self.name, self.tasks, list(self.arrays))
        return da.Array(graph, self.name, tuple(map(tuple, chunks)), meta=meta)
