"""A kernel prepared for many calls: copied once, packed once for the plan's algorithm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends._numpy.weights import Packs
from mtconv.planning.plan import Plan

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A plan of "conv" or "conv_transpose" with its kernel, and what was made of it."""

    plan: Plan
    kernel: NDArray[Any]
    packs: Packs = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        # Packs are made again where they are needed.
        return {"plan": self.plan, "kernel": self.kernel, "packs": {}}


def prepare(plan: Plan, kernel: NDArray[Any]) -> Prepared:
    """Copy a kernel for `run_prepared`; later changes of the original do not matter."""
    copy = np.array(kernel, dtype=kernel.dtype.newbyteorder("="), order="C")
    copy.flags.writeable = False
    return Prepared(plan, copy)
