"""Files of safetensors, read and written by their format, without its package.

Eight bytes with the length of a header, the header in JSON, the bytes of the arrays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mtconv.checkpoints.stored import Checkpoint, CheckpointError, Stored, carrier

__all__ = ["read", "write"]

_METADATA = "__metadata__"
_LONGEST_HEADER = 100_000_000  # the format's own limit

_NUMPY = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "C64": "<c8",
}
# Dtypes that NumPy has not, by their bytes.
CARRIED = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1}
CARRIED["F8_E5M2FNUZ"] = 1
_NAMES = {name: dtype for dtype, name in _NUMPY.items()}


def read(path: Path, file: BinaryIO, size: int) -> Checkpoint:
    """Read a file of ``size`` bytes; the arrays are mapped, not loaded."""
    header, start = _header(path, file, size)
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise CheckpointError(path, "metadata must be a table of texts")
    places = {name: _place(path, name, entry) for name, entry in header.items()}
    end = 0
    for name, (_, _, begin, stop) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != end:
            raise CheckpointError(path, f"the bytes of {name!r} do not follow the others")
        end = stop
    if start + end != size:
        problem = f"must have {start + end} bytes by its header, has {size}"
        raise CheckpointError(path, problem)
    whole = np.memmap(path, np.uint8, "r", start) if end else np.empty(0, np.uint8)
    arrays = {}
    for name, (dtype, shape, begin, stop) in places.items():
        kind = np.dtype(_NUMPY[dtype]) if dtype in _NUMPY else carrier(CARRIED[dtype])
        raw = np.asarray(whole[begin:stop])
        array = raw.view(kind).reshape(shape)
        arrays[name] = Stored(kind.str if dtype in _NUMPY else dtype, array)
    return Checkpoint(arrays, metadata)


def _header(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _LONGEST_HEADER):
        raise CheckpointError(path, f"is cut: its header has {length} bytes")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, f"its header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise CheckpointError(path, "its header is no table")
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        msg = "a name occurs twice"
        raise ValueError(msg)
    return table


def _place(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Check an entry of the header; return dtype, shape, begin and end."""
    try:
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        begin, stop = entry["data_offsets"]
        numbers = (*shape, begin, stop)
        legal = all(type(n) is int and 0 <= n < 2**63 for n in numbers) and len(shape) < 33
    except (TypeError, KeyError, ValueError):
        legal = False
    if not legal:
        raise CheckpointError(path, f"the header says nothing of use about {name!r}")
    if not isinstance(dtype, str) or (dtype not in _NUMPY and dtype not in CARRIED):
        raise CheckpointError(path, f"{name!r} has the dtype {dtype!r}, which is unknown")
    itemsize = CARRIED.get(dtype) or np.dtype(_NUMPY[dtype]).itemsize
    count = 1
    for length in shape:
        count *= length
    if stop - begin != count * itemsize:
        problem = f"{name!r} must have {count * itemsize} bytes, has {stop - begin}"
        raise CheckpointError(path, problem)
    return dtype, shape, begin, stop


def write(path: Path, file: BinaryIO, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; wide elements come first, so that all are aligned."""
    header: dict[str, Any] = {}
    if checkpoint.metadata:
        header[_METADATA] = checkpoint.metadata
    arrays = checkpoint.arrays
    order = sorted(arrays, key=lambda name: -arrays[name].array.dtype.itemsize)
    offsets, start = {}, 0
    for name in order:
        stop = start + arrays[name].array.nbytes
        offsets[name], start = [start, stop], stop
    for name, stored in arrays.items():
        if name == _METADATA:
            raise CheckpointError(path, f"no array of safetensors is called {name!r}")
        entry = {"dtype": _name(path, name, stored), "shape": list(stored.array.shape)}
        header[name] = entry | {"data_offsets": offsets[name]}
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        array = arrays[name].array
        file.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)


def _name(path: Path, name: str, stored: Stored) -> str:
    """Return the dtype's name in the format."""
    if stored.dtype in CARRIED:
        return stored.dtype
    little = np.dtype(stored.dtype).newbyteorder("<").str
    if little not in _NAMES:
        problem = f"safetensors has no dtype for {name!r}, {stored.dtype!r}; write .npz"
        raise CheckpointError(path, problem)
    return _NAMES[little]
