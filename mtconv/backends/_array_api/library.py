"""The few array functions that the maps need, under the names of the standard.

`Library` speaks to a namespace that keeps the standard; libraries that differ override
what differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.errors import BackendError

__all__ = ["Library", "dtype_name"]


def dtype_name(dtype: Any) -> str:
    """Name a dtype of any library: "float32" for ``torch.float32``."""
    return str(dtype).rpartition(".")[2]


class Library:
    """Functions of a namespace of the Array API standard."""

    def __init__(self, namespace: Any) -> None:
        self.xp = namespace

    def owns(self, array: Any) -> bool:
        """Return whether an array belongs to this namespace; otherwise it is of NumPy."""
        return self.xp is np or not isinstance(array, np.ndarray)

    def dtype(self, name: str) -> Any:
        """Return the dtype of this name; NumPy knows those that packages add by name."""
        return np.dtype(name) if self.xp is np else getattr(self.xp, name)

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> Any:
        """Copy an array of NumPy to a device."""
        return self.xp.asarray(array, device=device)

    def device(self, array: Any) -> Any:
        """Return the device of an array."""
        return array.device

    def result_type(self, *dtypes: Any) -> Any:
        """Promote dtypes as the library does."""
        return self.xp.result_type(*dtypes)

    def astype(self, array: Any, dtype: Any) -> Any:
        """Convert the elements; the array itself where nothing changes."""
        return self.xp.astype(array, dtype, copy=False)

    def reshape(self, array: Any, shape: tuple[int, ...]) -> Any:
        """Arrange the elements in another shape."""
        return self.xp.reshape(array, shape)

    def permute(self, array: Any, order: tuple[int, ...]) -> Any:
        """Reorder the axes."""
        return self.xp.permute_dims(array, order)

    def take(self, array: Any, index: Any, axis: int) -> Any:
        """Select elements of an axis."""
        return self.xp.take(array, index, axis=axis)

    def open_sources(self, like: Any, size: int, lo: int, hi: int, mode: str) -> Any | None:
        """Return what a padded axis reads, element by element, where its sizes are symbols.

        None where its stretches say it; a library without symbols has nothing else.
        """
        del like, size, lo, hi, mode
        return None

    def added(self, array: Any, index: Any, size: int, axis: int) -> Any:
        """Add elements of an axis to those of another axis that an index says."""
        raise NotImplementedError

    def pad(self, array: Any, low: int, high: int, axis: int) -> Any:
        """Put zeros before and behind an axis."""
        before, after = tuple(array.shape[:axis]), tuple(array.shape[axis + 1 :])
        parts = [
            self.zeros((*before, size, *after), array) if number != 1 else array
            for number, size in enumerate((low, 1, high))
            if size
        ]
        return array if len(parts) == 1 else self.concat(parts, axis)

    def flip(self, array: Any, axis: int) -> Any:
        """Reverse an axis."""
        return self.xp.flip(array, axis=axis)

    def expand(self, array: Any, shape: tuple[int, ...]) -> Any:
        """Repeat the one element of an axis."""
        return self.xp.broadcast_to(array, shape)

    def sum(self, array: Any, axis: int) -> Any:
        """Add up an axis to one element, in the array's dtype."""
        return self.xp.sum(array, axis=axis, dtype=array.dtype, keepdims=True)

    def concat(self, arrays: list[Any], axis: int) -> Any:
        """Join arrays along an axis."""
        return self.xp.concat(arrays, axis=axis)

    def zeros(self, shape: tuple[int, ...], like: Any) -> Any:
        """Zeros with the dtype and device of another array."""
        return self.xp.zeros(shape, dtype=like.dtype, device=self.device(like))

    def conj(self, array: Any) -> Any:
        """Conjugate the elements."""
        return self.xp.conj(array)

    def to_numpy(self, array: Any) -> np.ndarray[Any, Any]:
        """Copy an array to NumPy, from whatever device it is on."""
        try:
            return np.asarray(array)
        except RuntimeError:  # not on a device that NumPy can read
            return np.from_dlpack(array, device="cpu", copy=True)

    def native(self, array: Any, like: Any) -> Any:
        """Move a neutral array to the device of another one, if that is not neutral."""
        if self.owns(array):
            return array
        return self.from_numpy(array, self.device(like) if self.owns(like) else None)

    def matmul(self, a: Any, b: Any) -> Any:
        """Multiply stacks of matrices."""
        return self.xp.matmul(a, b)

    def together(self, *arrays: Any) -> tuple[Any, ...]:
        """Move the neutral arrays to the device of the others; None stays None."""
        own = next((a for a in arrays if a is not None and self.owns(a)), None)
        device = None if own is None else self.device(own)
        return tuple(
            a if a is None or self.owns(a) else self.from_numpy(a, device) for a in arrays
        )

    def promote(self, arrays: tuple[Any, ...]) -> Any:
        """Return the dtype of the result; NumPy's dtypes count by their names."""
        dtypes = [
            a.dtype if self.owns(a) else self.dtype(a.dtype.name)
            for a in arrays
            if a is not None
        ]
        promoted = dtypes[0]
        try:
            for dtype in dtypes[1:]:
                promoted = self.result_type(promoted, dtype)
        except TypeError as error:
            names = " and ".join(dict.fromkeys(map(dtype_name, dtypes)))
            msg = (
                f"the array library does not promote {names} to a common dtype; "
                "convert the arrays first."
            )
            raise BackendError(msg) from error
        return promoted
