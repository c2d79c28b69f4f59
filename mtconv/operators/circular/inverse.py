"""Closed forms of regularized inverses of circular operators, frequency by frequency.

`filters.py` says what spectra are multiplied by.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.dispatch import Backend
from mtconv.backends.libraries import Library, dtype_name, library_of
from mtconv.operators.circular.by_lines import LineSolver, scale_of, suits, symbols_of
from mtconv.operators.circular.checks import (
    check_closed_form,
    check_finite,
    check_precision,
)
from mtconv.operators.circular.filters import Filters, cleaned, multiplied
from mtconv.operators.circular.lines import Lines, lines_of
from mtconv.operators.circular.maps import symbol_for
from mtconv.operators.circular.on_numpy import inverted_big, inverted_small, solved
from mtconv.operators.circular.recall import Memory
from mtconv.operators.circular.symbol import Frequencies
from mtconv.planning.candidate import FLOATING, computing_dtype
from mtconv.problem.build import Problem, match
from mtconv.spec import ConvSpec

__all__ = ["ClosedForm", "Setting", "closed_form"]


class ClosedForm(NamedTuple):
    """A circular operator in the frequencies of a library, with its filters.

    Solves go line by line where there are ``lines``, whose solver and symbols are in
    ``made``; ``memory`` is of their data.
    """

    form: str
    frequencies: Frequencies
    filters: Filters
    made: dict[str, Any]
    lines: Lines | None
    memory: Memory

    def solve(self, y: Any, weight: Any, z: Any) -> Any:
        """Return ``z + A^H (A A^H + weight)^-1 (y - A z)``; z is None for zero."""
        frequencies, filters = self.frequencies, self.filters
        if self.lines is not None:
            return self._solve_by_lines(self.lines, y, weight, z)
        of_start = None if z is None else filters.of_start(weight)
        arrays = filters.symbol, filters.of_rest(weight), of_start
        if frequencies.library.xp is np:
            return solved(self.form, frequencies, arrays, y, z, self.memory)
        x = self._solution(arrays, y, z)
        if self.form == "conv_transpose":
            return frequencies.to_small(x, frequencies.small_leading(y))
        return frequencies.to_big(x, frequencies.big_leading(y))

    def _solution(self, arrays: tuple[Any, Any, Any], y: Any, z: Any) -> Any:
        """Return the spectrum of a solution, in any library."""
        frequencies = self.frequencies
        symbol, of_rest, of_start = arrays
        spectra = [frequencies.of_small, frequencies.of_big]
        maps = [frequencies.from_channels, frequencies.to_channels]
        if self.form == "conv_transpose":
            spectra, maps = spectra[::-1], maps[::-1]
        there, back = maps
        rest = spectra[0](y)
        if z is None:
            return back(of_rest, rest)
        start = spectra[1](z)
        if of_start is None:
            return start + back(of_rest, rest - there(symbol, start))
        return multiplied(frequencies.library, of_start, start) + back(of_rest, rest)

    def _solve_by_lines(self, lines: Lines, y: Any, weight: Any, z: Any) -> Any:
        symbol = self.filters.symbol
        scale = self.filters.kept("scale", weight, partial(scale_of, lines, symbol))
        # Two calls at a time have a solver each; one that was broken off is not used again.
        solver = self.made.pop("solver", None)
        if solver is None or solver.batch != len(y):
            symbols = self.made.get("symbols")
            if symbols is None:
                symbols = self.made["symbols"] = symbols_of(lines, symbol)
            solver = LineSolver(lines, symbols, len(y))
        x = solver.run(scale, weight, y, z, self.memory)
        if solver.keeps:
            self.made["solver"] = solver
        return x

    def invert(self, x: Any, weight: Any) -> Any:
        """Return ``(A^H A + weight)^-1 x`` for canonical x."""
        frequencies, filters = self.frequencies, self.filters
        library, symbol = frequencies.library, filters.symbol
        # A convolution of one channel and residue is as small as its transpose.
        if self.form == "conv_transpose" or symbol.shape[1:4] == (1, 1, 1):
            inverse = filters.inverse(weight)
            if library.xp is np:
                return inverted_small(frequencies, inverse, x)
            spectrum = multiplied(library, inverse, frequencies.of_small(x))
            return frequencies.to_small(spectrum, frequencies.small_leading(x))
        of_rest = filters.of_rest(weight)
        if library.xp is np:
            return inverted_big(frequencies, (symbol, of_rest), weight, x)
        spectrum = frequencies.of_big(x)
        seen = frequencies.from_channels(symbol, spectrum)
        spectrum = (spectrum - frequencies.to_channels(of_rest, seen)) / weight
        return frequencies.to_big(spectrum, frequencies.big_leading(x))


class Setting(NamedTuple):
    """How the arrays of one call are arranged, and in which dtypes they are."""

    library: Library
    problem: Problem
    dtype: Any  # of results
    compute: Any  # of what is computed

    def canonical(self, array: Any) -> Any:
        """Convert an array for the closed form; None stays None."""
        if array is None:
            return None
        array = self.library.astype(array, self.compute)
        return canonical(array, self.problem.data, self.library.permute)

    def result(self, array: Any) -> Any:
        """Convert a canonical result to the user's dtype and layout."""
        array = self.library.astype(array, self.dtype)
        return arranged(array, self.problem.data, self.library.permute)


def closed_form(
    function: str, operator: Any, engine: Backend, *arrays: Any
) -> tuple[ClosedForm, Setting]:
    """Return the closed form of an operator for batches of arrays, and their setting.

    It is kept with operators of NumPy, where neither the kernel nor a trace can change.
    """
    arrays = tuple(array for array in arrays if array is not None)
    of_numpy = isinstance(operator.kernel, np.ndarray)
    key: tuple[Any, ...] = ()
    if of_numpy and all(isinstance(array, np.ndarray) for array in arrays):
        key = ("closed form", engine.NAME, *(array.dtype for array in arrays))
        if key in operator._prepared:
            return operator._prepared[key]  # type: ignore[no-any-return]
    spec = operator._sides.front
    check_closed_form(function, spec)
    setting = _setting(function, operator, engine, arrays)
    keep = setting.library.xp is np and of_numpy
    # One for all dtypes that are computed alike.
    shared = ("closed form", str(setting.compute))
    closed = operator._prepared.get(shared) if keep else None
    if closed is None:
        if setting.library.xp is np:
            check_finite(function, operator.kernel)
        closed = _made(operator, spec, setting, arrays)
    if keep:
        operator._prepared[shared] = closed
        if key:
            operator._prepared[key] = closed, setting
    return closed, setting


def _setting(
    function: str, operator: Any, engine: Backend, arrays: tuple[Any, ...]
) -> Setting:
    library = library_of(engine, *arrays, operator.kernel)
    kernel = library.native(operator.kernel, arrays[0])
    dtype = library.promote((*arrays, kernel))
    if dtype_name(dtype) not in FLOATING:
        check_precision(function, dtype)
        dtype = library.dtype("float64")
    if library.xp is np:
        compute = np.dtype(np.complex128 if "complex" in str(dtype) else np.float64)
    else:
        compute = library.dtype(computing_dtype(dtype_name(dtype)))
    shape = (1, *operator.input_shape)
    problem = match(operator.form, operator._sides.front, shape, tuple(kernel.shape))
    return Setting(library, problem, dtype, compute)


def _made(
    operator: Any, spec: ConvSpec, setting: Setting, arrays: tuple[Any, ...]
) -> ClosedForm:
    library = setting.library
    real = "complex" not in dtype_name(setting.compute)
    w = library.astype(library.native(operator.kernel, arrays[0]), setting.compute)
    w = canonical(w, setting.problem.kernel, library.permute)
    w = library.reshape(w, spec.kernel_shape)
    frequencies = Frequencies(library, spec, real)
    symbol = symbol_for(operator.form, frequencies, w)
    lines = None
    if library.xp is np and operator.form == "conv" and symbol.shape[1] == 1:
        lines = lines_of(spec, real=real)
        lines = lines if suits(lines, symbol.shape[2]) else None
    filters = Filters(operator.form, library, cleaned(library, symbol), {})
    return ClosedForm(operator.form, frequencies, filters, {}, lines, Memory())
