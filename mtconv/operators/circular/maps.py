"""The two maps of a circular operator in frequency.

On NumPy `auto` takes them where that is estimated to be faster, and keeps what it promises
of the values that it meets; where it cannot, another algorithm computes the result. On
other libraries, whose values may be unknown, only ``algorithm="fft"`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.promises import careful as look
from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.dispatch import Backend, load
from mtconv.backends.host.inputs import Traits, joined, most_folded, traits
from mtconv.backends.host.results import empty
from mtconv.backends.libraries import dtype_name, library_of
from mtconv.errors import BackendError, message
from mtconv.operators.circular.on_numpy import apply_map
from mtconv.operators.circular.symbol import Frequencies
from mtconv.planning.candidate import FLOATING, computing_dtype
from mtconv.planning.plan import Plan
from mtconv.problem.build import match
from mtconv.spec import ConvSpec

__all__ = ["FrequencyForm", "applied", "in_frequency", "in_library", "symbol_for"]


def symbol_for(form: str, frequencies: Frequencies, w: Any) -> Any:
    """Return the symbol that a map multiplies by."""
    if form == "conv_transpose":
        return frequencies.symbol(w)
    return frequencies.adjoint(w)


def applied(form: str, frequencies: Frequencies, symbol: Any, data: Any) -> Any:
    """Apply a map to canonical data."""
    if form == "conv_transpose":
        spectrum = frequencies.to_channels(symbol, frequencies.of_small(data))
        return frequencies.to_big(spectrum, frequencies.big_leading(data))
    spectrum = frequencies.from_channels(symbol, frequencies.of_big(data))
    return frequencies.to_small(spectrum, frequencies.small_leading(data))


class Promises:
    """What `auto` promises of a result, as the values of data and kernel allow.

    Pieces of the data are looked at while they are transformed.
    """

    def __init__(
        self, plan: Plan, data: NDArray[Any], kernel: NDArray[Any], seen: Traits
    ) -> None:
        self._plan = plan
        self._data = data
        self._kernel = kernel
        self._traits = seen
        self._parts: list[Traits] = []

    def see(self, piece: NDArray[Any]) -> None:
        """Look at a piece of the data."""
        self._parts.append(traits(piece, whole=self._traits.whole))

    def settle(self) -> Callable[[NDArray[Any], NDArray[Any]], None] | None:
        """Return what stores a piece of the result, None where values need another way."""
        careful = look(
            self._plan.form,
            self._data,
            self._kernel,
            np.result_type(self._data, self._kernel).name,
            most_folded(self._plan.spec),
            first_traits=joined(self._parts),
            second_traits=self._traits,
        )
        return careful.store if careful is not None and careful.plain else None


class FrequencyForm:
    """A prepared map of the NumPy backend, by spectra that are kept."""

    NAME = "frequency"

    def __init__(self, plan: Plan, kernel: NDArray[Any]) -> None:
        self._plan = plan
        w = canonical(kernel, plan.kernel)
        self._kernel: NDArray[Any] = w.reshape(plan.spec.kernel_shape)
        self._traits = traits(self._kernel)
        self._symbols: dict[bool, NDArray[Any]] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}  # of results, by batch

    def run(self, data: NDArray[Any], *, single: bool) -> NDArray[Any] | None:
        """Apply the map to a batch, or return None where values need another algorithm.

        Of a batch of one the result has no batch axis where ``single`` says so.
        """
        plan = self._plan
        dtype = np.result_type(data, self._kernel).newbyteorder("=")
        arranged_data = canonical(data, plan.data)
        watch = None
        if plan.requested == "auto":
            watch = Promises(plan, arranged_data, self._kernel, self._traits)
        # Double precision, beside whose errors those of single precision are none.
        real = dtype.kind != "c"
        frequencies, symbol = self._symbol(real=real)
        shape = self._shape(frequencies, arranged_data)
        result = empty(shape[1:] if single else shape, dtype)
        wanted = apply_map(
            frequencies,
            plan.form,
            symbol,
            arranged_data,
            canonical(result[None] if single else result, plan.data),
            watch,
        )
        return result if wanted else None

    def _shape(self, frequencies: Frequencies, data: NDArray[Any]) -> tuple[int, ...]:
        """Return the shape of the result in the user's layout."""
        batch = len(data)
        if batch not in self._shapes:
            spec = self._plan.spec
            shape = (*frequencies.small_leading(data), *spec.small)
            if self._plan.form == "conv_transpose":
                shape = (*frequencies.big_leading(data), *spec.big)
            nothing = np.broadcast_to(0, shape)
            self._shapes[batch] = arranged(nothing, self._plan.data).shape
        return self._shapes[batch]

    def _symbol(self, *, real: bool) -> tuple[Frequencies, NDArray[Any]]:
        library = library_of(load("numpy"))
        frequencies = Frequencies(library, self._plan.spec, real)
        if real not in self._symbols:
            w = self._kernel.astype(np.float64 if real else np.complex128)
            self._symbols[real] = symbol_for(self._plan.form, frequencies, w)
        return frequencies, self._symbols[real]


def in_frequency(engine: Backend, spec: ConvSpec) -> bool:
    """Return whether ``algorithm="fft"`` of a library can be had: it is circular."""
    return engine.NAME in ("jax", "torch", "cupy") and spec.padding_mode == "circular"


def in_library(engine: Backend, form: str, spec: ConvSpec, x: Any, kernel: Any) -> Any:
    """Apply a map in frequency with the functions of the arrays' own library."""
    library = library_of(engine, x, kernel)
    kernel = library.native(kernel, x)
    dtype = library.promote((x, kernel))
    name = dtype_name(dtype)
    if name not in FLOATING:
        rule = "must be exact for integers, which 'fft' is not"
        fix = "Use 'auto', or convert the arrays to floating numbers."
        got = f"'fft' for dtype {name}"
        raise BackendError(message(form, "algorithm", rule, got, fix=fix))
    problem = match(form, spec, tuple(x.shape), tuple(kernel.shape))
    compute = library.dtype(computing_dtype(name))
    data = library.astype(canonical(x, problem.data, library.permute), compute)
    w = canonical(library.astype(kernel, compute), problem.kernel, library.permute)
    w = library.reshape(w, spec.kernel_shape)
    frequencies = Frequencies(library, spec, "complex" not in name)
    symbol = symbol_for(form, frequencies, w)
    result = library.astype(applied(form, frequencies, symbol, data), dtype)
    return arranged(result, problem.data, library.permute)
