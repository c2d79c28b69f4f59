"""Fixtures of the tests on a GPU, which are apart from the suite.

``python -m pytest -c tests/gpu/pytest.ini --confcutdir tests/gpu tests/gpu`` runs them, in
an environment whose PYTHONPATH has the repository.

A library that is missing, or sees no GPU, is skipped with the reason;
``MTCONV_GPU_REQUIRED=1`` makes that a failure. ``MTCONV_GPU_SMOKE=1`` takes the CPU in
place of a GPU, so that the tests themselves cannot rot. ``MTCONV_GPU_LIBRARIES=torch,cupy``
leaves JAX out. With ``MTCONV_GPU_SECONDS=170`` what has not begun by then is skipped.
"""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tests.gpu.support import LIBRARIES, Library, library

SECONDS = float(os.environ.get("MTCONV_GPU_SECONDS", "inf"))
BEGAN = time.monotonic()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the sweeps over dtypes and algorithms last, where the time may be over."""
    items.sort(key=lambda item: "sweep" in item.name)


@pytest.fixture(params=LIBRARIES)
def lib(request: pytest.FixtureRequest) -> Library:
    """Every library on its GPU."""
    return library(request.param)


@pytest.fixture
def jax() -> Any:
    """The module `jax`, where it has a GPU."""
    library("jax")
    import jax

    return jax


@pytest.fixture
def torch() -> Any:
    """The module `torch`, where it has a GPU."""
    library("torch")
    import torch

    return torch


@pytest.fixture(autouse=True)
def in_time() -> None:
    """Skip what begins too late for the time on a GPU to suffice."""
    if time.monotonic() - BEGAN > SECONDS:
        pytest.skip(f"the {SECONDS:.0f} seconds of MTCONV_GPU_SECONDS are over")
