"""What the tests of streams share: cutting a signal, and the joined output of a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest


def pieces_of(
    stream: Any, x: Any, cuts: Sequence[int], axis: int, **start: Any
) -> list[Any]:
    """All outputs of a stream for x cut at these places, the flush's last."""
    state = stream.start(**start)
    edges = [0, *cuts, x.shape[axis]]
    outputs = []
    for begin, end in pairwise(edges):
        chunk = x[(slice(None),) * axis + (slice(begin, end),)]
        state, output = stream.step(state, chunk)
        outputs.append(output)
    return [*outputs, stream.flush(state)]


@pytest.fixture(scope="session")
def streamed() -> Callable[..., Any]:
    """Return ``streamed(stream, x, cuts, **start)``, joined along the last axis."""

    def join(stream: Any, x: Any, cuts: Sequence[int], axis: int = -1, **start: Any) -> Any:
        axis %= x.ndim
        outputs = pieces_of(stream, x, cuts, axis, **start)
        return np.concatenate([np.asarray(output) for output in outputs], axis - x.ndim)

    return join


@pytest.fixture(scope="session")
def outputs_of() -> Callable[..., list[Any]]:
    """Return ``outputs_of(stream, x, cuts, **start)``: one output a step, and the flush."""

    def outputs(stream: Any, x: Any, cuts: Sequence[int], **start: Any) -> list[Any]:
        return pieces_of(stream, x, cuts, x.ndim - 1, **start)

    return outputs
