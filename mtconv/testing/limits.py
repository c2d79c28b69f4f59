"""What a user of `assert_matches_reference` allows, and the fixed list within it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mtconv.errors import GeometryError
from mtconv.problem.shapes import conv_transpose_shape
from mtconv.testing.case import Case
from mtconv.testing.classic import Entry, build

__all__ = ["Allowed"]


@dataclass(frozen=True)
class Allowed:
    """Limits of the calls, checked already; `mtconv.strategies.problems` explains them."""

    ranks: tuple[int, ...]
    kinds: tuple[str, ...]
    options: tuple[str, ...]
    paddings: tuple[str, ...]
    bias: bool = True
    batches: tuple[int, ...] | None = None

    def within(self, entry: Entry) -> Entry | None:
        """Return an entry without what is not allowed; None where nothing is left."""
        if len(entry.kernel) not in self.ranks:
            return None
        kind = self._kind(entry)
        if kind is None:
            return None
        options = {
            name: value
            for name, value in entry.options.items()
            if self._has(name, value) and not (kind == "bare" and name == "groups")
        }
        if "stride" not in options:
            options.pop("output_padding", None)
        batch = entry.batch
        if self.batches is not None and batch not in self.batches:
            batch = self.batches[0]
        bias = entry.bias and self.bias and kind != "bare"
        return replace(entry, options=options, batch=batch, kind=kind, bias=bias)

    @property
    def forms(self) -> tuple[tuple[int, str], ...]:
        """Every number of axes with every kind that it can have."""
        return tuple((rank, kind) for rank in self.ranks for kind in self._kinds(rank))

    def probe(self) -> Entry:
        """Return the smallest call that is worth asking about."""
        rank = next(rank for rank in self.ranks if self._kinds(rank))
        allowed = self._kinds(rank)
        batch = 1 if self.batches is None else max(self.batches)
        return Entry((2,) * rank, (3,) * rank, {}, (1, 1), batch, allowed[-1])

    def _kind(self, entry: Entry) -> str | None:
        possible = self._kinds(len(entry.kernel))
        if entry.kind in possible:
            return entry.kind
        return possible[-1] if possible and entry.kind != "bare" else None

    def _kinds(self, rank: int) -> list[str]:
        """List the kinds that this many axes can have: three bare ones need a layout."""
        return [kind for kind in self.kinds if kind != "bare" or rank < 3]

    def _has(self, name: str, value: Any) -> bool:
        name = "padding" if name == "padding_mode" else name
        if name not in self.options:
            return False
        return name != "padding" or self._padding(value) <= set(self.paddings)

    def _padding(self, value: Any) -> set[str]:
        """Return the words of `paddings` that a value of padding needs."""
        if isinstance(value, str):
            return {value} & {"valid", "same", "same_lower"}
        parts = value if isinstance(value, tuple) else (value,)
        ends = [
            end for part in parts for end in (part if isinstance(part, tuple) else (part,))
        ]
        kinds = {"pairs"} if any(isinstance(part, tuple) for part in parts) else {"ints"}
        return kinds | ({"negative"} if min(ends) < 0 else set())

    def cases(
        self, entries: Iterator[Entry], dtypes: tuple[str, ...], memory: tuple[str, ...]
    ) -> Iterator[Case]:
        """Build all entries that are allowed, taking turns in dtypes and memory."""
        seen = set()
        for number, entry in enumerate(entries):
            limited = self.within(entry)
            if limited is None or repr(limited) in seen:
                continue
            seen.add(repr(limited))
            dtype, way = dtypes[number % len(dtypes)], memory[number % len(memory)]
            case = built(limited, number, dtype, way)
            if case is not None:
                yield case


def built(entry: Entry, seed: int, dtype: str, memory: str = "contiguous") -> Case | None:
    """Build an entry, or return None where what is left of it is no legal call."""
    try:
        case = build(entry, seed, dtype, memory)
        conv_transpose_shape(case.x.shape, case.kernel.shape, **case.options)
    except GeometryError:
        return None
    return case
