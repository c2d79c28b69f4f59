"""What all threads of a call count: parts that are packed, tasks, and infinite values.

Each counter has a cache line of its own, in the order below. A thread that takes a number
has it alone, so that work is shared out without a queue.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from mtconv.backends._numba.emit import I64
from mtconv.backends._numba.facts import LINE, PACKED
from mtconv.backends._numba.jit import part

__all__ = [
    "infinite_values_seen",
    "next_task",
    "pack_kernel",
    "see_infinite_values",
]

_INT = types.int64

# Where the counters are: parts of the kernel that were taken and that are packed, tasks
# that were taken, and infinite values.
_TAKEN, _PACKED, _TASKS, _INFINITE = (LINE * number for number in range(4))


@intrinsic
def _add(context: Any, counter: Any, number: Any) -> Any:
    """Add to the number at an address, as one step for all threads; return it as it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return _INT(_INT, _INT), generate


@part
def pack_kernel(
    pack, value, stored, facts, table, w, w_end, packed, scratch, packing, counters
):  # fmt: skip
    """Pack parts of the kernel, and return when the threads together have packed all.

    ``pack`` packs one part and returns how many infinite values it has met.
    """
    if packing == PACKED:
        return
    task = _add(counters + _TAKEN, 1)
    while task < facts.pack_tasks:
        infinite = pack(
            value, stored, facts, table, w, w_end, packed, scratch, task, packing
        )  # fmt: skip
        see_infinite_values(counters, infinite)
        _add(counters + _PACKED, 1)
        task = _add(counters + _TAKEN, 1)
    while _add(counters + _PACKED, 0) < facts.pack_tasks:
        pass


@part
def next_task(counters):
    """Take the number of a task."""
    return _add(counters + _TASKS, 1)


@part
def see_infinite_values(counters, number):
    """Count infinite values, if there are any."""
    if number > 0:
        _add(counters + _INFINITE, number)


@part
def infinite_values_seen(counters):
    """Return how many infinite values all threads have counted."""
    return _add(counters + _INFINITE, 0)
