"""Run a kernel: its memory, its addresses, and the threads that share its tasks.

Every thread calls the same function, which takes tasks off a counter until none is left,
so a thread that comes late has nothing to do, and nobody waits for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.compiled import load_kernel
from mtconv.backends._numba.elements import ELEMENTS, Element
from mtconv.backends._numba.facts import COUNTERS, LINE
from mtconv.backends._numba.work import Work
from mtconv.backends.host import results
from mtconv.backends.host.memory import lend
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


def launch(
    work: Work,
    dtype: str,
    arrays: tuple[Array, Array, Array],
    whole: tuple[Array, Array],
    bias: Array | None,
    packs: dict[Any, Any] | None,
) -> None:
    """Compute a map: ``arrays`` are the canonical input, kernel and result.

    ``whole`` are the input and the kernel as they lie in memory, which says where they
    end. ``packs`` keeps the packed kernel.
    """
    kernel: Any = load_kernel(work.kernel, dtype)
    element = ELEMENTS[dtype]
    data, weights, out = (_address(array) for array in arrays)
    packed, packing, keeps = _packed(work, packs)
    offset = None if bias is None else _padded_bias(bias, element, work)
    with lend() as space:
        inside = work.packed_bytes if packed is None else 0
        memory = space.take((_COUNTED + inside + work.space_bytes,), _BYTES)
        memory[:_COUNTED] = 0
        counters = _address(memory)
        place = counters + _COUNTED if packed is None else _aligned(packed)
        calls = (
            *(element.value, element.stored, work.facts_address, work.table_address),
            *(data, _end(whole[0], data), weights, _end(whole[1], weights), place, packing),
            *(0 if offset is None else _address(offset), out, counters),
        )
        _share(work, kernel, calls, counters + _COUNTED + inside)
    if keeps and packs is not None:
        packs[work.kernel, work.packed_bytes] = packed


def _share(work: Work, kernel: Any, arguments: tuple[Any, ...], scratch: int) -> None:
    """Call a kernel on as many threads as pay; the first has its scratch memory."""
    workers = 1
    if work.multiply_adds >= WORTH_SHARING and work.tasks > 1:
        workers = min(workers_at_most(), work.tasks)
    if workers == 1:
        kernel(*arguments, scratch)
        return

    def run(number: int) -> None:
        if number == 0:
            kernel(*arguments, scratch)
            return
        with lend() as space:
            kernel(*arguments, _address(space.take((work.space_bytes,), _BYTES)))

    job = SharedWork(run, range(workers))
    try:
        pool.submit(job.helper() for _ in range(workers - 1))
        job.work()
    finally:
        job.finish()
    job.check()


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _aligned(array: Array) -> int:
    address = _address(array)
    return address + -address % LINE


def _end(array: Array, first: int) -> int:
    """Where the memory of an array ends, as far as it can be read."""
    if array.flags.c_contiguous:
        return first + array.nbytes
    last: int = sum(
        (size - 1) * max(step, 0)
        for size, step in zip(array.shape, array.strides, strict=True)
    )
    return _address(array) + last + array.itemsize


def _packed(work: Work, packs: dict[Any, Any] | None) -> tuple[Array | None, int, bool]:
    """Return memory of the packed kernel, whether it has to be filled, and is kept.

    Small kernels that are not kept are packed into the memory of the call.
    """
    if not work.packed_bytes:
        return None, 0, False
    if packs is None:
        if work.packed_bytes <= SMALL_BYTES:
            return None, 1, False
        return results.empty((work.packed_bytes + LINE,), _BYTES), 1, False
    kept: Array | None = packs.get((work.kernel, work.packed_bytes))
    if kept is None:
        return np.empty(work.packed_bytes + LINE, np.uint8), 1, True
    return kept, 0, False


def _padded_bias(bias: Array, element: Element, work: Work) -> Array:
    """Convert a bias to values, with as much behind it as a block reads at once."""
    padded = np.zeros(bias.size + work.bias_room // element.size, element.dtype)
    padded[: bias.size] = bias
    return padded
