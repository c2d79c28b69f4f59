"""The two maps of a circular operator in frequency.

On NumPy `auto` takes them where that is estimated to be faster, and keeps what it promises
of the values that it meets; where it cannot, another algorithm computes the result. On
other libraries, whose values may be unknown, only ``algorithm="fft"`` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.promises import careful as look
from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.dispatch import Backend, load
from mtconv.backends.host.inputs import most_folded, traits
from mtconv.backends.libraries import dtype_name, library_of
from mtconv.errors import BackendError, message
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


def applied(
    form: str,
    frequencies: Frequencies,
    symbol: Any,
    data: Any,
    leading: tuple[int, ...] | None = None,
) -> Any:
    """Apply a map to canonical data; ``leading`` are the result's axes before space."""
    small, share = frequencies.spec.kernel_shape[:2]
    if form == "conv_transpose":
        if leading is None:
            leading = (data.shape[0], share * frequencies.spec.groups)
        spectrum = frequencies.to_channels(symbol, frequencies.of_small(data))
        return frequencies.to_big(spectrum, leading)
    if leading is None:
        leading = (data.shape[0], small)
    spectrum = frequencies.from_channels(symbol, frequencies.of_big(data))
    return frequencies.to_small(spectrum, leading)


class FrequencyForm:
    """A prepared map of the NumPy backend, by spectra that are kept."""

    NAME = "frequency"

    def __init__(self, plan: Plan, kernel: NDArray[Any]) -> None:
        self._plan = plan
        w = canonical(kernel, plan.kernel)
        self._kernel: NDArray[Any] = w.reshape(plan.spec.kernel_shape)
        self._traits = traits(self._kernel)
        self._symbols: dict[bool, NDArray[Any]] = {}

    def run(self, data: NDArray[Any], *, single: bool) -> NDArray[Any] | None:
        """Apply the map to a batch, or return None where values need another algorithm.

        Of a batch of one the result has no batch axis where ``single`` says so.
        """
        plan = self._plan
        dtype = np.result_type(data, self._kernel).newbyteorder("=")
        arranged_data = canonical(data, plan.data)
        careful = None
        if plan.requested == "auto":
            careful = look(
                plan.form,
                arranged_data,
                self._kernel,
                dtype.name,
                most_folded(plan.spec),
                second_traits=self._traits,
            )
            if careful is None or not careful.plain:
                return None
        # Double precision, beside whose errors those of single precision are none.
        compute = np.dtype(np.complex128 if dtype.kind == "c" else np.float64)
        frequencies, symbol = self._symbol(real=dtype.kind != "c")
        arranged_data = arranged_data.astype(compute, copy=False)
        leading = self._leading(len(arranged_data), single=single)
        result: NDArray[Any] = applied(
            plan.form, frequencies, symbol, arranged_data, leading
        )
        if careful is not None:
            careful.keep(result)
        result = result.astype(dtype, copy=False)
        if leading is None:
            result = np.ascontiguousarray(arranged(result, plan.data))
            result = result[0] if single else result
        return result

    def _leading(self, batch: int, *, single: bool) -> tuple[int, ...] | None:
        """Return the result's axes before space, None where they are to be moved."""
        plan = self._plan
        if plan.data.order is not None:
            return None
        spec = plan.spec
        small, share = spec.kernel_shape[:2]
        channels = share * spec.groups if plan.form == "conv_transpose" else small
        return ((batch,) * (not single)) + ((channels,) * plan.data.channels)

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
