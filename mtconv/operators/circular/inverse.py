"""Closed forms of regularized inverses of circular operators, frequency by frequency.

With the small matrix ``M`` of a frequency, from the input's side to the output's, and its
singular values ``s``, the filter ``M^H (M M^H + weight)^-1`` has ``s / (s**2 + weight)`` in
place of ``s`` (N. Zhao et al., "Fast single image super-resolution using a new analytical
solution for l2-l2 problems", 2016). It is worked out from the singular values, and so keeps
its digits where the weight is small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.dispatch import Backend
from mtconv.backends.libraries import Library, dtype_name, library_of
from mtconv.operators.circular.by_lines import LineSolver, scale_of, suits, symbols_of
from mtconv.operators.circular.checks import check_closed_form, check_finite
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
    """A circular operator in the frequencies of a library, with what was made of it.

    ``symbol`` multiplies spectra of the input; ``made`` keeps filters by weight. Solves go
    line by line where there are ``lines``; ``memory`` is of their data.
    """

    form: str
    frequencies: Frequencies
    symbol: Any
    made: dict[Any, Any]
    lines: Lines | None
    memory: Memory

    def solve(self, y: Any, weight: Any, z: Any) -> Any:
        """Return ``z + A^H (A A^H + weight)^-1 (y - A z)``; z is None for zero."""
        frequencies = self.frequencies
        if self.lines is not None:
            return self._solve_by_lines(self.lines, y, weight, z)
        filtered = self.kept("filter", weight, _filter)
        if frequencies.library.xp is np:
            filters = self.symbol, filtered
            return solved(self.form, frequencies, filters, y, z, self.memory)
        if self.form == "conv_transpose":
            rest, start = frequencies.of_big(y), None
            if z is not None:
                start = frequencies.of_small(z)
                rest = rest - frequencies.to_channels(self.symbol, start)
            x = frequencies.from_channels(filtered, rest)
            x = x if start is None else x + start
            return frequencies.to_small(x, frequencies.small_leading(y))
        rest, start = frequencies.of_small(y), None
        if z is not None:
            start = frequencies.of_big(z)
            rest = rest - frequencies.from_channels(self.symbol, start)
        x = frequencies.to_channels(filtered, rest)
        x = x if start is None else x + start
        return frequencies.to_big(x, frequencies.big_leading(y))

    def _solve_by_lines(self, lines: Lines, y: Any, weight: Any, z: Any) -> Any:
        scale = self.kept("scale", weight, _scale)
        # Two calls at a time have a solver each; one that was broken off is not used again.
        solver = self.made.pop("solver", None)
        if solver is None or solver.batch != len(y):
            symbols = self.made.get("symbols")
            if symbols is None:
                symbols = self.made["symbols"] = symbols_of(lines, self.symbol)
            solver = LineSolver(lines, symbols, len(y))
        x = solver.run(scale, y, z, self.memory)
        if solver.keeps:
            self.made["solver"] = solver
        return x

    def invert(self, x: Any, weight: Any) -> Any:
        """Return ``(A^H A + weight)^-1 x`` for canonical x."""
        frequencies, library = self.frequencies, self.frequencies.library
        # A convolution of one channel and residue is as small as its transpose.
        if self.form == "conv_transpose" or self.symbol.shape[1:4] == (1, 1, 1):
            inverse = self.kept("gram", weight, _small_inverse)
            if library.xp is np:
                return inverted_small(frequencies, inverse, x)
            spectrum = _multiplied(library, inverse, frequencies.of_small(x))
            return frequencies.to_small(spectrum, frequencies.small_leading(x))
        filtered = self.kept("filter", weight, _filter)
        if library.xp is np:
            return inverted_big(frequencies, (self.symbol, filtered), weight, x)
        spectrum = frequencies.of_big(x)
        seen = frequencies.from_channels(self.symbol, spectrum)
        spectrum = (spectrum - frequencies.to_channels(filtered, seen)) / weight
        return frequencies.to_big(spectrum, frequencies.big_leading(x))

    def kept(self, name: str, weight: Any, make: Any) -> Any:
        """Make a filter for a weight, or return what an earlier call with it made."""
        if not isinstance(weight, float):  # an array, whose value may be unknown
            return make(self, weight)
        kept = self.made.get(name)
        if kept is None or kept[0] != weight:
            kept = self.made[name] = (weight, make(self, weight))
        return kept[1]


def _scale(closed: ClosedForm, weight: Any) -> Any:
    assert closed.lines is not None
    return scale_of(closed.lines, closed.symbol, weight)


def _filter(closed: ClosedForm, weight: Any) -> Any:
    """Work out ``s / (s**2 + weight)`` in place of the singular values, conjugated."""
    symbol, library = closed.symbol, closed.frequencies.library
    groups, small, share, residues, count = symbol.shape
    if small == 1:
        power = _power(library, symbol)
        power = library.xp.sum(library.xp.sum(power, axis=3), axis=2)
        return library.conj(symbol) / (power + weight)[:, :, None, None, :]
    matrices = library.reshape(symbol, (groups, small, share * residues, count))
    parts = closed.made.get("singular")
    if parts is None:
        matrices = library.permute(matrices, (0, 3, 1, 2))
        parts = library.xp.linalg.svd(matrices, full_matrices=False)
        if isinstance(weight, float):
            closed.made["singular"] = parts
    u, s, vh = parts
    # What rounding leaves of a singular value of zero would be divided by the weight.
    least = 8 * float(library.xp.finfo(s.dtype).eps) * s[..., :1]
    s = library.xp.where(s > least, s, library.xp.zeros_like(s))
    product = library.matmul(u * (s / (s * s + weight))[..., None, :], vh)
    product = library.conj(library.permute(product, (0, 2, 3, 1)))
    return library.reshape(product, symbol.shape)


def _small_inverse(closed: ClosedForm, weight: Any) -> Any:
    """Invert the Gram matrices of the small side, (groups, channels, channels, f)."""
    symbol, library = closed.symbol, closed.frequencies.library
    groups, small, share, residues, count = symbol.shape
    if small == 1:
        power = library.xp.sum(library.xp.sum(_power(library, symbol), axis=3), axis=2)
        return 1 / (power + weight)[:, :, None, :]
    matrices = library.reshape(symbol, (groups, small, share * residues, count))
    matrices = library.permute(matrices, (0, 3, 1, 2))
    conjugate = library.conj(matrices)
    gram = library.matmul(conjugate, library.permute(matrices, (0, 1, 3, 2)))
    identity = library.native(np.eye(small), symbol)
    gram = gram + library.astype(identity, gram.dtype) * weight
    return library.permute(library.xp.linalg.inv(gram), (0, 2, 3, 1))


def _power(library: Library, symbol: Any) -> Any:
    """Return the squares of magnitudes."""
    real, imaginary = library.xp.real(symbol), library.xp.imag(symbol)
    return real * real + imaginary * imaginary


def _multiplied(library: Library, matrices: Any, spectrum: Any) -> Any:
    """Multiply (batch, groups, channels, f) by (groups, channels, channels, f)."""
    if matrices.shape[1] == 1:
        return spectrum * matrices[:, 0, ...]
    return library.xp.sum(matrices[None, ...] * spectrum[:, :, None, ...], axis=3)


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
    setting = _setting(operator, engine, arrays)
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


def _setting(operator: Any, engine: Backend, arrays: tuple[Any, ...]) -> Setting:
    library = library_of(engine, *arrays, operator.kernel)
    kernel = library.native(operator.kernel, arrays[0])
    dtype = library.promote((*arrays, kernel))
    if dtype_name(dtype) not in FLOATING:
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
    return ClosedForm(operator.form, frequencies, symbol, {}, lines, Memory())
