"""The fixed cases of `assert_matches_reference`: the list, dtypes, memory and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mtconv.testing.asking import Accepted
from mtconv.testing.case import Case
from mtconv.testing.classic import Entry, entries, rich
from mtconv.testing.limits import Allowed, built
from mtconv.testing.memory import laid_out, native
from mtconv.testing.mixed import mixed_cases
from mtconv.testing.special import special_cases
from mtconv.testing.values import NARROW

__all__ = ["fixed_cases", "plain_entries"]


def fixed_cases(allowed: Allowed, accepted: Accepted) -> Iterator[Case]:
    """Yield every fixed case within the limits, in an order that never changes."""
    wide = tuple(d for d in accepted.dtypes if d not in NARROW) or accepted.dtypes
    ways = ("contiguous", *accepted.memory)
    yield from allowed.cases(entries(), wide, ways)
    yield from _every_dtype(allowed, accepted.dtypes)
    yield from _every_memory(allowed, accepted.memory, wide[:3])
    yield from allowed.cases(_modes(accepted.padding_modes), wide, ways)
    yield from mixed_cases(allowed, accepted)
    if accepted.output_size:
        yield from allowed.cases(_sizes(), wide, ways)


def plain_entries(allowed: Allowed) -> tuple[Entry, ...]:
    """Return a few calls within the limits, with everything at once or only a kernel."""
    ranks = sorted(allowed.ranks, key=lambda rank: rank != 2)
    several = [rich(rank, kind) for rank in ranks[:2] for kind in ("batched", "unbatched")]
    several += [rich(rank) for rank in ranks[2:]]
    rank = ranks[-1]
    simple = Entry((4, 3, 2)[:rank], (3, 2, 1)[:rank], {}, (2, 2), 3)
    alone = Entry((5, 3)[: min(rank, 2)], (3, 2)[: min(rank, 2)], kind="bare")
    single = Entry((4, 3, 2)[:rank], (1, 1, 1)[:rank], {}, (3, 2), 1)
    limited = (allowed.within(entry) for entry in (*several, simple, alone, single))
    return tuple(entry for entry in limited if entry is not None)


def _every_dtype(allowed: Allowed, dtypes: tuple[str, ...]) -> Iterator[Case]:
    """Yield calls in every dtype, with large, fractional, negative and zero values too."""
    listed = plain_entries(allowed)
    # One call with everything at once, and one with a kernel alone.
    special = (listed[0], listed[-3:][0]) if listed else ()
    for number, dtype in enumerate(dtypes):
        for entry in listed:
            case = built(entry, number, dtype)
            if case is not None:
                yield case
                if entry in special:
                    yield from special_cases(case)


def _every_memory(
    allowed: Allowed, memory: tuple[str, ...], dtypes: tuple[str, ...]
) -> Iterator[Case]:
    """Yield calls whose arrays, all of them or one alone, lie in every way."""
    for number, way in enumerate(memory):
        for seed, entry in enumerate(plain_entries(allowed)):
            for dtype in dtypes:
                case = built(entry, seed, dtype, way)
                if case is not None:
                    yield case
            case = built(entry, seed, dtypes[(number + seed) % len(dtypes)], way)
            if case is not None:
                yield from _one_array(case)


def _one_array(case: Case) -> Iterator[Case]:
    """Yield the case with all arrays but one contiguous, which is how it usually comes."""
    arrays = {"x": case.x, "kernel": case.kernel, "bias": case.bias}
    present = {name: array for name, array in arrays.items() if array is not None}
    plain: dict[str, Any] = {
        name: laid_out(native(array), "contiguous") for name, array in present.items()
    }
    for name, array in present.items():
        yield replace(case, **{**plain, name: array})
    if case.x.ndim == case.kernel.ndim > 2 and len(case.x):
        # The same sample again and again, without a copy.
        yield replace(case, x=np.broadcast_to(plain["x"][:1], case.x.shape))


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
