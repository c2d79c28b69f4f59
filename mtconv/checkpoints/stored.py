"""What a file of arrays holds, whatever its format, and the error of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Checkpoint", "CheckpointError", "Stored", "carrier"]

_LONGEST_PROBLEM = 600  # characters


class CheckpointError(ValueError):
    """A file that cannot be read or written; the message is one line and names it."""

    def __init__(self, path: Path, problem: object) -> None:
        text = " ".join(str(problem).split())
        if len(text) > _LONGEST_PROBLEM:  # NumPy quotes whole headers
            text = f"{text[:_LONGEST_PROBLEM]}..."
        super().__init__(f"{' '.join(str(path).split())}: {text}")


@dataclass
class Stored:
    """An array as a file holds it.

    Parameters
    ----------
    dtype : str
        Name of the dtype: NumPy's ``str``, such as "<f4", or that of safetensors for what
        NumPy has not, such as "BF16".
    array : numpy.ndarray
        The elements: of the dtype itself, or for dtypes that NumPy has not as unsigned
        integers of as many bytes, which can be rearranged as well.
    """

    dtype: str
    array: NDArray[Any]


@dataclass
class Checkpoint:
    """The arrays of a file by name, in its order, and its metadata.

    Parameters
    ----------
    arrays : dict of str to Stored
        The arrays; that of a ``.npy`` file has the name "".
    metadata : dict of str to str
        What the file says beside them.
    """

    arrays: dict[str, Stored]
    metadata: dict[str, str] = field(default_factory=dict)


def carrier(size: int) -> np.dtype[Any]:
    """Return the unsigned integer that carries elements of so many bytes."""
    return np.dtype(f"<u{size}")
