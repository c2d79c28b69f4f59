"""Which tiles there are for each width of vectors: plain numbers, shared with tables."""

from __future__ import annotations

from functools import cache

__all__ = ["GRAIN", "ROW_COST", "ROW_TILES", "chunk_widths", "chunks", "lane_widths"]
__all__ += ["tile_cost", "tile_heights"]

# Bytes of the narrowest vector; the channels of a tile are counted in such grains.
GRAIN = 16

# Whole vectors of channels in one tile of cells, at most.
VECTORS = 3

# Tiles of `rows`: numbers of channels, and of vectors beside each other, by vector bytes.
_WIDE = {
    1: (1, 2, 4, 8),
    2: (1, 2, 4, 8),
    3: (1, 2, 4, 8),
    4: (1, 2, 3, 6),
    6: (1, 2, 4),
    8: (1, 2, 3),
}
_NARROW = {1: (1, 2, 4, 8), 2: (1, 2, 4), 3: (1, 2, 4), 4: (1, 2, 3), 6: (1, 2)}
ROW_TILES = {64: _WIDE, 32: _NARROW, 16: _NARROW}

# What one row of a tile costs beside its products, in products of vectors.
ROW_COST = 0.35


def chunk_widths(vector_bytes: int) -> list[int]:
    """List the grains of channels that one tile can have: whole vectors and a power of two.

    Examples
    --------
    >>> chunk_widths(64)
    [1, 2, 4, 5, 6, 8, 9, 10, 12]
    """
    whole = vector_bytes // GRAIN
    rests = [0, *(rest for rest in (1, 2) if rest < whole)]
    widths = {whole * vectors + rest for vectors in range(VECTORS) for rest in rests}
    return sorted(widths - {0} | {whole * VECTORS})


def lane_widths(grains: int, size: int, vector_bytes: int) -> list[int]:
    """Lanes of each vector of a tile, for values of ``size`` bytes.

    Examples
    --------
    >>> lane_widths(6, 4, 64)
    [16, 8]
    """
    whole, rest = divmod(grains, vector_bytes // GRAIN)
    widths = [vector_bytes // size] * whole
    return widths + [rest * GRAIN // size] * (rest > 0)


def chunks(channels: int, size: int, vector_bytes: int) -> list[tuple[int, int]]:
    """Cut channels into tiles of about the same width: first byte and grains of each.

    Examples
    --------
    >>> chunks(20, 4, 64)
    [(0, 5)]
    >>> chunks(64, 4, 64)
    [(0, 8), (128, 8)]
    """
    whole = vector_bytes // GRAIN
    grains = -(-channels * size // GRAIN)
    vectors, rest = divmod(grains, whole)
    if rest > 2 or (rest and rest not in chunk_widths(vector_bytes)):
        vectors, rest = vectors + 1, 0
    grains = vectors * whole + rest
    number = -(-grains // (whole * VECTORS))
    starts = [-(-vectors * part // number) * whole for part in range(number)]
    stops = [*starts[1:], grains]
    return [
        (GRAIN * start, stop - start) for start, stop in zip(starts, stops, strict=True)
    ]


def tile_cost(height: int, vector_bytes: int) -> float:
    """Products of vectors that a tile of some rows takes as long as, for each vector.

    Loads of cells and of weights wait for as long as products where rows are few.
    """
    vectors = max(ROW_TILES[vector_bytes][height])
    least = 2.2 if height == 2 else 1.9
    return max(height, 1 + height * 0.5 / vectors, least) + ROW_COST


@cache
def _heights(rows: int, vector_bytes: int) -> tuple[float, tuple[int, ...]]:
    if not rows:
        return 0.0, ()
    choices = []
    for height in ROW_TILES[vector_bytes]:
        if height <= rows:
            cost, rest = _heights(rows - height, vector_bytes)
            choices.append((cost + tile_cost(height, vector_bytes), (height, *rest)))
    return min(choices)


def tile_heights(rows: int, vector_bytes: int) -> tuple[int, ...]:
    """Cut rows into tiles of the heights that there are, as fast as they can be.

    Examples
    --------
    >>> tile_heights(25, 64)
    (8, 8, 6, 3)
    """
    highest = max(ROW_TILES[vector_bytes])
    whole = max(0, rows // highest - 1)
    rest = _heights(rows - whole * highest, vector_bytes)[1]
    return (*(highest,) * whole, *sorted(rest, reverse=True))
