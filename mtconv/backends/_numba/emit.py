"""What the intrinsics are written with: vectors, addresses and arithmetic in LLVM IR.

Kernels are compiled for a *value* type, in which they multiply and add, and a *stored*
type, which the arrays have. Both are passed as numbers whose type alone matters: beside
float32 values, a number of type uint16 stands for float16, and of int16 for bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target

__all__ = [
    "CELLS",
    "GRAIN",
    "VECTORS",
    "VECTOR_BYTES",
    "Emitter",
    "Machine",
    "byte_size",
    "machine",
]

# A narrow vector is at least so many bytes; wide ones are a few of them.
GRAIN = 16


class Machine(NamedTuple):
    """Vectors of a processor: bytes in each, and a tile of cells times vectors."""

    vector_bytes: int
    cells: int
    vectors: int


def machine() -> Machine:
    """Read the vectors off the processor that numba compiles for."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    words = features.split(",")
    if "+avx512f" in words and "+avx512vl" in words:
        return Machine(64, 8, 3)
    if "+avx" in words:
        return Machine(32, 4, 3)
    # Sixteen registers with SSE, thirty-two with NEON: what fits both.
    return Machine(16, 4, 3)


VECTOR_BYTES, CELLS, VECTORS = machine()

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_FLOATS = {types.float32: ir.FloatType, types.float64: ir.DoubleType}


def byte_size(kind: Any) -> int:
    """Bytes of a numba type of numbers."""
    return int(kind.bitwidth) // 8


def _scalar(kind: Any) -> Any:
    return _FLOATS[kind]() if kind in _FLOATS else ir.IntType(kind.bitwidth)


class Emitter:
    """Emits code for one function, in the value type of its caller."""

    def __init__(self, builder: Any, value: Any, stored: Any = None) -> None:
        self.builder = builder
        self.value = value
        self.stored = value if stored is None else stored
        self.size = byte_size(value)
        self.stored_size = byte_size(self.stored)
        self.lanes = VECTOR_BYTES // self.size
        self.floating = value in _FLOATS
        self.half = self.floating and self.stored == types.uint16

    def vector(self, lanes: int) -> Any:
        """Type of a vector of values; one lane is a vector too."""
        return ir.VectorType(_scalar(self.value), lanes)

    def constant(self, number: int) -> Any:
        """Return a 64-bit integer."""
        return ir.Constant(I64, number)

    def zeros(self, lanes: int) -> Any:
        """Return a vector of zeros."""
        zero = 0.0 if self.floating else 0
        return ir.Constant(self.vector(lanes), [zero] * lanes)

    def at(self, address: Any, shift: Any) -> Any:
        """Add bytes, a number or a value, to an address."""
        return self.builder.add(
            address, self.constant(shift) if isinstance(shift, int) else shift
        )

    def pointer(self, address: Any, kind: Any) -> Any:
        """Turn an address into a pointer."""
        return self.builder.inttoptr(address, kind.as_pointer())

    def load_index(self, address: Any, place: int) -> Any:
        """Load one 64-bit integer of a table."""
        pointer = self.pointer(self.at(address, 8 * place), I64)
        return self.builder.load(pointer, align=8)

    def load(self, address: Any, lanes: int) -> Any:
        """Load values that lie side by side."""
        return self.builder.load(self.pointer(address, self.vector(lanes)), align=self.size)

    def load_scalar(self, address: Any) -> Any:
        """Load one value."""
        return self.builder.load(
            self.pointer(address, _scalar(self.value)), align=self.size
        )

    def store(self, vector: Any, address: Any) -> None:
        """Store values side by side."""
        self.builder.store(vector, self.pointer(address, vector.type), align=self.size)

    def splat(self, scalar: Any, lanes: int) -> Any:
        """Repeat a scalar in every lane."""
        undefined = ir.Constant(self.vector(lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        everywhere = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def multiply_add(self, left: Any, right: Any, total: Any) -> Any:
        """Return ``left * right + total``; integers wrap."""
        if not self.floating:
            return self.builder.add(self.builder.mul(left, right), total)
        lanes = total.type.count
        name = f"llvm.fmuladd.v{lanes}f{8 * self.size}"
        signature = ir.FunctionType(total.type, [total.type] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, [left, right, total])

    def add(self, left: Any, right: Any) -> Any:
        """Add two vectors."""
        return (
            self.builder.fadd(left, right)
            if self.floating
            else self.builder.add(left, right)
        )

    def switch(self, choice: Any, variants: Mapping[int, Callable[[], None]]) -> None:
        """Emit all variants of some code, and a jump to the one that is chosen."""
        builder = self.builder
        end = builder.function.append_basic_block("end")
        jump = builder.switch(choice, end)
        for number, generate in variants.items():
            block = builder.function.append_basic_block(f"variant{number}")
            jump.add_case(self.constant(number), block)
            builder.position_at_end(block)
            generate()
            builder.branch(end)
        builder.position_at_end(end)

    def shuffle(self, left: Any, right: Any, places: list[int]) -> Any:
        """Pick lanes of two vectors."""
        chosen = ir.Constant(ir.VectorType(I32, len(places)), places)
        return self.builder.shuffle_vector(left, right, chosen)

    def load_stored(self, address: Any, lanes: int) -> Any:
        """Load elements of an array and convert them to values."""
        kind = ir.VectorType(self._stored_scalar(), lanes)
        raw = self.builder.load(self.pointer(address, kind), align=self.stored_size)
        return self._widened(raw, lanes)

    def store_stored(self, vector: Any, address: Any) -> None:
        """Convert values to elements of an array and store them."""
        raw = self._narrowed(vector, vector.type.count)
        self.builder.store(raw, self.pointer(address, raw.type), align=self.stored_size)

    def _stored_scalar(self) -> Any:
        return ir.HalfType() if self.half else _scalar(self.stored)

    def _widened(self, raw: Any, lanes: int) -> Any:
        if self.stored == self.value:
            return raw
        if self.half:
            return self.builder.fpext(raw, self.vector(lanes))
        if not self.floating:
            # Sums are cut to the bits of the elements again, so signs do not matter.
            return self.builder.zext(raw, self.vector(lanes))
        words = ir.VectorType(I32, lanes)
        sixteen = ir.Constant(words, [16] * lanes)
        shifted = self.builder.shl(self.builder.zext(raw, words), sixteen)
        return self.builder.bitcast(shifted, self.vector(lanes))

    def _narrowed(self, vector: Any, lanes: int) -> Any:
        kind = ir.VectorType(self._stored_scalar(), lanes)
        if self.stored == self.value:
            return vector
        if self.half:
            return self.builder.fptrunc(vector, kind)
        if not self.floating:
            return self.builder.trunc(vector, kind)
        return self._bfloat16(vector, lanes, kind)

    def _bfloat16(self, vector: Any, lanes: int, kind: Any) -> Any:
        """Round float32 to the nearest bfloat16, to even where two are as near."""
        builder = self.builder
        words = ir.VectorType(I32, lanes)

        def all_lanes(number: int) -> Any:
            return ir.Constant(words, [number] * lanes)

        bits = builder.bitcast(vector, words)
        odd = builder.and_(builder.lshr(bits, all_lanes(16)), all_lanes(1))
        rounded = builder.add(builder.add(bits, all_lanes(0x7FFF)), odd)
        quiet = builder.or_(bits, all_lanes(0x400000))  # what is NaN stays so
        is_nan = builder.fcmp_unordered("uno", vector, vector)
        chosen = builder.select(is_nan, quiet, rounded)
        return builder.trunc(builder.lshr(chosen, all_lanes(16)), kind)
