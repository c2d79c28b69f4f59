"""Add rows of values to others."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import I32, VECTOR_BYTES, Emitter
from mtconv.backends._numba.jit import part
from mtconv.backends._numba.moves import itemsize

__all__ = ["add_row"]

_INT = types.int64


@intrinsic
def _add(context: Any, value: Any, dst: Any, src: Any, count: Any) -> Any:
    """Add the first lanes of a vector to what is there, and zeros in the others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(builder, value)
        count = builder.trunc(arguments[3], I32)
        lanes = ir.VectorType(I32, emit.lanes)
        first = builder.insert_element(ir.Constant(lanes, ir.Undefined), count, I32(0))
        undefined, zeros = (
            ir.Constant(lanes, ir.Undefined),
            ir.Constant(lanes, [0] * emit.lanes),
        )
        counts = builder.shuffle_vector(first, undefined, zeros)
        numbers = ir.Constant(lanes, list(range(emit.lanes)))
        valid = builder.icmp_signed("<", numbers, counts)
        vector = emit.load(arguments[2], emit.lanes)
        added = builder.select(valid, vector, emit.zeros(emit.lanes))
        total = emit.add(emit.load(arguments[1], emit.lanes), added)
        emit.store(total, arguments[1])
        return context.get_dummy_value()

    return types.void(value, _INT, _INT, _INT), generate


@part
def add_row(value, dst, src, count):
    """Add a row of values to another.

    Less than a vector is read beyond the end of ``src``, and zeros are added to as much
    beyond the end of ``dst``.
    """
    lanes = VECTOR_BYTES // itemsize(value)
    number = 0
    while number < count:
        shift = number * itemsize(value)
        _add(value, dst + shift, src + shift, min(lanes, count - number))
        number += lanes
