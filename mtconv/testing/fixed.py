"""The fixed cases of `assert_matches_reference`: the list, dtypes, memory and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.asking import Accepted
from mtconv.testing.case import Case
from mtconv.testing.classic import Entry, entries, rich
from mtconv.testing.limits import Allowed, built
from mtconv.testing.memory import laid_out
from mtconv.testing.values import large_value

__all__ = ["fixed_cases", "plain_entries"]

# Dtypes whose sums are exact only of few small numbers.
_NARROW = ("float16", "bfloat16", "int8", "uint8", "int16", "uint16")


def fixed_cases(allowed: Allowed, accepted: Accepted) -> Iterator[Case]:
    """Yield every fixed case within the limits, in an order that never changes."""
    wide = tuple(d for d in accepted.dtypes if d not in _NARROW) or accepted.dtypes
    ways = ("contiguous", *accepted.memory)
    yield from allowed.cases(entries(), wide, ways)
    yield from _every_dtype(allowed, accepted.dtypes)
    yield from _every_memory(allowed, accepted.memory, wide[:3])
    yield from allowed.cases(_modes(accepted.padding_modes), wide, ways)
    if accepted.output_size:
        yield from allowed.cases(_sizes(), wide, ways)


def plain_entries(allowed: Allowed) -> tuple[Entry, ...]:
    """Return a few calls within the limits, with everything at once or only a kernel."""
    ranks = sorted(allowed.ranks, key=lambda rank: rank != 2)
    several = [rich(rank, kind) for rank in ranks[:2] for kind in ("batched", "unbatched")]
    rank = ranks[-1]
    simple = Entry((5, 3, 2)[:rank], (3, 2, 2)[:rank], {}, (2, 2), 3)
    alone = Entry((5, 3)[: min(rank, 2)], (3, 2)[: min(rank, 2)], kind="bare")
    single = Entry((4, 3, 2)[:rank], (1, 1, 1)[:rank], {}, (3, 2), 1)
    limited = (allowed.within(entry) for entry in (*several, simple, alone, single))
    return tuple(entry for entry in limited if entry is not None)


def _every_dtype(allowed: Allowed, dtypes: tuple[str, ...]) -> Iterator[Case]:
    """Yield calls in every dtype, with large, fractional, negative and zero values too."""
    for number, dtype in enumerate(dtypes):
        for entry in plain_entries(allowed):
            case = built(entry, number, dtype)
            if case is not None:
                yield case
        yield from _special_values(allowed, number, dtype)


def _special_values(allowed: Allowed, seed: int, dtype: str) -> Iterator[Case]:
    case = next((c for e in plain_entries(allowed) if (c := built(e, seed, dtype))), None)
    if case is None or case.x.size == 0:
        return
    x, kernel = _positive(case.x), _positive(case.kernel)
    if np.dtype(dtype).kind != "u":
        yield replace(case, x=-x)
        yield replace(case, kernel=-kernel)
    yield replace(case, x=np.zeros_like(x))
    yield _large(case, large_value(dtype))
    if np.dtype(dtype).kind not in "iu":
        yield replace(case, x=case.x / case.x.dtype.type(4))
        yield replace(case, kernel=case.kernel / case.x.dtype.type(2))


def _positive(array: NDArray[Any]) -> NDArray[Any]:
    size: NDArray[Any] = np.abs(array.real)
    if array.dtype.kind == "c":
        size = size + 1j * np.abs(array.imag)
    return size.astype(array.dtype)


def _large(case: Case, value: int) -> Case:
    """Return the case with one element of x that is not zero, and taps of 1 and 2."""
    x = np.zeros_like(case.x)
    x.flat[x.size // 2] = value
    taps = 1 + np.arange(case.kernel.size).reshape(case.kernel.shape) % 2
    return replace(case, x=x, kernel=taps.astype(x.dtype), bias=None)


def _every_memory(
    allowed: Allowed, memory: tuple[str, ...], dtypes: tuple[str, ...]
) -> Iterator[Case]:
    for way in memory:
        for dtype in dtypes:
            for seed, entry in enumerate(plain_entries(allowed)):
                case = built(entry, seed, dtype, way)
                if case is not None:
                    yield case
                    # One array at a time, which is how it usually comes.
                    plain = laid_out(case.kernel, "contiguous").astype(dtype)
                    yield replace(case, kernel=plain)


def _modes(modes: tuple[str, ...]) -> Iterator[Entry]:
    for mode in modes:
        if mode == "zeros":
            continue
        padded = {"padding_mode": mode}
        yield Entry((5,), (3,), {"padding": 1} | padded)
        yield Entry((6,), (4,), {"padding": ((2, 1),), "stride": 2} | padded, bias=True)
        yield Entry((6,), (3,), {"padding": ((0, 2),), "dilation": 2} | padded)
        options = {"padding": (1, 2), "stride": (2, 1), "groups": 2}
        yield Entry((4, 6), (3, 4), options | padded, (2, 1))


def _sizes() -> Iterator[Entry]:
    yield Entry((4,), (3,), {"stride": 3, "output_size": 13})
    yield Entry((4,), (3,), {"stride": 3, "padding": ((1, 0),), "output_size": 12})
    yield Entry((3, 4), (2, 3), {"stride": (2, 3), "output_size": (7, 13)}, bias=True)
    yield Entry((4,), (3,), {"stride": 2, "padding": "same", "output_size": 7})
