"""Enlarge an image that memory cannot hold, block by block, and check what comes out.

    python tests/backends/dask/large_image.py --size 40000 --chunk 2000
    python tests/backends/dask/large_image.py --size 40000 --chunk 2000 --workers 2
    python tests/backends/dask/large_image.py --zarr large.zarr

With `--zarr` the result is first streamed to a store on disk (25.6 GB before
compression), and what is checked is what the store gives back.

The image is a known function of its indices, so the sum of the whole result is known as
an integer, and windows across chunk edges can be computed directly. Elements and sums
are integers below 2**53: everything is compared by equality.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.diagnostics import ProgressBar

import mtconv

KERNEL = np.arange(1.0, 17.0, dtype=np.float32).reshape(4, 4)
OPTIONS = {"stride": 2, "padding": 1}
PERIOD = 11


def pixels(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the image at these rows and columns."""
    return ((7 * rows[:, None] + 13 * columns) % PERIOD - 4).astype(np.float32)


def image(size: int, chunk: int) -> da.Array:
    """Return the lazy image."""

    def block(block_info: Any = None) -> np.ndarray:
        spans = block_info[None]["array-location"]
        return pixels(*(np.arange(*span) for span in spans))

    chunks = da.core.normalize_chunks((chunk, chunk), (size, size))
    return da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=KERNEL[:0])


def expected_total(size: int) -> int:
    """Sum the result: each tap with the sum of the pixels that it does not lose."""

    def counts(tap: int) -> np.ndarray:
        # Tap 0 falls off the low end for the first row, tap 3 off the high end.
        rows = np.arange(tap == 0, size - (tap == 3))
        return np.bincount(rows % PERIOD, minlength=PERIOD)

    residues = np.arange(PERIOD)
    values = pixels(residues, residues).astype(np.int64)
    return sum(
        int(KERNEL[i, j]) * int(counts(i) @ values @ counts(j))
        for i in range(4)
        for j in range(4)
    )


def direct(start: tuple[int, int], width: int) -> np.ndarray:
    """Compute a window of the result from the pixels around it; even starts."""
    around = [np.arange(at // 2 - 2, (at + width) // 2 + 2) for at in start]
    enlarged = mtconv.conv_transpose(pixels(*around), KERNEL, algorithm="direct", **OPTIONS)
    return enlarged[4 : 4 + width, 4 : 4 + width]


def check(size: int, chunk: int, compute: Any, store: str = "") -> None:
    """Enlarge, reduce to sums block by block, and compare sum and windows."""
    y = mtconv.conv_transpose(image(size, chunk), KERNEL, **OPTIONS)
    assert y.shape == (2 * size, 2 * size)
    if store:
        compute(y.to_zarr(store, compute=False))
        y = da.from_zarr(store)
    sums = y.map_blocks(
        lambda block: block.sum(dtype=np.float64, keepdims=True), chunks=(1, 1)
    )
    width, edge = 16, 2 * chunk
    corners = sorted({edge - 8, edge * (size // chunk // 2) - 8, 2 * size - edge - 8})
    starts = [(a, b) for a in corners for b in corners]
    # Copied: a view would keep its whole block until the others of a window are there.
    windows = [
        y[a : a + width, b : b + width].map_blocks(np.array, dtype=y.dtype)
        for a, b in starts
    ]
    bands = [band.sum() for band in sums]
    got = compute(*bands, *windows)
    total = int(sum(got[: len(bands)]))
    assert total == expected_total(size), (total, expected_total(size))
    for start, window in zip(starts, got[len(bands) :], strict=True):
        assert (window == direct(start, width)).all(), start


def on_threads(*lazy: Any) -> tuple[Any, ...]:
    """Compute on the threaded scheduler and show how far it is."""
    with ProgressBar(minimum=10, dt=10):
        return dask.compute(*lazy, scheduler="threads")


def on_cluster(*lazy: Any) -> tuple[Any, ...]:
    """Compute on the cluster of the client and show how far it is."""
    from distributed import as_completed, get_client

    futures = get_client().compute(lazy)
    for number, _ in enumerate(as_completed(futures), 1):
        print(f"{number} of {len(futures)} parts", flush=True)
    return tuple(future.result() for future in futures)


def resident() -> int:
    """Return the most MiB that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Run on the threaded scheduler, or on a local cluster of worker processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=40_000)
    parser.add_argument("--chunk", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--zarr", default="", help="stream the result to this store")
    arguments = parser.parse_args()
    began = time.perf_counter()
    if arguments.workers:
        from distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=arguments.workers,
                threads_per_worker=1,
                memory_limit="2GiB",
                dashboard_address=None,
            ) as cluster,
            Client(cluster) as client,
        ):
            check(arguments.size, arguments.chunk, on_cluster, arguments.zarr)
            held = max(resident(), *client.run(resident).values())
    else:
        check(arguments.size, arguments.chunk, on_threads, arguments.zarr)
        held = resident()
    print(f"right; at most {held} MiB in a process; {time.perf_counter() - began:.0f} s")
    assert held <= 2048


if __name__ == "__main__":
    main()
