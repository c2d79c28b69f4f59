"""How fast the sparse matrix is built: against filling its arrays, and against columns.

Run it by ``python -m tests.benchmarks.bench_sparse``. Every figure is of one process:
medians of builds and fills in turn, nothing kept from one build to the next.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

import mtconv

ROUNDS = 7

# Ten million entries each: name, kernel shape, spatial size of x, options.
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "image, 3 x 3": ((1, 1, 3, 3), (1054, 1054), {}),
    "image, 4 x 4, stride 2": ((1, 1, 4, 4), (790, 790), {"stride": 2, "padding": 1}),
    "64 channels, 3 x 3": ((64, 64, 3, 3), (16, 17), {"padding": 1}),
    "volume, groups": ((8, 4, 3, 3, 3), (23, 23, 22), {"stride": 2, "groups": 2}),
    "signal, 3 taps": ((1, 1, 3), (3_333_333,), {}),
    "circular, 3 x 3": (
        (1, 1, 3, 3),
        (1054, 1054),
        {"padding": 1, "padding_mode": "circular"},
    ),
    "reflect, 31 x 31": (
        (1, 1, 31, 31),
        (102, 102),
        {"padding": 15, "padding_mode": "reflect"},
    ),
    "64 x 64 bilinear, stride 32": ((1, 1, 64, 64), (50, 49), {"stride": 32}),
}


def seconds(function: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    got = function()
    taken = time.perf_counter() - start
    del got
    return taken


def compare(name: str, A: Any) -> None:
    """Print build and fill of one operator, and the memory that building takes."""
    matrix = A.to_sparse()
    arrays = [(a.size, a.dtype) for a in (matrix.data, matrix.indices, matrix.indptr)]
    result = sum(size * dtype.itemsize for size, dtype in arrays)
    entries = matrix.nnz
    del matrix

    def fill() -> list[Any]:
        return [np.full(size, 1, dtype) for size, dtype in arrays]

    pairs = [(seconds(A.to_sparse), seconds(fill)) for _ in range(ROUNDS)]
    build, full = (median(times) for times in zip(*pairs, strict=True))
    tracemalloc.start()
    A.to_sparse()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"{name:27} {entries / 1e6:5.1f} M entries  build {build * 1e3:6.1f} ms"
        f"  fill {full * 1e3:6.1f} ms  speed {full / build:4.2f} of filling"
        f"  peak {peak / result:4.2f} x result"
    )


def by_columns(A: Any, batch: int = 256) -> Any:
    """Build the matrix by applying the operator to an identity, a batch at a time."""
    blocks = []
    for start in range(0, A.shape[1], batch):
        count = min(batch, A.shape[1] - start)
        columns = np.zeros((count, A.shape[1]))
        columns[np.arange(count), start + np.arange(count)] = 1
        blocks.append(
            csr_array(A(columns.reshape(count, *A.input_shape)).reshape(count, -1))
        )
    return vstack(blocks).T.tocsr()


def compare_with_columns() -> None:
    """Print how much longer the columns of the identity take, on a smaller matrix."""
    A = mtconv.Conv(np.arange(1.0, 10).reshape(1, 1, 3, 3), (96, 96), padding=1)
    assert (A.to_sparse() != by_columns(A)).nnz == 0
    pairs = [(seconds(A.to_sparse), seconds(lambda: by_columns(A))) for _ in range(3)]
    build, columns = (median(times) for times in zip(*pairs, strict=True))
    print(
        f"{A.shape[0]} x {A.shape[1]}: build {build * 1e3:.2f} ms, columns of the identity "
        f"{columns * 1e3:.0f} ms, {columns / build:.0f} times as long"
    )


def main() -> None:
    print(f"numpy {np.__version__}, {sys.platform}")
    for name, (kernel, size, options) in CASES.items():
        w = np.random.default_rng(0).standard_normal(kernel)
        A = mtconv.ConvTranspose(w, size, **options)
        compare(name, A)
        compare("  its transpose", A.T)
    compare_with_columns()


if __name__ == "__main__":
    main()
