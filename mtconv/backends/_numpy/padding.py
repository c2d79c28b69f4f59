"""Padding modes: pad y before a convolution, fold (the adjoint) after its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import fold_index
from mtconv.spec import ConvSpec

__all__ = ["fold", "pad"]


def pad(spec: ConvSpec, y: NDArray[Any]) -> NDArray[Any]:
    """Fill the padding of y (batch, channels, *big) as the padding mode says."""
    for number, axis in enumerate(spec.axes):
        index = fold_index(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        y = np.take(y, index, axis=number + 2)
    return y


def fold(spec: ConvSpec, padded: NDArray[Any]) -> NDArray[Any]:
    """Add the padding's elements to the cells they were read from."""
    for number, axis in enumerate(spec.axes):
        index = fold_index(axis.big, axis.lo, max(axis.hi, 0), spec.padding_mode)
        source = np.moveaxis(padded, number + 2, 0)
        target = np.zeros((axis.big, *source.shape[1:]), padded.dtype)
        np.add.at(target, np.asarray(index), source)
        padded = np.moveaxis(target, 0, number + 2)
    return padded
