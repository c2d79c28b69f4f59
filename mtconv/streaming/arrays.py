"""The few array functions that streams need, in the library of the chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtconv.backends._array_api.library import dtype_name as plain_name
from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import Library, library_of
from mtconv.errors import BackendError, message, shown
from mtconv.importing import imported
from mtconv.sizes import compiling

# What `numpy.dtype` may not know, since other libraries bring it.
NUMBERS = frozenset(
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
) | {"bfloat16", "float16", "float32", "float64", "complex64", "complex128"}

_NUMPY = Library(np)

__all__ = [
    "along",
    "autocast_name",
    "blank",
    "counted",
    "dtype_name",
    "joined",
    "library",
    "masked",
    "name_of_dtype",
    "number",
    "together",
    "zeros",
]


def dtype_name(dtype: Any) -> str:
    """Name a dtype of any library, in whichever byte order."""
    return dtype.name if isinstance(dtype, np.dtype) else plain_name(dtype)


def name_of_dtype(function: str, dtype: Any) -> str:
    """Name a dtype that is written as any library writes it."""
    try:
        known = np.dtype(dtype)
        name = known.name
        if known.kind in "iufc":
            return str(name)
    except TypeError:
        name = dtype if isinstance(dtype, str) else dtype_name(dtype)
    if name not in NUMBERS:
        rule = "must be a dtype of numbers, or the name of one"
        raise BackendError(message(function, "dtype", rule, shown(dtype)))
    return str(name)


def library(array: Any) -> Library:
    """Return the functions for an array."""
    if isinstance(array, np.ndarray):
        return _NUMPY
    return library_of(backend_for("stream", None, x=array), array)


def together(*arrays: Any, like: Any = None) -> tuple[Any, ...]:
    """Move neutral arrays to the library and device of the others; None stays None."""
    for own in (*arrays, like):
        if own is not None and not isinstance(own, np.ndarray):
            return library(own).together(*arrays, own)[:-1]
    return arrays


def autocast_name(like: Any, dtype: str) -> str:
    """Name the dtype that `torch.autocast`, where it is on, makes of a result's dtype."""
    autocast = imported("mtconv.backends._torch.autocast")
    kind = like.device.type
    if not autocast.is_on(kind):
        return dtype
    return str(dtype_name(autocast.autocast_dtype(kind, library(like).dtype(dtype))))


def along(array: Any, axis: int, start: int, stop: int) -> Any:
    """Slice one axis."""
    if start == 0 and stop >= array.shape[axis]:
        return array
    return array[(*(slice(None),) * axis, slice(start, stop))]


def joined(arrays: list[Any], axis: int) -> Any:
    """Join arrays along an axis; the result is never a view of one of them."""
    if type(arrays[0]) is np.ndarray:
        return np.concatenate(arrays, axis)
    return library(arrays[0]).concat(arrays, axis)


def zeros(shape: tuple[int, ...], dtype: str, like: Any) -> Any:
    """Zeros of a dtype by name, in the library and on the device of an array."""
    if isinstance(like, np.ndarray):
        return np.zeros(shape, dtype)
    functions = library(like)
    return functions.astype(functions.zeros(shape, like), functions.dtype(dtype))


def number(value: int, like: Any) -> Any:
    """Return an integer as an array, in the library and on the device of another."""
    return together(np.asarray(value, "int32"), like=like)[0]


def blank(array: Any, axis: int, size: int) -> Any:
    """Zeros like an array, with another size of one axis."""
    shape = (*array.shape[:axis], size, *array.shape[axis + 1 :])
    return library(array).zeros(shape, array)


def counted(lead: Any) -> int | None:
    """Return a number in an array; None where only a compiled program will know it."""
    if compiling():
        return None
    try:
        return int(lead)
    except (TypeError, RuntimeError):  # of JAX, and of torch's transformations
        return None


def masked(chunk: Any, axis: int, lead: Any) -> tuple[Any, Any]:
    """Set the first ``lead`` elements of an axis to zero; return what is left of the lead.

    That is -1 once a later element has come. The values of ``lead`` may be known to a
    compiled program only.
    """
    size = chunk.shape[axis]
    if type(lead) is np.ndarray and lead <= 0:
        return chunk, np.full_like(lead, -1) if size else lead
    xp = library(chunk).xp
    shape = (size,) + (1,) * (chunk.ndim - axis - 1)
    places = together(np.arange(size, dtype=np.int32).reshape(shape), chunk)[0]
    zero = xp.zeros_like(chunk)
    rest = xp.where(lead >= size, lead - size, xp.zeros_like(lead) - 1)
    return xp.where(places >= lead, chunk, zero), rest
