"""torch under the names of the Array API standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mtconv.backends._array_api.library import Library
from mtconv.backends._torch.autocast import compiled_product, product
from mtconv.backends._torch.symbols import is_fixed, is_sure
from mtconv.folds import APART, source_element
from mtconv.sizes import larger, traced

__all__ = ["LIBRARY", "integer_product", "library_for"]


class TorchLibrary(Library):
    """torch where it has other names than the standard; ``product`` multiplies matrices."""

    def __init__(self, product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]):
        super().__init__(torch)
        self._product = product

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any) -> torch.Tensor:
        name = array.dtype.name
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        if name == "bfloat16":
            tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(array)
        if torch.device(device or "cpu").type == "cuda":
            # From pinned memory no call waits until the copy has reached the device.
            return tensor.pin_memory().to(device, non_blocking=True)
        return tensor.to(device)

    def together(self, *arrays: Any) -> tuple[Any, ...]:
        if all(array is None or isinstance(array, torch.Tensor) for array in arrays):
            return arrays
        return super().together(*arrays)

    def promote(self, arrays: tuple[Any, ...]) -> Any:
        dtypes = {array.dtype for array in arrays if array is not None}
        return dtypes.pop() if len(dtypes) == 1 else super().promote(arrays)

    def result_type(self, *dtypes: Any) -> Any:
        return torch.promote_types(*dtypes)

    def astype(self, array: Any, dtype: Any) -> Any:
        return array.to(dtype)

    def permute(self, array: Any, order: tuple[int, ...]) -> Any:
        return array.permute(order)

    def take(self, array: Any, index: Any, axis: int) -> Any:
        return torch.index_select(array, axis, index)

    def open_sources(
        self, like: Any, size: int, lo: int, hi: int, mode: str
    ) -> torch.Tensor | None:
        if not traced((size, lo, hi)) or turns_are_sure(size, lo, hi, mode):
            return None
        places = torch.arange(lo + size + hi, device=like.device) - lo
        index: torch.Tensor = source_element(places, size, mode)
        return index

    def added(self, array: Any, index: Any, size: int, axis: int) -> Any:
        shape = (*array.shape[:axis], size, *array.shape[axis + 1 :])
        return array.new_zeros(shape).index_add(axis, index, array)

    def conj(self, array: Any) -> Any:
        return array.conj()

    def to_numpy(self, array: Any) -> np.ndarray[Any, Any]:
        array = array.detach().resolve_conj().resolve_neg().cpu()
        if array.dtype == torch.bfloat16:
            array = array.float()  # NumPy may have no such dtype
        return array.numpy()  # type: ignore[no-any-return]

    def pad(self, array: Any, low: int, high: int, axis: int) -> Any:
        """Put zeros before and behind an axis, without asking whether there are any."""
        around = (0, 0) * (array.ndim - 1 - axis)
        return torch.nn.functional.pad(array, (*around, low, high))

    def flip(self, array: Any, axis: int) -> Any:
        return torch.flip(array, (axis,))

    def matmul(self, a: Any, b: Any) -> Any:
        if a.is_floating_point() or a.is_complex() or a.device.type == "cpu":
            return self._product(a, b)
        return integer_product(a, b)


def turns_are_sure(size: int, lo: int, hi: int, mode: str) -> bool:
    """Return whether the same few stretches say what is read, whatever the symbols are."""
    if is_fixed(size) and is_fixed(lo) and is_fixed(hi):
        return True
    apart = APART[mode]
    return is_fixed(lo) and (apart is None or is_sure(size >= larger(lo, hi) + apart))


def integer_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply stacks of integer matrices, for devices whose `matmul` takes none."""
    total = torch.zeros((), dtype=a.dtype, device=a.device)
    for inner in range(a.shape[-1]):
        total = total + a[..., :, inner, None] * b[..., inner, None, :]
    shape = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return total.expand(*shape, a.shape[-2], b.shape[-1])


LIBRARY = TorchLibrary(product)
_COMPILED = TorchLibrary(torch.matmul)
_COMPILED_IN_AUTOCAST = TorchLibrary(compiled_product)


def library_for(*, autocast: bool) -> TorchLibrary:
    """Return the library for a call; ``autocast`` says whether that is on around it."""
    if not torch.compiler.is_compiling():
        return LIBRARY
    return _COMPILED_IN_AUTOCAST if autocast else _COMPILED
