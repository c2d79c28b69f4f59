"""Files of checkpoints: checked when read, written as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mtconv.checkpoints import numpy_files, safetensors
from mtconv.checkpoints.stored import Checkpoint, CheckpointError

__all__ = ["check_suffix", "read", "write"]

_READERS: dict[str, Callable[[Path, BinaryIO, int], Checkpoint]] = {
    ".npy": numpy_files.read_npy,
    ".npz": numpy_files.read_npz,
    ".safetensors": safetensors.read,
}
_WRITERS: dict[str, Callable[[Path, BinaryIO, Checkpoint], None]] = {
    ".npy": numpy_files.write_npy,
    ".npz": numpy_files.write_npz,
    ".safetensors": safetensors.write,
}
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_RECIPE = (
    "holds pickles, which may run any code and are never read. In torch: "
    "safetensors.torch.save_file(torch.load({name!r}, weights_only=True), "
    "'{stem}.safetensors')"
)


def check_suffix(path: Path) -> str:
    """Return the ending of a file that can be read and written."""
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        recipe = _RECIPE.format(name=path.name, stem=path.stem)
        raise CheckpointError(path, recipe)
    if suffix not in _READERS:
        raise CheckpointError(path, "must end in .npy, .npz or .safetensors")
    return suffix


def read(path: Path) -> Checkpoint:
    """Read a file; large arrays of safetensors stay on the disk until they are needed.

    Raises
    ------
    CheckpointError
        If the file is of another kind or damaged; nothing is executed, and memory stays
        in proportion to the file.
    """
    reader = _READERS[check_suffix(path)]
    try:
        with path.open("rb") as file:
            return reader(path, file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None


def write(path: Path, checkpoint: Checkpoint, *, replace: bool = False) -> None:
    """Write a file whole, or leave everything as it was.

    Raises
    ------
    CheckpointError
        If the file exists already, unless ``replace`` is true, or the format cannot hold
        the arrays.
    """
    writer = _WRITERS[check_suffix(path)]
    if path.exists() and not replace:
        raise CheckpointError(path, "exists already")
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with temporary.open("xb") as file:
            writer(path, file, checkpoint)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    except (ValueError, struct.error) as error:  # names that a format cannot hold
        raise CheckpointError(path, f"cannot hold these arrays: {error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
