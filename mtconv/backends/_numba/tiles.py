"""The micro kernels: one tile of a result in registers, over a chain of products.

Each adds up ``count`` products per element and either writes the sums or adds them to
what is there. The order of the additions is fixed, so a result does not depend on who
computes it. Addresses, steps and offsets are bytes; tables hold 64-bit integers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import CELLS, I64, VECTOR_BYTES, Emitter
from mtconv.backends._numba.jit import part
from mtconv.backends._numba.shapes import ROW_TILES, chunk_widths, lane_widths

__all__ = ["lanes_tile", "planes_tile", "rows_tile"]

_INT = types.int64

# The vectors of one row of a tile: where each goes, and how many lanes it has.
Row = list[tuple[Any, int]]
Vectors = list[list[Any]]


def _sum_products(
    emit: Emitter,
    count: Any,
    targets: list[Row],
    add: Any,
    products: Callable[[Any, Vectors], Vectors],
    valid: Any = None,
) -> None:
    """Emit the loop: sums of a tile start at zero and are written, or added, at its end.

    ``products(number, sums)`` emits one step and returns the new sums. Rows from ``valid``
    on repeat an earlier one, which must not be added twice.
    """
    builder, function = emit.builder, emit.builder.function
    before = builder.block
    names = ("products", "sums", "adding", "writing", "ready")
    loop, done, adding, writing, ready = (function.append_basic_block(n) for n in names)
    builder.branch(loop)
    builder.position_at_end(loop)
    number = builder.phi(I64)
    number.add_incoming(emit.constant(0), before)
    sums = [[builder.phi(emit.vector(lanes)) for _, lanes in row] for row in targets]
    results = products(number, sums)
    following = builder.add(number, emit.constant(1))
    number.add_incoming(following, loop)
    for row_sums, row_results in zip(sums, results, strict=True):
        for total, result in zip(row_sums, row_results, strict=True):
            total.add_incoming(emit.zeros(total.type.count), before)
            total.add_incoming(result, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
    builder.position_at_end(done)
    builder.cbranch(builder.icmp_signed("!=", add, emit.constant(0)), adding, writing)
    builder.position_at_end(adding)
    for row, (row_targets, row_results) in enumerate(zip(targets, results, strict=True)):
        if row and valid is not None:
            block = function.append_basic_block("adding")
            builder.cbranch(
                builder.icmp_signed("<", emit.constant(row), valid), block, ready
            )
            builder.position_at_end(block)
        for (address, lanes), total in zip(row_targets, row_results, strict=True):
            emit.store(emit.add(emit.load(address, lanes), total), address)
    builder.branch(ready)
    builder.position_at_end(writing)
    for row_targets, row_results in zip(targets, results, strict=True):
        for (address, _), total in zip(row_targets, row_results, strict=True):
            emit.store(total, address)
    builder.branch(ready)
    builder.position_at_end(ready)


def _offset(emit: Emitter, offsets: Any, number: Any) -> Any:
    """Load the offset of one product from its table."""
    place = emit.builder.mul(number, emit.constant(8))
    return emit.load_index(emit.at(offsets, place), 0)


@intrinsic
def _lanes(
    context: Any, value: Any, grains: Any, x: Any, cells: Any, offsets: Any, count: Any,
    weights: Any, step: Any, out: Any, places: Any, add: Any, valid: Any,
) -> Any:  # fmt: skip
    """Emit ``out[q, lane] = sum over k of weights[k, lane] * x[cells[q] + offsets[k]]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, grains, x, cells, offsets, count, weights, step, out, places, add, valid = (
            arguments
        )
        emit = Emitter(builder, value)
        starts = [emit.at(x, emit.load_index(cells, cell)) for cell in range(CELLS)]
        rows = [emit.at(out, emit.load_index(places, cell)) for cell in range(CELLS)]

        def variant(widths: list[int]) -> None:
            def products(number: Any, sums: Vectors) -> Vectors:
                offset = _offset(emit, offsets, number)
                here = emit.at(weights, builder.mul(number, step))
                factors = [
                    emit.load(emit.at(here, VECTOR_BYTES * v), lanes)
                    for v, lanes in enumerate(widths)
                ]
                results = []
                for start, row in zip(starts, sums, strict=True):
                    scalar = emit.load_scalar(emit.at(start, offset))
                    pairs = zip(factors, row, strict=True)
                    results.append(
                        [
                            emit.multiply_add(emit.splat(scalar, w.type.count), w, total)
                            for w, total in pairs
                        ]
                    )
                return results

            targets = [
                [(emit.at(row, VECTOR_BYTES * v), lanes) for v, lanes in enumerate(widths)]
                for row in rows
            ]
            _sum_products(emit, count, targets, add, products, valid)

        variants = {
            number: partial(variant, lane_widths(number, emit.size, VECTOR_BYTES))
            for number in chunk_widths(VECTOR_BYTES)
        }
        emit.switch(grains, variants)
        return context.get_dummy_value()

    return types.void(value, *(_INT,) * 11), generate


@part
def lanes_tile(
    value, grains, x, cells, offsets, count, weights, step, out, places, add, valid
):
    """Sum a tile of `CELLS` cells by ``grains`` of output channels.

    Cells from ``valid`` on repeat an earlier one.

    ``out[places[q] + lane]`` is the sum of ``weights[k*step + lane] * x[cells[q] +
    offsets[k]]`` over k.
    """
    _lanes(value, grains, x, cells, offsets, count, weights, step, out, places, add, valid)


@intrinsic
def _planes(
    context: Any, value: Any, x: Any, cells: Any, offsets: Any, count: Any,
    weights: Any, out: Any, places: Any, add: Any, valid: Any,
) -> Any:  # fmt: skip
    """Emit ``out[q] = sum over k of weights[k] * x[cells[q] + offsets[k]]``, in vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, x, cells, offsets, count, weights, out, places, add, valid = arguments
        emit = Emitter(builder, value)
        starts = [emit.at(x, emit.load_index(cells, cell)) for cell in range(CELLS)]
        targets: list[Row] = [
            [(emit.at(out, emit.load_index(places, cell)), emit.lanes)]
            for cell in range(CELLS)
        ]

        def products(number: Any, sums: Vectors) -> Vectors:
            offset = _offset(emit, offsets, number)
            step = builder.mul(number, emit.constant(VECTOR_BYTES))
            factor = emit.load(emit.at(weights, step), emit.lanes)
            results = []
            for start, (total,) in zip(starts, sums, strict=True):
                planes = emit.load(emit.at(start, offset), emit.lanes)
                results.append([emit.multiply_add(planes, factor, total)])
            return results

        _sum_products(emit, count, targets, add, products, valid)
        return context.get_dummy_value()

    return types.void(value, *(_INT,) * 9), generate


@part
def planes_tile(value, x, cells, offsets, count, weights, out, places, add, valid):
    """Sum a tile of `CELLS` cells of as many planes as a vector has lanes.

    Cells from ``valid`` on repeat an earlier one.

    ``out[places[q]] = sum over k of weights[k] * x[cells[q] + offsets[k]]``, each a vector.
    """
    _planes(value, x, cells, offsets, count, weights, out, places, add, valid)


@intrinsic
def _rows(
    context: Any, value: Any, tile: Any, x: Any, offsets: Any, count: Any,
    weights: Any, out: Any, step: Any, add: Any,
) -> Any:  # fmt: skip
    """Emit ``out[c, q] = sum over k of weights[k, c] * x[offsets[k] + q]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, tile, x, offsets, count, weights, out, step, add = arguments
        emit = Emitter(builder, value)

        def variant(channels: int, vectors: int) -> None:
            def products(number: Any, sums: Vectors) -> Vectors:
                here = emit.at(x, _offset(emit, offsets, number))
                cells = [
                    emit.load(emit.at(here, VECTOR_BYTES * v), emit.lanes)
                    for v in range(vectors)
                ]
                width = emit.constant(channels * emit.size)
                factors = emit.at(weights, builder.mul(number, width))
                results = []
                for channel, row in enumerate(sums):
                    scalar = emit.load_scalar(emit.at(factors, channel * emit.size))
                    factor = emit.splat(scalar, emit.lanes)
                    pairs = zip(cells, row, strict=True)
                    results.append(
                        [emit.multiply_add(factor, x, total) for x, total in pairs]
                    )
                return results

            targets = []
            for channel in range(channels):
                row = emit.at(out, builder.mul(emit.constant(channel), step))
                places = [emit.at(row, VECTOR_BYTES * v) for v in range(vectors)]
                targets.append([(place, emit.lanes) for place in places])
            _sum_products(emit, count, targets, add, products)

        variants = {
            100 * channels + vectors: partial(variant, channels, vectors)
            for channels, counts in ROW_TILES[VECTOR_BYTES].items()
            for vectors in counts
        }
        emit.switch(tile, variants)
        return context.get_dummy_value()

    return types.void(value, *(_INT,) * 8), generate


@part
def rows_tile(value, tile, x, offsets, count, weights, out, step, add):
    """Sum a tile of channels by vectors of cells; ``tile`` is 100*channels + vectors.

    ``out[c*step + q] = sum over k of weights[k, c] * x[offsets[k] + q]``
    """
    _rows(value, tile, x, offsets, count, weights, out, step, add)
