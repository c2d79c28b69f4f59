"""Whether values of a packed kernel are infinite or NaN."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import I64, VECTOR_BYTES, Emitter
from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import itemsize

__all__ = ["infinite_bytes", "infinite_values"]

_INT = types.int64


def _is_infinite(builder: Any, value: Any, address: Any, vector: bool) -> Any:
    """Emit whether a value, or one of a vector, is infinite or NaN: one or zero."""
    emit = Emitter(builder, value)
    if not emit.floating:
        return I64(0)
    lanes = emit.lanes if vector else 1
    # Zero times infinity is NaN.
    product = builder.fmul(emit.load(address, lanes), emit.zeros(lanes))
    word = ir.IntType(lanes)
    bits = builder.bitcast(builder.fcmp_unordered("uno", product, product), word)
    return builder.zext(builder.icmp_unsigned("!=", bits, word(0)), I64)


@intrinsic
def _infinite_vector(context: Any, value: Any, src: Any) -> Any:
    """Return one if a value of a vector is infinite or NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _is_infinite(builder, value, arguments[1], vector=True)

    return _INT(value, _INT), generate


@intrinsic
def _infinite_value(context: Any, value: Any, src: Any) -> Any:
    """Return one if a value is infinite or NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _is_infinite(builder, value, arguments[1], vector=False)

    return _INT(value, _INT), generate


@part
def infinite_values(value, src, step, count):
    """Count the vectors with infinite values or NaN, of those ``step`` bytes apart."""
    number = 0
    for place in range(count):
        number += _infinite_vector(value, src + place * step)
    return number


@part
def infinite_bytes(value, src, size):
    """Count the vectors, and last values, of a run that are infinite or NaN."""
    whole = size // VECTOR_BYTES
    number = infinite_values(value, src, VECTOR_BYTES, whole)
    for place in range(whole * VECTOR_BYTES, size, itemsize(value)):
        number += _infinite_value(value, src + place)
    return number
