"""Chunks are what their array says of them: plain arrays of one library and one dtype.

An array knows its chunks by an empty example, its meta. Functions that were mapped over
chunks may have made others, which only shows when they are computed.
"""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np

from mtconv.backends.dispatch import backend_for, load
from mtconv.errors import BackendError, message

__all__ = ["check_meta", "checked"]


def check_meta(function: str, argument: str, array: da.Array) -> None:
    """Refuse arrays whose chunks are said to be masked, or of no library that is known."""
    _check_plain(function, argument, array._meta)
    backend_for(function, None, **{argument: array._meta})


def checked(function: str, argument: str, array: da.Array) -> da.Array:
    """Return the array with a check of each chunk as it is computed."""
    return array.map_blocks(
        check_chunk,
        function=function,
        argument=argument,
        backend=backend_for(function, None, **{argument: array._meta}).NAME,
        promise=array.dtype,
        dtype=array.dtype,
        meta=array._meta,
    )


def check_chunk(
    chunk: Any, *, function: str, argument: str, backend: str, promise: np.dtype[Any]
) -> Any:
    """Return a chunk as an array of the promised library and dtype, or refuse it."""
    _check_plain(function, argument, chunk)
    if isinstance(chunk, (np.ndarray, np.generic)):
        chunk = load("numpy").asarray(function, argument, chunk)
        chunk = _cast(function, argument, chunk, promise)
        return load(backend).asarray(function, argument, chunk)
    kind = type(chunk).__name__
    if not isinstance(chunk, (list, tuple, int, float, complex)):
        kind = backend_for(function, None, **{argument: chunk}).NAME
        if kind == backend:
            return load(backend).asarray(function, argument, chunk)
    msg = message(
        function,
        argument,
        f"must have chunks of {backend}, as its meta says",
        f"a chunk of {kind}",
        fix="Pass the right meta= to map_blocks, or whatever made the chunks.",
    )
    raise BackendError(msg)


def _check_plain(function: str, argument: str, chunk: Any) -> None:
    if isinstance(chunk, np.ma.MaskedArray):
        fix = "Use dask.array.ma.filled(array, 0) first; a mask would be lost."
    elif isinstance(chunk, np.matrix):
        fix = "Use .map_blocks(numpy.asarray) first."
    else:
        return
    rule, kind = "must have chunks that are plain arrays", type(chunk).__name__
    raise BackendError(message(function, argument, rule, f"chunks of {kind}", fix=fix))


def _cast(function: str, argument: str, chunk: Any, dtype: np.dtype[Any]) -> Any:
    """Convert a chunk of NumPy to the promised dtype where no value is lost but digits."""
    inexact = chunk.dtype.kind in "fc" and dtype.kind in "fc"
    if np.can_cast(chunk.dtype, dtype, "same_kind" if inexact else "safe"):
        return np.asarray(chunk, dtype)
    msg = message(
        function,
        argument,
        f"must have chunks of dtype {dtype}, as it says",
        f"a chunk of dtype {chunk.dtype}",
        fix="Pass the right dtype= to map_blocks, or whatever made the chunks.",
    )
    raise BackendError(msg)
