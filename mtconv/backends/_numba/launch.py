"""Run a kernel: its memory, its addresses, and the threads that share its tasks.

Every thread calls the same function, which takes tasks off a counter until none is left,
so a thread that comes late has nothing to do, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_size_t, memset
from platform import python_implementation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.compiled import load_kernel
from mtconv.backends._numba.elements import ELEMENTS, Element
from mtconv.backends._numba.facts import COUNTERS, LINE, PACK, PACK_AND_LOOK, PACKED
from mtconv.backends._numba.work import Work
from mtconv.backends.host import results
from mtconv.backends.host.memory import Workspace, lend
from mtconv.backends.host.pool import SharedWork, pool
from mtconv.backends.host.threads import workers_at_most

__all__ = ["launch"]

Array = NDArray[Any]

# To hand work to another thread takes as long as about so many products.
WORTH_SHARING = 400_000

# Packed kernels up to this size lie in the scratch memory of the calling thread.
SMALL_BYTES = 2**22

_BYTES = np.dtype(np.uint8)
_COUNTED = COUNTERS * LINE

# Where an array object has the address of its elements, behind what every object has.
_HEAD = object.__basicsize__


def launch(
    work: Work,
    dtype: str,
    arrays: tuple[Array, Array, Array],
    bias: Array | None,
    packs: dict[Any, Any] | None,
    look: bool,
    workers: int | None = None,
) -> int:
    """Compute a map: ``arrays`` are its input, kernel and result, as the caller has them.

    ``packs`` keeps the packed kernel. ``workers`` are the threads that the call may use,
    without it those of all calls. Where ``look`` asks for it and the kernel has
    infinite values or NaN, the number that comes back is not zero.
    """
    kernel: Any = load_kernel(work.kernel, dtype)
    element = ELEMENTS[dtype]
    first, second, result = arrays
    data, weights = address_of(first), address_of(second)
    packed, packing, keeps = _packed(work, packs)
    if packing == PACK and look:
        packing = PACK_AND_LOOK
    offset = None if bias is None else _padded_bias(bias, element, work)
    inside = work.packed_bytes if packed is None else 0
    size = _COUNTED + inside + work.space_bytes
    with lend() as space:
        counters, _memory = _scratch(space, size)
        memset(counters, 0, _COUNTED)
        calls = (
            *(element.value, element.stored, work.facts_address, work.table_address),
            *(data, _end(first, data), weights, _end(second, weights)),
            *(counters + _COUNTED if packed is None else _aligned(packed), packing),
            *(0 if offset is None else address_of(offset), address_of(result), counters),
        )
        infinite = _share(work, kernel, calls, counters + _COUNTED + inside, workers)
    if keeps and packs is not None:
        packs[work.kernel, work.packed_bytes] = work.layout, packed
    return infinite


def _share(
    work: Work, kernel: Any, arguments: tuple[Any, ...], scratch: int, most: int | None
) -> int:
    """Call a kernel on as many threads as pay; the first has its scratch memory."""
    workers = 1
    if work.multiply_adds >= WORTH_SHARING and work.tasks > 1:
        workers = min(workers_at_most() if most is None else most, work.tasks)
    if workers == 1:
        return int(kernel(*arguments, scratch))
    counts: list[int] = []

    def run(number: int) -> None:
        if number == 0:
            counts.append(kernel(*arguments, scratch))
            return
        with lend() as space:
            own, _memory = _scratch(space, work.space_bytes)
            counts.append(kernel(*arguments, own))

    job = SharedWork(run, range(workers))
    try:
        pool.submit(job.helper() for _ in range(workers - 1))
        job.work()
    finally:
        job.finish()
    job.check()
    return sum(counts)


def _scratch(space: Workspace, size: int) -> tuple[int, Array | None]:
    """Return the address of scratch memory, and what has to be kept meanwhile."""
    address = space.address(size)
    if address:
        return address, None
    memory = np.empty(size + LINE, np.uint8)
    return _aligned(memory), memory


def _by_interface(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _by_head(array: Array) -> int:
    """Read the address where NumPy's C interface has it, which is eight times as fast."""
    return c_size_t.from_address(id(array) + _HEAD).value


def _quickest() -> Callable[[Array], int]:
    samples: list[Array] = [
        np.zeros(3),
        np.zeros((2, 3), np.float32)[:, ::-1],
        np.zeros(4, np.int8)[1:],
    ]
    agree = all(_by_head(array) == _by_interface(array) for array in samples)
    return _by_head if agree else _by_interface


address_of = _quickest() if python_implementation() == "CPython" else _by_interface


def _aligned(array: Array) -> int:
    address = address_of(array)
    return address + -address % LINE


def _end(array: Array, first: int) -> int:
    """Where the memory of an array ends, as far as it can be read."""
    if array.flags.c_contiguous:
        return first + array.nbytes
    last: int = sum(
        (size - 1) * max(step, 0)
        for size, step in zip(array.shape, array.strides, strict=True)
    )
    return first + last + array.itemsize


def _packed(work: Work, packs: dict[Any, Any] | None) -> tuple[Array | None, int, bool]:
    """Return memory of the packed kernel, whether it has to be filled, and is kept.

    Small kernels that are not kept are packed into the memory of the call.
    """
    if not work.packed_bytes:
        return None, PACK, False
    if packs is None:
        if work.packed_bytes <= SMALL_BYTES:
            return None, PACK, False
        return results.empty((work.packed_bytes + LINE,), _BYTES), PACK, False
    layout, kept = packs.get((work.kernel, work.packed_bytes), (0, None))
    if kept is None or layout != work.layout:
        return np.empty(work.packed_bytes + LINE, np.uint8), PACK, True
    return kept, PACKED, False


def _padded_bias(bias: Array, element: Element, work: Work) -> Array:
    """Convert a bias to values, with as much behind it as a block reads at once."""
    padded = np.zeros(bias.size + work.bias_room // element.size, element.dtype)
    padded[: bias.size] = bias
    return padded
