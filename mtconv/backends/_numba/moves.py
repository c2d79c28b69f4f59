"""Moves between arrays and blocks: copies and conversions.

No vector reaches outside of the rows that it belongs to: the last vector of a row starts
earlier, and rows shorter than a vector are moved by parts of one. All addresses and
steps are bytes.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import I64, VECTOR_BYTES, Emitter, byte_size
from mtconv.backends._numba.jit import part

__all__ = [
    "copy",
    "copy_in",
    "copy_out",
    "copy_strided",
    "fill",
    "fill_vectors",
    "index_at",
    "itemsize",
    "repeat",
]

_INT = types.int64


@intrinsic
def itemsize(context: Any, kind: Any) -> Any:
    """Bytes of a number, known when the kernel is compiled."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(_INT, byte_size(kind))

    return _INT(kind), generate


@intrinsic
def index_at(context: Any, table: Any, place: Any) -> Any:
    """Return a number of a table of 64-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.load(builder.gep(pointer, [arguments[1]]))

    return _INT(_INT, _INT), generate


@intrinsic
def _move(context: Any, value: Any, source: Any, target: Any, dst: Any, src: Any) -> Any:
    """Move a vector, and convert it on the way."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        reader, writer = Emitter(builder, value, source), Emitter(builder, value, target)
        vector = reader.load_stored(arguments[4], reader.lanes)
        writer.store_stored(vector, arguments[3])
        return context.get_dummy_value()

    return types.void(value, source, target, _INT, _INT), generate


@intrinsic
def _move_one(
    context: Any, value: Any, source: Any, target: Any, dst: Any, src: Any
) -> Any:
    """Move a single element, and convert it on the way."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = Emitter(builder, value, source).load_stored(arguments[4], 1)
        Emitter(builder, value, target).store_stored(element, arguments[3])
        return context.get_dummy_value()

    return types.void(value, source, target, _INT, _INT), generate


@intrinsic
def _zero(context: Any, value: Any, target: Any, dst: Any) -> Any:
    """Store a single zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(builder, value, target)
        emit.store_stored(emit.zeros(1), arguments[2])
        return context.get_dummy_value()

    return types.void(value, target, _INT), generate


@intrinsic
def _move_part(
    context: Any, value: Any, source: Any, target: Any, half: Any, dst: Any, src: Any
) -> Any:
    """Move half a vector, or a quarter where ``half`` is zero, and convert it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        reader, writer = Emitter(builder, value, source), Emitter(builder, value, target)
        is_half = builder.icmp_signed("!=", arguments[3], reader.constant(0))
        with builder.if_else(is_half) as branches:
            for branch, parts in zip(branches, (2, 4), strict=True):
                with branch:
                    lanes = max(1, reader.lanes // parts)
                    vector = reader.load_stored(arguments[5], lanes)
                    writer.store_stored(vector, arguments[4])
        return context.get_dummy_value()

    return types.void(value, source, target, *(_INT,) * 3), generate


@part
def _copy_short(value, source, target, dst, src, count):
    """Copy fewer elements than a vector has lanes; parts of it may overlap."""
    lanes = VECTOR_BYTES // itemsize(value)
    half = 2 * count >= lanes
    piece = lanes // 2 if half else lanes // 4
    if piece < 2 or count < piece:
        for number in range(count):
            _move_one(
                value, source, target, dst + number * itemsize(target),
                src + number * itemsize(source),
            )  # fmt: skip
        return
    _move_part(value, source, target, half, dst, src)
    if count > piece:
        last = count - piece
        _move_part(
            value, source, target, half, dst + last * itemsize(target),
            src + last * itemsize(source),
        )  # fmt: skip


@part
def fill(value, target, dst, step, count):
    """Write zeros, ``step`` bytes apart."""
    for number in range(count):
        _zero(value, target, dst + number * step)


@intrinsic
def _zero_vector(context: Any, value: Any, dst: Any) -> Any:
    """Store a vector of zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(builder, value)
        emit.store(emit.zeros(emit.lanes), arguments[1])
        return context.get_dummy_value()

    return types.void(value, _INT), generate


@part
def fill_vectors(value, dst, count):
    """Write vectors of zeros, one after another."""
    for number in range(count):
        _zero_vector(value, dst + number * VECTOR_BYTES)


@intrinsic
def _repeat(context: Any, value: Any, dst: Any, src: Any) -> Any:
    """Store one value in every lane of a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(builder, value)
        scalar = emit.load_scalar(arguments[2])
        emit.store(emit.splat(scalar, emit.lanes), arguments[1])
        return context.get_dummy_value()

    return types.void(value, _INT, _INT), generate


@part
def repeat(value, dst, src, count):
    """Write vectors that have one value in every lane, one after another."""
    for number in range(count):
        _repeat(value, dst + number * VECTOR_BYTES, src)


@part
def copy(value, source, target, dst, src, count):
    """Copy a row of elements that lie side by side on both sides."""
    from_size, to_size = itemsize(source), itemsize(target)
    lanes = VECTOR_BYTES // itemsize(value)
    if count < lanes:
        _copy_short(value, source, target, dst, src, count)
        return
    number = 0
    while number + 4 * lanes <= count:
        for _ in range(4):
            _move(value, source, target, dst + number * to_size, src + number * from_size)
            number += lanes
    while number + lanes <= count:
        _move(value, source, target, dst + number * to_size, src + number * from_size)
        number += lanes
    if number < count:
        number = count - lanes
        _move(value, source, target, dst + number * to_size, src + number * from_size)


@part
def copy_strided(value, source, target, dst, dst_step, src, src_step, count):
    """Copy elements that lie any number of bytes apart."""
    for number in range(count):
        _move_one(value, source, target, dst + number * dst_step, src + number * src_step)


@part
def copy_in(value, stored, dst, src, src_step, count):
    """Copy elements of an array to values side by side."""
    if src_step == itemsize(stored):
        copy(value, stored, value, dst, src, count)
    else:
        copy_strided(value, stored, value, dst, itemsize(value), src, src_step, count)


@part
def copy_out(value, stored, dst, dst_step, src, count):
    """Copy values that lie side by side to elements of an array."""
    if dst_step == itemsize(stored):
        copy(value, value, stored, dst, src, count)
    else:
        copy_strided(value, value, stored, dst, dst_step, src, itemsize(value), count)
