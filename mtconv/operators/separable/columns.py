"""The columns that bands read, joined one band at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from mtconv.operators.separable.bands import Band, BandPart

__all__ = ["Pieces", "ReadColumns", "moved"]

# Neighbouring columns, by where they start and stop.
Pieces = tuple[tuple[int, int], ...]


class ReadColumns:
    """The columns that bands read, without overlap and in order.

    Adding a part costs a binary search, however many columns there are already.
    """

    def __init__(self, bands: Iterable[Band] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self.length = 0
        for band in bands:
            self.add(band)

    def add(self, band: Band) -> None:
        """Add the columns of a band."""
        for first, last, _ in band.parts:
            # Pieces that overlap the part or touch it become one with it.
            joined = slice(
                bisect_left(self._stops, first), bisect_right(self._starts, last)
            )
            starts, stops = self._starts[joined], self._stops[joined]
            start, stop = min([first, *starts]), max([last, *stops])
            self.length += stop - start - (sum(stops) - sum(starts))
            self._starts[joined], self._stops[joined] = [start], [stop]

    @property
    def pieces(self) -> Pieces:
        """Where the columns start and stop."""
        return tuple(zip(self._starts, self._stops, strict=True))


def moved(bands: Iterable[Band], pieces: Pieces, begin: int) -> Iterator[Band]:
    """Give bands by their places in a tile that begins at a row and reads these columns."""
    starts = [start for start, _ in pieces]
    places = list(accumulate((stop - start for start, stop in pieces), initial=0))
    for start, stop, parts in bands:
        shifted = []
        for part in parts:
            piece = bisect_right(starts, part.start) - 1
            first = places[piece] + part.start - starts[piece]
            shifted.append(BandPart(first, first + part.stop - part.start, part.matrix))
        yield Band(start - begin, stop - begin, tuple(shifted))
