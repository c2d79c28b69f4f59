"""Moves that change the order of elements: transposes, phases and residues.

As in `moves`, no vector reaches outside of the rows that it belongs to but where a
docstring says so, and all addresses and steps are bytes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import VECTOR_BYTES, Emitter
from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import copy, copy_strided, itemsize

__all__ = ["deinterleave", "interleave", "lanes_to_rows", "rows_to_lanes"]

_INT = types.int64

# The largest stride whose residues vectors take apart.
MOST_WAYS = 8


@intrinsic
def _transpose(
    context: Any, value: Any, source: Any, target: Any,
    dst: Any, dst_step: Any, src: Any, src_step: Any, last: Any, columns: Any,
) -> Any:  # fmt: skip
    """Emit the transpose of a square block; rows after ``last`` repeat it.

    Only the first ``columns`` columns are stored.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, _, dst, dst_step, src, src_step, last, columns = arguments
        reader, writer = Emitter(builder, value, source), Emitter(builder, value, target)
        lanes = reader.lanes
        vectors = []
        for row in range(lanes):
            number = reader.constant(row)
            here = builder.select(builder.icmp_signed("<", number, last), number, last)
            address = reader.at(src, builder.mul(here, src_step))
            vectors.append(reader.load_stored(address, lanes))
        for step in _halvings(lanes):
            for row in range(lanes):
                if row & step == 0:
                    upper, lower = vectors[row], vectors[row + step]
                    low = [n if n & step == 0 else lanes + n - step for n in range(lanes)]
                    high = [n + step if n & step == 0 else lanes + n for n in range(lanes)]
                    vectors[row] = reader.shuffle(upper, lower, low)
                    vectors[row + step] = reader.shuffle(upper, lower, high)
        end = builder.function.append_basic_block("transposed")
        for column, vector in enumerate(vectors):
            if column:
                block = builder.function.append_basic_block("column")
                is_valid = builder.icmp_signed("<", reader.constant(column), columns)
                builder.cbranch(is_valid, block, end)
                builder.position_at_end(block)
            step_to = builder.mul(reader.constant(column), dst_step)
            writer.store_stored(vector, reader.at(dst, step_to))
        builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(value, source, target, *(_INT,) * 6), generate


def _halvings(lanes: int) -> list[int]:
    steps = []
    while lanes > 1:
        lanes //= 2
        steps.append(lanes)
    return steps


@part
def _block(value, source, target, dst, dst_step, src, src_step, last, columns):
    _transpose(value, source, target, dst, dst_step, src, src_step, last, columns)


@part
def rows_to_lanes(value, stored, dst, dst_step, src, src_step, rows, count, end):
    """Write ``dst[q, lane] = src[lane, q]``: rows of an array become lanes.

    ``rows`` is at most a vector's lanes; lanes beyond it repeat the last row. Whole
    vectors are written, so ``dst_step`` is at least a vector. Rows that are shorter than
    a vector are read beyond their ends where that is before ``end``.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    size = itemsize(stored)
    if count < 1:
        return
    if count < lanes and src_step > 0 and src + (rows - 1) * src_step + lanes * size <= end:
        _block(value, stored, value, dst, dst_step, src, src_step, rows - 1, count)
        return
    if count < lanes:
        for row in range(lanes):
            here = src + min(row, rows - 1) * src_step
            copy_strided(
                value,
                stored,
                value,
                dst + row * itemsize(value),
                dst_step,
                here,
                size,
                count,
            )
        return
    for first in range(0, count, lanes):
        q = min(first, count - lanes)
        _block(
            value, stored, value, dst + q * dst_step, dst_step, src + q * size, src_step,
            rows - 1, lanes,
        )  # fmt: skip


@part
def lanes_to_rows(value, stored, dst, dst_step, src, src_step, rows, count):
    """Write ``dst[row, q] = src[q, row]`` for ``rows`` rows of ``count`` elements.

    Up to a vector is read beyond the last row of ``src``, a block's buffer.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    size = itemsize(stored)
    if count < lanes:
        for row in range(rows):
            copy_strided(
                value, value, stored, dst + row * dst_step, size,
                src + row * itemsize(value), src_step, count,
            )  # fmt: skip
        return
    for first in range(0, count, lanes):
        q = min(first, count - lanes)
        for row in range(0, rows, lanes):
            _block(
                value, value, stored, dst + row * dst_step + q * size, dst_step,
                src + q * src_step + row * itemsize(value), src_step,
                lanes - 1, min(lanes, rows - row),
            )  # fmt: skip


@intrinsic
def _zip(
    context: Any, value: Any, target: Any, ways: Any, dst: Any, src: Any, step: Any
) -> Any:
    """Emit ``dst[ways*q + r] = src[r*step + q]`` for the cells of one vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, ways, dst, src, step = arguments
        emit = Emitter(builder, value, target)
        lanes = emit.lanes

        def zipped(number: int) -> None:
            rows = [
                emit.load(emit.at(src, builder.mul(emit.constant(r), step)), lanes)
                for r in range(number)
            ]
            rows += rows[-1:] * (number % 2)
            pairs = [
                emit.shuffle(left, right, list(range(2 * lanes)))
                for left, right in zip(rows[::2], rows[1::2], strict=True)
            ]
            for section in range(number):
                places = range(section * lanes, (section + 1) * lanes)
                chosen = [place % number * lanes + place // number for place in places]
                vector = emit.shuffle(pairs[0], pairs[-1], chosen)
                here = emit.at(dst, section * lanes * emit.stored_size)
                emit.store_stored(vector, here)

        emit.switch(ways, {number: partial(zipped, number) for number in (2, 3, 4)})
        return context.get_dummy_value()

    return types.void(value, target, *(_INT,) * 4), generate


@part
def interleave(value, stored, ways, dst, src, step, count):
    """Write ``dst[ways*q + r] = src[r*step + q]`` side by side, q below ``count``.

    Less than a vector is read beyond the ends of rows of ``src``.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    size, width = itemsize(stored), itemsize(value)
    if ways == 1:
        copy(value, value, stored, dst, src, count)
    elif count >= lanes and ways <= 4:
        for first in range(0, count, lanes):
            q = min(first, count - lanes)
            _zip(value, stored, ways, dst + ways * q * size, src + q * width, step)
    elif ways > 4:
        # Whole vectors are stored for each q; the next one writes over what is too much.
        whole = count
        if ways < lanes:
            whole = max(0, count - (lanes - 1) // ways)
        rows = min(ways, lanes)
        for r in range(0, ways, rows):
            first = min(r, ways - rows)
            for q in range(0, whole, lanes):
                _block(
                    value, value, stored, dst + (q * ways + first) * size, ways * size,
                    src + first * step + q * width, step, rows - 1, min(lanes, whole - q),
                )  # fmt: skip
        for r in range(ways):
            copy_strided(
                value, value, stored, dst + (whole * ways + r) * size, ways * size,
                src + r * step + whole * width, width, count - whole,
            )  # fmt: skip
    else:
        for r in range(ways):
            copy_strided(
                value,
                value,
                stored,
                dst + r * size,
                ways * size,
                src + r * step,
                width,
                count,
            )


@intrinsic
def _unzip(
    context: Any, value: Any, stored: Any, ways: Any, dst: Any, step: Any, src: Any
) -> Any:
    """Emit ``dst[r*step + q] = src[ways*q + r]`` for the cells of one vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, ways, dst, step, src = arguments
        emit = Emitter(builder, value, stored)

        def unzipped(number: int) -> None:
            size = emit.lanes * emit.stored_size
            vectors = [
                emit.load_stored(emit.at(src, size * section), emit.lanes)
                for section in range(number)
            ]
            for residue, vector in enumerate(_residues(emit, vectors)):
                here = builder.mul(emit.constant(residue), step)
                emit.store(vector, emit.at(dst, here))

        numbers = range(2, MOST_WAYS + 1)
        emit.switch(ways, {number: partial(unzipped, number) for number in numbers})
        return context.get_dummy_value()

    return types.void(value, stored, *(_INT,) * 4), generate


def _residues(emit: Emitter, vectors: list[Any]) -> list[Any]:
    """Take every n-th lane of n vectors that follow one another, from each of n starts."""
    lanes, ways = emit.lanes, len(vectors)
    if ways == 1:
        return vectors
    if ways % 2 == 0:
        halves = []
        for start in (0, 1):
            places = list(range(start, 2 * lanes, 2))
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            half = [emit.shuffle(left, right, places) for left, right in pairs]
            halves.append(_residues(emit, half))
        return [vector for pair in zip(*halves, strict=True) for vector in pair]
    results = []
    for residue in range(ways):
        places = [ways * lane + residue for lane in range(lanes)]
        picked = vectors[0]
        for section, vector in enumerate(vectors[1:], 1):
            first = section * lanes
            # Lanes of earlier vectors are in place, but for those of the first one.
            kept = places if section == 1 else list(range(lanes))
            chosen = [
                lanes + place - first
                if first <= place < first + lanes
                else (at if place < first else 0)
                for place, at in zip(places, kept, strict=True)
            ]
            picked = emit.shuffle(picked, vector, chosen)
        results.append(picked)
    return results


@part
def deinterleave(value, stored, ways, dst, step, src, count, end):
    """Write ``dst[r*step + q] = src[ways*q + r]``, r below ``ways`` and q below ``count``.

    Rows shorter than a vector are read beyond their ends where that is before ``end``, and
    written as whole vectors.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    size, width = itemsize(stored), itemsize(value)
    if count < 1:
        return
    if ways == 1:
        copy(value, stored, value, dst, src, count)
    elif ways <= MOST_WAYS and count >= lanes:
        for first in range(0, count, lanes):
            q = min(first, count - lanes)
            _unzip(value, stored, ways, dst + q * width, step, src + q * ways * size)
    elif ways <= MOST_WAYS and src + lanes * ways * size <= end:
        _unzip(value, stored, ways, dst, step, src)
    else:
        for r in range(ways):
            copy_strided(
                value, stored, value, dst + r * step, width, src + r * size, ways * size,
                count,
            )  # fmt: skip
