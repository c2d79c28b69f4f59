"""Dask on worker processes, and what happens when one of them is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mtconv

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("default")
OPTIONS = {"stride": 2, "padding": 1}
KERNEL = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


@pytest.fixture
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as got,
    ):
        yield got


def slow(block: np.ndarray) -> np.ndarray:
    time.sleep(0.05)
    return block


def test_all_three_maps(client: Any) -> None:
    x = np.arange(2 * 2 * 12 * 10).reshape(2, 2, 12, 10)
    lazy = da.from_array(x, chunks=(1, 1, 5, 4))
    y = mtconv.conv_transpose(lazy, KERNEL, **OPTIONS)
    back = mtconv.conv(y, KERNEL, **OPTIONS)
    grad = mtconv.kernel_grad(lazy, y, kernel_size=(4, 4), **OPTIONS)
    got = dask.compute(y, back, grad, scheduler=client)
    expected = mtconv.conv_transpose(x, KERNEL, **OPTIONS)
    assert (got[0] == expected).all()
    assert (got[1] == mtconv.conv(expected, KERNEL, **OPTIONS)).all()
    whole = mtconv.kernel_grad(x, expected, kernel_size=(4, 4), **OPTIONS)
    assert (got[2] == whole).all()


def test_a_killed_worker_loses_nothing(client: Any) -> None:
    """Kill one of two workers when results are on it: they are computed again."""
    x = np.arange(2 * 2 * 48 * 48).reshape(2, 2, 48, 48)
    lazy = da.from_array(x, chunks=(1, 1, 6, 8)).map_blocks(slow, dtype=x.dtype)
    y = mtconv.conv_transpose(lazy, KERNEL, **OPTIONS)
    victims = client.run(os.getpid)
    killed = threading.Event()

    def kill_one_that_holds_results() -> None:
        while not killed.wait(0.1):
            held = client.has_what()
            for address, pid in victims.items():
                if any("conv_transpose" in str(key) for key in held[address]):
                    os.kill(pid, signal.SIGKILL)
                    killed.set()
                    return

    watcher = threading.Thread(target=kill_one_that_holds_results)
    watcher.start()
    try:
        got = y.compute(scheduler=client)
        died_on_the_way = killed.is_set()
    finally:
        killed.set()
        watcher.join()
    assert died_on_the_way
    assert (got == mtconv.conv_transpose(x, KERNEL, **OPTIONS)).all()
