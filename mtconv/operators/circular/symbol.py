"""The matrices of a circular operator at all frequencies, and products with them.

Shapes: data (batch, groups, channels, *residues, *cells), where the big side has residues
of its strides; spectra the same with the residues in one axis and the frequencies in
another; a symbol (groups, small channels, big channels, residues, frequencies).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from mtconv.backends.libraries import Library
from mtconv.operators.circular.circle import (
    circles_of,
    from_circles,
    onto_circles,
    scattered,
)
from mtconv.operators.circular.transforms import Transforms
from mtconv.spec import ConvSpec

__all__ = ["Frequencies"]


@dataclass(frozen=True)
class Frequencies:
    """A spec with circular padding in the frequencies of one library."""

    library: Library
    spec: ConvSpec
    real: bool

    @property
    def transforms(self) -> Transforms:
        """The transforms along the cells."""
        return Transforms(self.library, self.spec.rank, real=self.real)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each circle."""
        return tuple(circle.stride for circle in circles_of(self.spec))

    @property
    def cells(self) -> tuple[int, ...]:
        """Cells of each circle, along which arrays are transformed."""
        return tuple(circle.cells for circle in circles_of(self.spec))

    def small_leading(self, array: Any) -> tuple[int, int]:
        """Return batch and channels of the small side, for an array of either side."""
        return array.shape[0], self.spec.kernel_shape[0]

    def big_leading(self, array: Any) -> tuple[int, int]:
        """Return batch and channels of the big side, for an array of either side."""
        return array.shape[0], self.spec.kernel_shape[1] * self.spec.groups

    def symbol(self, w: Any) -> Any:
        """Transform the response to an impulse at the origin of the small side.

        ``w`` is a kernel of shape `kernel_shape` in the dtype to compute in.
        """
        spec, library = self.spec, self.library
        response = w
        for axis, circle in enumerate(circles_of(spec), 2):
            response = scattered(library, response, axis, circle.taps, circle.size)
        small, share = spec.kernel_shape[:2]
        response = self._phases(response, (spec.groups, small // spec.groups, share))
        return self._spectrum(response)

    def adjoint(self, w: Any) -> Any:
        """Return the symbol whose products with y are those of the transpose."""
        library = self.library
        conjugate = w if self.real else library.conj(w)
        return library.conj(self.symbol(conjugate))

    def of_small(self, x: Any) -> Any:
        """Transform x (batch, small channels, *small)."""
        x = onto_circles(self.library, self.spec, x)
        groups = self.spec.groups
        shape = (x.shape[0], groups, x.shape[1] // max(groups, 1), *self.cells)
        spectrum = self.transforms.forward(self.library.reshape(x, shape))
        return self._flat(spectrum, spectrum.shape[:3])

    def of_big(self, y: Any) -> Any:
        """Transform y (batch, big channels, *big), residue by residue."""
        groups = self.spec.groups
        leading = (y.shape[0], groups, y.shape[1] // max(groups, 1))
        return self._spectrum(self._phases(y, leading))

    def to_small(self, spectrum: Any, leading: tuple[int, ...]) -> Any:
        """Transform (batch, groups, channels, frequencies) back to the small side.

        The result has the shape (*leading, *small).
        """
        return from_circles(self.library, self.spec, self._back(spectrum, leading))

    def to_big(self, spectrum: Any, leading: tuple[int, ...]) -> Any:
        """Transform (batch, groups, channels, residues, frequencies) to the big side.

        The result has the shape (*leading, *big).
        """
        if prod(self.strides) == 1:
            return self._back(spectrum, leading)
        rank, first = self.spec.rank, len(leading)
        phases = self._back(spectrum, (*leading, *self.strides))
        order = [n for axis in range(rank) for n in (first + rank + axis, first + axis)]
        phases = self.library.permute(phases, (*range(first), *order))
        return self.library.reshape(phases, (*leading, *self.spec.big))

    def _phases(self, y: Any, leading: tuple[int, ...]) -> Any:
        """View the big side as residues and cells."""
        if prod(self.strides) == 1:
            return self.library.reshape(y, (*leading, *self.strides, *self.cells))
        sizes = [n for pair in zip(self.cells, self.strides, strict=True) for n in pair]
        y = self.library.reshape(y, (*leading, *sizes))
        rank = self.spec.rank
        order = (*range(4, 3 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))
        return self.library.permute(y, (0, 1, 2, *order))

    def _spectrum(self, phases: Any) -> Any:
        spectrum = self.transforms.forward(phases)
        return self._flat(spectrum, (*spectrum.shape[:3], prod(self.strides)))

    def _flat(self, spectrum: Any, leading: tuple[int, ...]) -> Any:
        """Put all frequencies into one axis."""
        return self.library.reshape(spectrum, (*leading, prod(self.frequencies)))

    def _back(self, spectrum: Any, leading: tuple[int, ...]) -> Any:
        spectrum = self.library.reshape(spectrum, (*leading, *self.frequencies))
        return self.transforms.back(spectrum, self.cells)

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Number of frequencies of each axis."""
        *others, last = self.cells
        return (*others, last // 2 + 1 if self.real else last)

    def to_channels(self, symbol: Any, x: Any) -> Any:
        """Multiply small spectra by a symbol."""
        return _product(self.library, "bgcf,gcpsf->bgpsf", x, symbol)

    def from_channels(self, symbol: Any, y: Any) -> Any:
        """Multiply big spectra by the transposed matrices of a symbol."""
        return _product(self.library, "bgpsf,gcpsf->bgcf", y, symbol)


def _product(library: Library, subscripts: str, array: Any, symbol: Any) -> Any:
    """Sum products over the axes that the result does not have."""
    groups, small, share, residues = symbol.shape[:4]
    if groups * small * share * residues == 1:
        flat = library.reshape(symbol, symbol.shape[-1:])
        shape = (*array.shape[:3], 1, array.shape[-1])
        if subscripts.endswith("bgcf"):
            shape = (*array.shape[:3], array.shape[-1])
        return library.reshape(array * flat, shape)
    if hasattr(library.xp, "einsum"):
        return library.xp.einsum(subscripts, array, symbol)
    if subscripts.endswith("bgcf"):
        product = array[:, :, None, ...] * symbol[None, ...]
        return library.xp.sum(library.xp.sum(product, axis=4), axis=3)
    return library.xp.sum(array[:, :, :, None, None, :] * symbol[None, ...], axis=2)
