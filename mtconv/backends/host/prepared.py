"""A kernel prepared for many calls: copied once, packed once for each algorithm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends.host.memory import Packs
from mtconv.planning.plan import Plan

__all__ = ["PreparedKernel", "prepare"]


@dataclass(frozen=True)
class PreparedKernel:
    """A kernel of "conv" or "conv_transpose", and what was made of it."""

    kernel: NDArray[Any]
    packs: Packs = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        # Packs are made again where they are needed.
        return {"kernel": self.kernel, "packs": {}}


def prepare(plan: Plan, kernel: NDArray[Any]) -> PreparedKernel:
    """Copy a kernel for calls with a plan; later changes of the original do not matter."""
    del plan
    copy = np.array(kernel, dtype=kernel.dtype.newbyteorder("="), order="C")
    copy.flags.writeable = False
    return PreparedKernel(copy)
