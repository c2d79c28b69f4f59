"""The maps and the closed forms of circular operators on NumPy arrays, by passes.

Symbols and filters are those of `symbol.py`, (groups, small channels, big channels,
residues, frequencies), multiplied region by region with the spectra of `passes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.operators.circular.circle import divides, from_circles, onto_circles
from mtconv.operators.circular.passes import Decided, Region, Watch, passes_of
from mtconv.operators.circular.recall import Memory
from mtconv.operators.circular.symbol import Frequencies

__all__ = ["apply_map", "inverted_big", "inverted_small", "solved"]

Array = NDArray[Any]
Step = Callable[..., Array]


def apply_map(
    frequencies: Frequencies,
    form: str,
    symbol: Array,
    data: Array,
    out: Array,
    watch: Watch | None,
) -> bool:
    """Apply a map to canonical data; return whether ``watch`` wants the result.

    ``out`` is canonical, and may have any strides.
    """
    library, spec = frequencies.library, frequencies.spec
    passes = passes_of(spec, real=frequencies.real)
    symbol = passes.symbol(symbol)
    if form == "conv_transpose":
        circles = data
        if not divides(spec):
            # Circles have sums of elements: they need the precision of the rest.
            wide = data.astype(np.float64 if frequencies.real else np.complex128)
            circles = onto_circles(library, spec, wide)
        if watch is not None and circles is not data:
            watch.see(data)
            watch = Decided(watch.settle())
        arrays = passes.planes(circles, spec.groups), passes.phases(out, spec.groups)
        multiply: Step = _to_big
    else:
        circles = _whole_circles(frequencies, out)
        arrays = passes.phases(data, spec.groups), passes.planes(circles, spec.groups)
        multiply = _to_small

    def point(region: Region, spectrum: Array) -> Array:
        return multiply(region.symbol(symbol), spectrum)

    wanted = passes.run(arrays[:1], arrays[1], point, watch)
    if wanted and form == "conv" and circles is not out:
        np.copyto(out, from_circles(library, spec, circles), casting="unsafe")
    return wanted


def solved(
    form: str,
    frequencies: Frequencies,
    filters: tuple[Array, Array, Array | None],
    y: Array,
    z: Any,
    memory: Memory,
) -> Array:
    """Return ``z + A^H (A A^H + weight)^-1 (y - A z)`` for canonical arrays.

    ``filters`` are the symbol, the filter of the rest, and that of z if there is one; z is
    None for zero. The spectrum of a y that comes again and again is kept in ``memory``.
    """
    spec = frequencies.spec
    passes = passes_of(spec, real=frequencies.real)
    x = _room(frequencies, _solution_shape(form, frequencies, y))
    there: Step = _to_big
    back: Step = _to_small
    views: list[Step] = [passes.phases, passes.planes]
    if form == "conv":
        there, back, views = back, there, views[::-1]
    data, result = views[0](y, spec.groups), views[1](x, spec.groups)
    start = None if z is None else views[1](z, spec.groups)
    symbol, filtered = map(passes.symbol, filters[:2])
    kept = None if filters[2] is None else passes.symbol(filters[2])

    def point(region: Region, rest: Array, spectrum: Array | None = None) -> Array:
        if spectrum is None:  # the first one may be known from earlier calls, and is kept
            return back(region.symbol(filtered), rest, keep=True)
        if kept is not None:
            spectrum = _by_matrices(region.symbol(kept), spectrum)
            spectrum += back(region.symbol(filtered), rest, keep=True)
            return spectrum
        seen = there(region.symbol(symbol), spectrum, keep=True)
        np.subtract(rest, seen, out=seen)
        spectrum += back(region.symbol(filtered), seen)
        return spectrum

    inputs = (data,) if start is None else (data, start)
    passes.run(inputs, result, point, memory=memory)
    return x


def _solution_shape(form: str, frequencies: Frequencies, y: Array) -> tuple[int, ...]:
    if form == "conv":
        return (*frequencies.big_leading(y), *frequencies.spec.big)
    return (*frequencies.small_leading(y), *frequencies.spec.small)


def inverted_small(frequencies: Frequencies, inverse: Array, x: Array) -> Array:
    """Multiply by matrices (groups, channels, channels, frequencies) of the small side."""
    groups = frequencies.spec.groups
    passes = passes_of(frequencies.spec, real=frequencies.real)
    inverse = passes.symbol(inverse)

    def point(region: Region, spectrum: Array) -> Array:
        return _by_matrices(region.symbol(inverse), spectrum)

    out = _room(frequencies, x.shape)
    passes.run((passes.planes(x, groups),), passes.planes(out, groups), point)
    return out


def inverted_big(
    frequencies: Frequencies, filters: tuple[Array, Array], weight: float, x: Array
) -> Array:
    """Return ``(x - A^H (A A^H + weight)^-1 A x) / weight`` for a convolution."""
    groups = frequencies.spec.groups
    passes = passes_of(frequencies.spec, real=frequencies.real)
    symbol, filtered = map(passes.symbol, filters)

    def point(region: Region, spectrum: Array) -> Array:
        seen = _to_small(region.symbol(symbol), spectrum, keep=True)
        spectrum -= _to_big(region.symbol(filtered), seen)
        spectrum /= weight
        return spectrum

    out = _room(frequencies, x.shape)
    passes.run((passes.phases(x, groups),), passes.phases(out, groups), point)
    return out


def _room(frequencies: Frequencies, shape: tuple[int, ...]) -> Array:
    """Return memory for a result in double precision."""
    return np.empty(shape, np.float64 if frequencies.real else np.complex128)


def _to_big(symbol: Array, x: Array, *, keep: bool = False) -> Array:
    """Multiply (batch, groups, small channels, rows, columns) by a symbol.

    Where it can be, the result takes the place of x, unless that is kept.
    """
    if symbol.shape[1] != 1:
        return _sums("bgcnf,gcpsnf->bgpsnf", x, symbol)
    x = x[:, :, 0, None, None]
    alone = symbol.shape[2:4] == (1, 1)
    return np.multiply(x, symbol[:, 0], out=x if alone and not keep else None)


def _to_small(symbol: Array, y: Array, *, keep: bool = False) -> Array:
    """Multiply (batch, groups, channels, residues, rows, columns), and add up.

    Products take the place of y where they can, unless that is kept.
    """
    if symbol.shape[1] != 1:
        return _sums("bgpsnf,gcpsnf->bgcnf", y, symbol)
    products = np.multiply(y, symbol[:, 0], out=None if keep else y)
    if symbol.shape[2:4] == (1, 1):
        return products[:, :, :, 0]
    total: Array = products.sum(axis=(2, 3))
    return total[:, :, None]


def _sums(subscripts: str, spectrum: Array, matrices: Array) -> Array:
    sums: Array = np.einsum(subscripts, spectrum, matrices)
    return sums


def _by_matrices(matrices: Array, spectrum: Array) -> Array:
    """Multiply (batch, groups, ..., rows, columns) by (groups, channels, channels, ...).

    Where it can be, the result takes the place of the spectrum.
    """
    groups, channels, _, *last = matrices.shape
    if channels == 1:
        spectrum *= matrices.reshape(groups, *(1,) * (spectrum.ndim - 4), *last)
        return spectrum
    vectors = spectrum.reshape(len(spectrum), groups, channels, *last)
    return _sums("bgcnf,gdcnf->bgdnf", vectors, matrices).reshape(spectrum.shape)


def _whole_circles(frequencies: Frequencies, out: Array) -> Array:
    """Return an array for whole circles, which is the result where that has all."""
    if divides(frequencies.spec):
        return out
    return _room(frequencies, (*out.shape[:2], *frequencies.cells))
