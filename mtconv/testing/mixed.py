"""Calls in which every two features meet: each dtype with each kernel, and so on.

Branches of implementations often need two things at once, such as float16 and seven taps,
or groups and more than eight channels. There are too many calls with all features, but a
few hundred hold every pair of them.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np

from mtconv.testing.asking import Accepted
from mtconv.testing.case import Case
from mtconv.testing.classic import Entry
from mtconv.testing.limits import Allowed, built
from mtconv.testing.values import NARROW

__all__ = ["mixed_cases", "rows_of_pairs"]

Features = dict[str, Any]  # the level of each factor, by its name
Feature = tuple[str, Any]

_LEVELS: dict[str, tuple[Any, ...]] = {
    "axis": (0, 1, 2),  # the one that has the size and the taps
    "size": (3, 5, 9, 17, 33),
    "taps": (1, 2, 3, 4, 5, 6, 7, 8),
    "square": (False, True),
    "stride": (1, 2, 3, 4, 5, (2, 3, 1)),
    "dilation": (1, 2, 3, (1, 2, 3)),
    "channels": (
        *((1, 1), (1, 2), (2, 1), (3, 3), (5, 3), (3, 5), (8, 8)),
        *((9, 4), (4, 9), (17, 2), (2, 17)),
    ),
    "groups": (1, 2, 3, 4, 8),
    "bias": (False, True),
}
_BATCHES = (1, 2, 3, 4, 5, 8)
# Padding of up to three axes and output_padding. All axes have 3 elements and more before
# they are cropped, and no more than 2 are.
_ENDS: dict[str, tuple[Any, Any]] = {
    "nothing": (0, 0),
    "the same": (1, 0),
    "axes that differ": ((1, 0, 1), 0),
    "ends that differ": (((2, 0), (0, 1), (1, 0)), 0),
    "added": (-1, 0),
    "one end added": (((-2, 1), (1, -1), (0, -2)), 0),
    "extra": (0, 1),
    "padding and extra": (1, 1),
    "extra of one axis": (((0, 1), (1, 0), (1, 1)), (0, 1, 0)),
    "same": ("same", 0),
    "same_lower": ("same_lower", 0),
}
_OF_MODES = ((1, 0), (1, 1), (0, 1))
_SIZES, _TAPS = (2, 3, 2), (2, 1, 2)  # of the other axes
_TRIES = 24  # random rows, of which the one with most new pairs is kept
_MOST_ENTRIES = 10**6  # of the matrix that the map is, which an implementation may build
_MOST_TERMS = 100  # that a sum of narrow numbers has without rounding


def mixed_cases(allowed: Allowed, accepted: Accepted) -> Iterator[Case]:
    """Yield cases within the limits that hold every pair of features."""
    batches = _BATCHES if allowed.batches is None else allowed.batches
    modes = tuple(mode for mode in accepted.padding_modes if mode != "zeros")
    levels = {
        "form": allowed.forms,
        "dtype": accepted.dtypes,
        "memory": ("contiguous", *accepted.memory),
        "batch": batches,
        "ends": (*_ENDS, *modes),
        **_LEVELS,
    }
    for number, row in enumerate(rows_of_pairs(tuple(levels.items()))):
        features = dict(row)
        entry = allowed.within(_entry(features))
        if entry is not None:
            case = built(entry, number, features["dtype"], features["memory"])
            if case is not None:
                yield case


class _Pairs:
    """A set of pairs of features: the partners of each feature are the bits of a number.

    A row has a hundred pairs, which would take long to look up one by one.
    """

    def __init__(self, pairs: Iterable[tuple[Feature, Feature]]) -> None:
        self._bits: dict[Feature, int] = {}
        self._partners: dict[Feature, int] = {}
        for first, second in pairs:
            bit = self._bits.setdefault(second, 1 << len(self._bits))
            self._partners[first] = self._partners.get(first, 0) | bit

    def count(self, row: Collection[Feature]) -> int:
        """Count the pairs that a row has."""
        mask = self._mask(row)
        return sum((self._partners.get(f, 0) & mask).bit_count() for f in row)

    def remove(self, row: Collection[Feature]) -> None:
        """Remove the pairs that a row has."""
        mask = self._mask(row)
        for feature in row:
            if feature in self._partners:
                self._partners[feature] &= ~mask

    def _mask(self, row: Collection[Feature]) -> int:
        mask = 0
        for feature in row:
            mask |= self._bits.get(feature, 0)
        return mask


@lru_cache(maxsize=8)
def rows_of_pairs(
    levels: tuple[tuple[str, tuple[Any, ...]], ...],
) -> tuple[tuple[tuple[str, Any], ...], ...]:
    """Return rows, a level of every factor each, that hold all pairs that are possible.

    Always the same rows. Each holds a pair that no row before it has, and is the best of a
    few random ones.
    """
    rng = random.Random(0)
    factors = dict(levels)
    pairs = [
        pair
        for first, second in combinations(factors, 2)
        for pair in product(
            ((first, level) for level in factors[first]),
            ((second, level) for level in factors[second]),
        )
    ]
    missing = _Pairs(pairs)
    rows = []
    for pair in pairs:
        if not missing.count(pair):
            continue
        drawn = (
            {name: rng.choice(choices) for name, choices in factors.items()} | dict(pair)
            for _ in range(_TRIES)
        )
        best = max(
            map(_possible, drawn),
            key=lambda row: (
                _entries(row) <= _MOST_ENTRIES,
                all(row[name] == level for name, level in pair),
                missing.count(row.items()),
            ),
        )
        missing.remove(pair)  # possible or not
        if _entries(best) <= _MOST_ENTRIES:
            missing.remove(best.items())
            rows.append(tuple(best.items()))
    return tuple(dict.fromkeys(rows))


def _possible(features: Features) -> Features:
    """Return the features that a call with these really has."""
    rank, kind = features["form"]
    possible = features | {"axis": features["axis"] % rank}
    if kind == "bare":
        possible |= {"channels": (0, 0), "groups": 1, "bias": False}
    if kind != "batched":
        possible["batch"] = 0
    if rank == 1:
        for name in ("stride", "dilation"):
            possible[name] = _each(possible[name], 1)[0]
    if possible["stride"] == 1 and np.any(_ENDS.get(possible["ends"], (0, 0))[1]):
        possible["ends"] = "nothing"  # output_padding is less than the stride
    if rank == 3 or possible["size"] > 9:
        possible["square"] = False  # too many taps for plain loops
    terms = prod(_on_axes(possible, "taps", _TAPS)) * possible["channels"][0]
    if possible["dtype"] in NARROW and terms > _MOST_TERMS:
        possible |= {"square": False, "taps": min(possible["taps"], 3), "channels": (8, 8)}
    return possible


def _entries(features: Features) -> int:
    """Count the entries of the matrix that the map of one sample is, roughly."""
    rank = features["form"][0]
    rows = zip(
        *(_on_axes(features, "size", _SIZES), _on_axes(features, "taps", _TAPS)),
        *(_each(features[name], rank) for name in ("stride", "dilation")),
        strict=True,
    )
    sides = prod(n * (s * n + d * k) for n, k, s, d in rows)
    return int(sides * prod(features["channels"]) * features["groups"])


def _on_axes(features: Features, name: str, others: tuple[int, ...]) -> tuple[int, ...]:
    rank, axis = features["form"][0], features["axis"]
    if name == "taps" and features["square"]:
        return (features["taps"],) * int(rank)
    return tuple(features[name] if a == axis else others[a] for a in range(rank))


def _entry(features: Features) -> Entry:
    """Write features as a call."""
    rank, kind = features["form"]
    stride = _each(features["stride"], rank)
    padding, extra = _ENDS.get(features["ends"], (_OF_MODES, 0))
    extras = (min(e, s - 1) for e, s in zip(_each(extra, rank), stride, strict=True))
    options = {
        "stride": _written(stride),
        "dilation": _written(_each(features["dilation"], rank)),
        "groups": features["groups"],
        "output_padding": _written(tuple(extras)),
        "padding": padding if isinstance(padding, str) else _written(_each(padding, rank)),
    }
    if features["ends"] not in _ENDS:
        options["padding_mode"] = features["ends"]
    defaults = {"stride": 1, "dilation": 1, "groups": 1}
    return Entry(
        size=_on_axes(features, "size", _SIZES),
        kernel=_on_axes(features, "taps", _TAPS),
        options={n: v for n, v in options.items() if v != defaults.get(n, 0)},
        channels=features["channels"],
        batch=features["batch"],
        kind=kind,
        bias=features["bias"],
    )


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return value[:rank] if isinstance(value, tuple) else (value,) * rank


def _written(values: tuple[Any, ...]) -> Any:
    """Write one value where all axes have the same integer, and one for each otherwise."""
    return values[0] if len(set(values)) == 1 and type(values[0]) is int else values
