"""NumPy's files: ``.npy`` and archives of them, ``.npz``. Pickles are never read.

What ``.npz`` has no place for, metadata and the dtypes that NumPy has not, is written into
the comment of the archive, which NumPy does not look at.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mtconv.checkpoints.safetensors import CARRIED
from mtconv.checkpoints.stored import Checkpoint, CheckpointError, Stored, carrier

__all__ = ["read_npy", "read_npz", "write_npy", "write_npz"]

_COMMENT = b"mtconv: "
_LONGEST_COMMENT = 65_535
_LONGEST_HEADER = 65_535
# Archives are unpacked into memory up to the larger of these.
_UNPACKED_AT_LEAST = 64 << 20
_TIMES_THE_FILE = 50

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy(path: Path, file: BinaryIO, size: int) -> Checkpoint:
    """Read a file of one array, which gets the name ""."""
    try:
        array = _array(file, size)
    except Exception as error:  # whatever NumPy raises for damaged headers
        raise CheckpointError(path, f"is no whole .npy file: {error}") from None
    return Checkpoint({"": Stored(array.dtype.str, array)})


def _array(file: Any, size: int) -> NDArray[Any]:
    """Read an array from a stream of ``size`` bytes, whose header must fit them."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        msg = f"version {version} is unknown"
        raise ValueError(msg)
    prefix = file.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(prefix, "little")
    if length > min(size - file.tell(), _LONGEST_HEADER):  # NumPy would make room for it
        msg = f"its header cannot have {length} bytes"
        raise ValueError(msg)
    header = io.BytesIO(prefix + file.read(length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, fortran, dtype = _HEADERS[version](header)
    if not dtype.itemsize:
        msg = f"elements of dtype {dtype} have no bytes"
        raise ValueError(msg)
    if dtype.hasobject:
        msg = "it holds Python objects, which are pickles and never read"
        raise ValueError(msg)
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            msg = f"the shape {shape} is impossible"
            raise ValueError(msg)
        count *= length
    expected = count * dtype.itemsize
    rest = size - file.tell()
    if expected != rest:
        msg = f"{expected} bytes of elements must follow the header, {rest} do"
        raise ValueError(msg)
    data = file.read(expected)
    if len(data) != expected or file.read(1):
        msg = f"{expected} bytes of elements must follow the header"
        raise ValueError(msg)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def read_npz(path: Path, file: BinaryIO, size: int) -> Checkpoint:
    """Read an archive of arrays, if it is not out of proportion to its file."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _unpacked(path, archive, size)
    except CheckpointError:
        raise
    except Exception as error:  # whatever zipfile raises for damaged archives
        raise CheckpointError(path, f"is no whole .npz file: {error}") from None


def _unpacked(path: Path, archive: zipfile.ZipFile, size: int) -> Checkpoint:
    members = archive.infolist()
    most = max(_UNPACKED_AT_LEAST, _TIMES_THE_FILE * size)
    whole = sum(member.file_size for member in members)
    if whole > most:
        problem = (
            f"would unpack to {whole} bytes, {whole // max(size, 1)} times its own size"
        )
        raise CheckpointError(path, problem)
    dtypes, metadata = _comment(archive.comment)
    arrays: dict[str, Stored] = {}
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CheckpointError(path, f"{member.filename!r} is packed in an unknown way")
        name = member.filename.removesuffix(".npy")
        if name == member.filename or name in arrays:
            problem = f"holds {member.filename!r}, which is no .npy file or there twice"
            raise CheckpointError(path, problem)
        with archive.open(member) as stream:
            array = _array(stream, member.file_size)
        dtype = dtypes.get(name, array.dtype.str)
        if name in dtypes:
            array = array.view(carrier(CARRIED[dtype]))
        arrays[name] = Stored(dtype, array)
    return Checkpoint(arrays, metadata)


def _comment(comment: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Read the dtypes and the metadata that the comment of an archive has."""
    if not comment.startswith(_COMMENT):
        return {}, {}
    table = json.loads(comment.removeprefix(_COMMENT))
    return dict(table["dtypes"]), dict(table["metadata"])


def write_npy(path: Path, file: BinaryIO, checkpoint: Checkpoint) -> None:
    """Write the only array of a checkpoint."""
    if len(checkpoint.arrays) != 1 or checkpoint.metadata:
        problem = "a .npy file holds one array and no metadata; write .npz or .safetensors"
        raise CheckpointError(path, problem)
    ((_, stored),) = checkpoint.arrays.items()
    if stored.dtype in CARRIED:
        problem = f".npy has no dtype {stored.dtype}; write .npz or .safetensors"
        raise CheckpointError(path, problem)
    npy.write_array(file, np.asarray(stored.array), allow_pickle=False)


def write_npz(path: Path, file: BinaryIO, checkpoint: Checkpoint) -> None:
    """Write every array into an archive, whatever its name."""
    dtypes = {n: s.dtype for n, s in checkpoint.arrays.items() if s.dtype in CARRIED}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, stored in checkpoint.arrays.items():
            if "\0" in name:
                raise CheckpointError(path, f".npz has no names like {name!r}")
            array = stored.array
            if name in dtypes:  # NumPy's own form of elements that it does not know
                array = array.view(f"V{array.dtype.itemsize}")
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                npy.write_array(stream, np.asarray(array), allow_pickle=False)
        if dtypes or checkpoint.metadata:
            table = {"dtypes": dtypes, "metadata": checkpoint.metadata}
            comment = _COMMENT + json.dumps(table).encode()
            if len(comment) > _LONGEST_COMMENT:
                problem = "has no room for so much metadata; write .safetensors"
                raise CheckpointError(path, problem)
            archive.comment = comment
