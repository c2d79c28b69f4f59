"""Calls with values that implementations get wrong: signs, zeros, and large numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.case import Case
from mtconv.testing.values import large_value, precise_value

__all__ = ["nonfinite_cases", "overflowing_case", "special_cases"]

Array = NDArray[Any]


def special_cases(case: Case) -> Iterator[Case]:
    """Yield the case with other values; no sum is rounded, and none overflows."""
    if case.x.size == 0:
        return
    x, kernel = _positive(case.x), _positive(case.kernel)
    kind = case.x.dtype.kind
    if kind != "u":
        yield replace(case, x=-x)
        yield replace(case, kernel=-kernel)
    yield replace(case, x=np.zeros_like(x))
    yield from _regular(case)
    yield from _large(case)
    yield from _precise(case)
    if kind == "c":
        yield replace(case, x=x.imag * x.dtype.type(1j))
        yield replace(case, kernel=kernel.imag * x.dtype.type(1j))
    if kind not in "iu":
        yield replace(case, x=case.x / x.dtype.type(4))
        yield replace(case, kernel=case.kernel / x.dtype.type(2))


def _positive(array: Array) -> Array:
    size: Array = np.abs(array.real)
    if array.dtype.kind == "c":
        size = size + 1j * np.abs(array.imag)
    return size.astype(array.dtype)


def _regular(case: Case) -> Iterator[Case]:
    """Yield kernels that invite a short cut: ones, a single one, products of vectors."""
    yield replace(case, kernel=np.ones_like(case.kernel))
    yield replace(case, kernel=_single(case.kernel, 1))
    product = np.ones_like(case.kernel)
    for behind, size in enumerate(reversed(case.kernel.shape[-2:])):
        product = product * _counting(product.ravel()[:size]).reshape(-1, *(1,) * behind)
    yield replace(case, x=np.sign(case.x.real).astype(case.x.dtype), kernel=product)


def _large(case: Case) -> Iterator[Case]:
    """Yield one large element of x with taps of 1 and 2, and one of 1 with large taps.

    Floats are as small as these are large too.
    """
    value = large_value(case.x.dtype.name)
    single, counting = _single(case.x, 1), _counting(case.kernel)
    yield replace(case, x=_single(case.x, value), kernel=counting, bias=None)
    yield replace(case, x=single, kernel=np.full_like(case.kernel, value), bias=None)
    if case.x.dtype.kind not in "iu":
        yield replace(case, x=_parts(single, value), kernel=counting, bias=None)
        yield replace(case, x=single, kernel=_parts(counting, value), bias=None)


def _precise(case: Case) -> Iterator[Case]:
    """Yield single products, and a bias, that need every bit of the dtype."""
    value = precise_value(case.x.dtype.name)
    single, counting = _single(case.x, 2), _counting(case.kernel)
    floats = case.x.dtype.kind not in "iu"
    # Floats are near 1 too, where a detour through a dtype of fewer bits overflows nowhere.
    for unit in (1, value + 1) if floats else (1,):
        yield replace(
            case, x=_parts(_single(case.x, value), unit), kernel=counting, bias=None
        )
        taps = _parts(_digits(case.kernel, value), unit)
        yield replace(case, x=single, kernel=taps, bias=None)
        if case.bias is not None:
            bias = _parts(_digits(case.bias, value), unit)
            yield replace(case, x=np.zeros_like(case.x), bias=bias)
    if case.bias is not None and floats:
        yield replace(case, x=single, kernel=counting, bias=_parts(case.bias, 4))


def _parts(array: Array, unit: int) -> Array:
    """Divide by a power of two."""
    return array if unit == 1 else array / array.dtype.type(unit)


def _single(array: Array, value: int) -> Array:
    """Return zeros with one element that is something else."""
    single = np.zeros_like(array)
    single.flat[array.size // 2] = value
    return single


def _counting(array: Array) -> Array:
    return (1 + np.arange(array.size) % 2).reshape(array.shape).astype(array.dtype)


def _digits(array: Array, value: int) -> Array:
    """Return different odd numbers up to a value, in both parts of complex ones."""
    digits: Array = value - 2 * (np.arange(array.size) % 5).reshape(array.shape)
    if array.dtype.kind == "c":
        digits = digits + 1j * digits[..., ::-1]
    return digits.astype(array.dtype)


def overflowing_case(case: Case) -> Case:
    """Return the case with integers whose sums have more bits than the dtype."""
    value = large_value(case.x.dtype.name)
    taps = 3 + np.arange(case.kernel.size).reshape(case.kernel.shape) % 4
    x = _digits(case.x, value)
    return replace(case, x=x, kernel=taps.astype(case.kernel.dtype))


def nonfinite_cases(case: Case, *, every: bool) -> Iterator[tuple[str, Case]]:
    """Yield cases with NaN or infinity in one array, and what they have, in words.

    That is NaN in x and, if ``every`` is true, both in each of the arrays. Products of
    complex numbers with infinite parts differ from library to library: they have NaN alone.
    """
    finite = {"x": case.x, "kernel": case.kernel, "bias": case.bias}
    values = (np.nan, np.inf) if every and case.x.dtype.kind != "c" else (np.nan,)
    for name, array in finite.items():
        if array is None or (name != "x" and not every):
            continue
        for value in values:
            changes: dict[str, Any] = {name: array.copy()}
            changes[name].flat[array.size // 2] = value
            word = "NaN" if value != value else "infinity"
            yield f"{word} in {name}", replace(case, **changes)
