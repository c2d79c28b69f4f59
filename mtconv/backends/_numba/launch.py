"""Run a kernel: its memory, its addresses, and the threads that share its tasks.

Every thread calls the same function, which takes tasks off a counter until none is left,
so a thread that comes late has nothing to do, and nobody waits for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numba.compiled import load_kernel
from mtconv.backends._numba.elements import Element
from mtconv.backends._numba.facts import COUNTERS, LINE
from mtconv.backends._numba.work import Work
from mtconv.backends.host import results
from mtconv.backends.host.pool import SharedWork, pool
from mtconv.backends.host.threads import workers_at_most
from mtconv.backends.host.workspace import lend

__all__ = ["launch"]

Array = NDArray[Any]

# To hand work to another thread takes as long as about so many products.
WORTH_SHARING = 400_000

_BYTES = np.dtype(np.uint8)


def launch(
    work: Work,
    element: Element,
    arrays: tuple[Array, Array, Array],
    whole: tuple[Array, Array],
    bias: Array | None,
    packs: dict[Any, Any] | None,
) -> None:
    """Compute a map: ``arrays`` are the canonical input, kernel and result.

    ``whole`` are the input and the kernel as they lie in memory, which says where they
    end.
    """
    kernel: Any = load_kernel(work.kernel)
    data, weights, out = (_address(array) for array in arrays)
    data_end, weights_end = _end(whole[0]), _end(whole[1])
    packed, packing, held = _packed(work, packs)
    counters = np.zeros(COUNTERS * LINE // 8, np.int64)
    shared = _address(counters)
    offset = None if bias is None else _padded_bias(bias, element, work)

    def run(_: object) -> None:
        with lend() as space:
            scratch = space.take((work.space_bytes,), _BYTES)
            kernel(
                element.value,
                element.stored,
                work.facts_address,
                work.table_address,
                data,
                data_end,
                weights,
                weights_end,
                packed,
                packing,
                0 if offset is None else _address(offset),
                out,
                shared,
                _address(scratch),
            )

    workers = 1
    if work.multiply_adds >= WORTH_SHARING and work.tasks > 1:
        workers = min(workers_at_most(), work.tasks)
    if workers == 1:
        run(None)
    else:
        job = SharedWork(run, range(workers))
        try:
            pool.submit(job.helper() for _ in range(workers - 1))
            job.work()
        finally:
            job.finish()
        job.check()
    if packing and packs is not None:
        packs[work.kernel, work.packed_bytes] = held


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _end(array: Array) -> int:
    """Where the memory of an array ends, as far as it can be read."""
    if array.flags.c_contiguous:
        return _address(array) + array.nbytes
    reach = sum((n - 1) * max(step, 0) for n, step in zip(array.shape, array.strides, strict=True))
    return _address(array) + reach + array.itemsize


def _packed(work: Work, packs: dict[Any, Any] | None) -> tuple[int, int, Array | None]:
    """Return the address of the packed kernel, whether it has to be packed, its memory."""
    if not work.packed_bytes:
        return 0, 0, None
    kept = None if packs is None else packs.get((work.kernel, work.packed_bytes))
    memory = results.empty((work.packed_bytes + LINE,), _BYTES) if kept is None else kept
    address = _address(memory)
    return address + -address % LINE, int(kept is None), memory


def _padded_bias(bias: Array, element: Element, work: Work) -> Array:
    """Convert a bias to values, with as much behind it as a block reads at once."""
    padded = np.zeros(bias.size + work.bias_room // element.size, element.dtype)
    padded[: bias.size] = bias
    return padded
