"""Fourier transforms along the last axes, in the library of the arrays.

NumPy's arrays are transformed by SciPy where it is installed, on as many threads as a call
may use, otherwise by NumPy.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy import fft

from mtconv.backends.host.threads import workers_at_most
from mtconv.backends.libraries import Library
from mtconv.importing import imported

__all__ = ["Transforms", "numpy_back", "numpy_forward", "of_numpy"]


class Transforms:
    """Transforms of real or complex arrays along their last ``rank`` axes.

    Those of real arrays have half of the frequencies of the last axis.
    """

    def __init__(self, library: Library, rank: int, *, real: bool) -> None:
        self.library = library
        self.axes = tuple(range(-rank, 0))
        self.real = real

    def forward(self, array: Any) -> Any:
        """Transform an array."""
        return self._call("rfftn" if self.real else "fftn", array)

    def back(self, spectrum: Any, sizes: tuple[int, ...]) -> Any:
        """Transform back to these sizes."""
        return self._call("irfftn" if self.real else "ifftn", spectrum, s=sizes)

    def _call(self, name: str, array: Any, **options: Any) -> Any:
        xp = self.library.xp
        if xp is np:
            workers = workers_at_most()
            return of_numpy(name, array, workers, axes=self.axes, **options)
        transform = getattr(xp.fft, name)
        if xp.__name__ != "torch":
            return transform(array, axes=self.axes, **options)
        if array.numel():
            return transform(array, dim=self.axes, **options)
        # torch transforms no empty batch. So one item, which depends on the batch.
        leading, sizes = array.shape[: self.axes[0]], array.shape[self.axes[0] :]
        item = array.new_zeros((1, *sizes)) + array.sum()
        item = transform(item, dim=self.axes, **options)
        return item[:0].reshape((*leading, *item.shape[1:]))


def of_numpy(
    name: str, array: Any, workers: int = 1, *, overwrite: bool = False, **options: Any
) -> Any:
    """Call a transform of SciPy's on so many threads, or NumPy's without SciPy.

    The array is overwritten where ``overwrite`` allows that; the result may be the array.
    """
    module = _module()
    if module is not fft:
        options.update(workers=workers, overwrite_x=overwrite)
    return getattr(module, name)(array, **options)


def numpy_forward(array: Any, axes: tuple[int, ...], workers: int, *, real: bool) -> Any:
    """Transform an array of NumPy of any dtype in double precision."""
    array = array.astype(np.float64 if real else np.complex128, copy=False)
    return of_numpy("rfftn" if real else "fftn", array, workers, axes=axes)


def numpy_back(
    spectrum: Any, axes: tuple[int, ...], workers: int, *, real: bool, size: int
) -> Any:
    """Transform back to an array with so many elements on the last axis.

    The spectrum is overwritten: axis by axis in place, and only the result is new.
    """
    others = axes[:-1] if real else axes
    if others:
        spectrum = of_numpy("ifftn", spectrum, workers, overwrite=True, axes=others)
    return of_numpy("irfft", spectrum, workers, n=size) if real else spectrum


@cache
def _module() -> Any:
    return fft if find_spec("scipy") is None else imported("scipy.fft")
