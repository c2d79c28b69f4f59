from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def in_this_thread() -> Iterator[None]:
    """Compute what is lazy on the thread that asks for it."""
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="sync"):
        yield
