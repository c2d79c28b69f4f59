"""What spectra are multiplied by in closed forms, by weight.

With the small matrix ``M`` of a frequency, from the input's side to the output's, and its
singular values ``s``, the filter of the rest, ``M^H (M M^H + weight)^-1``, has
``s / (s**2 + weight)`` in place of ``s`` (N. Zhao et al., "Fast single image
super-resolution using a new analytical solution for l2-l2 problems", 2016). It is worked
out from the singular values, and so keeps its digits where the weight is small.

A solution is ``z + filter (y - M z)``. Where M has no fewer rows than columns, little may
be left of z, and ``z - filter M z`` would lose digits: z is multiplied by
``weight (M^H M + weight)^-1`` instead, from the singular values too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mtconv.backends.libraries import Library

__all__ = ["Filters", "cleaned", "multiplied"]

# Rounding errors of transforms and of singular values, in units of the precision.
_ROUNDING = 16


class Filters(NamedTuple):
    """The filters of a symbol, which multiplies spectra of the input.

    ``made`` keeps those of the last weight, and the singular values.
    """

    form: str
    library: Library
    symbol: Any
    made: dict[str, Any]

    def of_rest(self, weight: Any) -> Any:
        """Return the filter of the rest, of the shape of the symbol, conjugated."""
        return self.kept("rest", weight, self._of_rest)

    def of_start(self, weight: Any) -> Any:
        """Return the matrices (groups, channels, channels, f) that z is multiplied by.

        None where the matrices of the symbol have fewer rows than columns.
        """
        _, small, share, residues, _ = self.symbol.shape
        rows, columns = small, share * residues
        if self.form == "conv_transpose":
            rows, columns = columns, rows
        return self.kept("start", weight, self._of_start) if rows >= columns else None

    def inverse(self, weight: Any) -> Any:
        """Return the inverses of the small side, (groups, channels, channels, f)."""
        return self.kept("inverse", weight, self._inverse)

    def kept(self, name: str, weight: Any, make: Callable[[Any], Any]) -> Any:
        """Make a filter for a weight, or return what an earlier call with it made."""
        if not isinstance(weight, float):  # an array, whose value may be unknown
            return make(weight)
        kept = self.made.get(name)
        if kept is None or kept[0] != weight:
            kept = self.made[name] = (weight, make(weight))
        return kept[1]

    def _of_rest(self, weight: Any) -> Any:
        symbol, library = self.symbol, self.library
        if symbol.shape[1] == 1:
            power = self._power()
            return library.conj(symbol) / (power + weight)[:, :, None, None, :]
        u, s, vh = self._singular(weight)
        product = library.matmul(u * (s / (s * s + weight))[..., None, :], vh)
        product = library.conj(library.permute(product, (0, 2, 3, 1)))
        return library.reshape(product, symbol.shape)

    def _of_start(self, weight: Any) -> Any:
        symbol, library = self.symbol, self.library
        if symbol.shape[1] == 1:
            return weight / (self._power() + weight)[:, :, None, :]
        u, s, vh = self._singular(weight)
        left = library.conj(u)
        if self.form == "conv":
            left = library.conj(library.permute(vh, (0, 1, 3, 2)))
        right = library.conj(library.permute(left, (0, 1, 3, 2)))
        left = left * (weight / (s * s + weight))[..., None, :]
        return library.permute(library.matmul(left, right), (0, 2, 3, 1))

    def _inverse(self, weight: Any) -> Any:
        symbol, library = self.symbol, self.library
        small = symbol.shape[1]
        if small == 1:
            return 1 / (self._power() + weight)[:, :, None, :]
        matrices = self._matrices()
        gram = library.matmul(
            library.conj(matrices), library.permute(matrices, (0, 1, 3, 2))
        )
        identity = library.native(np.eye(small), symbol)
        gram = gram + library.astype(identity, gram.dtype) * weight
        return library.permute(library.xp.linalg.inv(gram), (0, 2, 3, 1))

    def _matrices(self) -> Any:
        """Return the symbol as matrices, (groups, f, small channels, big side)."""
        groups, small, share, residues, count = self.symbol.shape
        shape = (groups, small, share * residues, count)
        matrices = self.library.reshape(self.symbol, shape)
        return self.library.permute(matrices, (0, 3, 1, 2))

    def _singular(self, weight: Any) -> tuple[Any, Any, Any]:
        """Return the singular value decomposition of all matrices."""
        xp = self.library.xp
        parts = self.made.get("singular")
        if parts is None:
            parts = xp.linalg.svd(self._matrices(), full_matrices=False)
            if isinstance(weight, float):
                self.made["singular"] = parts
        u, s, vh = parts
        # What rounding leaves of a singular value of zero would be divided by the weight.
        whole = xp.sum(xp.sum(s * s, axis=2), axis=1)[:, None, None] / s.shape[1]
        eps = _ROUNDING * float(xp.finfo(s.dtype).eps)
        left = (s > eps * s[..., :1]) & (s * s > eps * eps * whole)
        return u, xp.where(left, s, xp.zeros_like(s)), vh

    def _power(self) -> Any:
        """Return the sum of the squares of magnitudes of each frequency."""
        xp = self.library.xp
        return xp.sum(xp.sum(_squares(self.library, self.symbol), axis=3), axis=2)


def _squares(library: Library, symbol: Any) -> Any:
    """Return the squares of magnitudes."""
    real, imaginary = library.xp.real(symbol), library.xp.imag(symbol)
    return real * real + imaginary * imaginary


def cleaned(library: Library, symbol: Any) -> Any:
    """Set to zero what rounding leaves of elements of a symbol that are zero.

    It is as large as the precision of the mean over all frequencies, and filters would
    divide it by the weight.
    """
    xp, (groups, *_, count) = library.xp, symbol.shape
    squares = _squares(library, symbol)
    mean = xp.sum(library.reshape(squares, (groups, -1)), axis=1) / max(count, 1)
    eps = _ROUNDING * float(xp.finfo(squares.dtype).eps)
    left = squares > eps * eps * mean[:, None, None, None, None]
    return xp.where(left, symbol, xp.zeros_like(symbol))


def multiplied(library: Library, matrices: Any, spectrum: Any) -> Any:
    """Multiply (batch, groups, ..., f) by (groups, channels, channels, f)."""
    groups, channels, _, count = matrices.shape
    flat = library.reshape(spectrum, (spectrum.shape[0], groups, channels, count))
    if channels == 1:
        product = flat * matrices[:, 0, ...]
    else:
        product = library.xp.sum(matrices[None, ...] * flat[:, :, None, ...], axis=3)
    return library.reshape(product, spectrum.shape)
