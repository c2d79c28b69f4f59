"""A kernel prepared for many calls: copied once, packed once for the plan's algorithm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.backends import _numpy
from mtconv.backends._numpy.weights import Packs
from mtconv.planning.plan import Plan

__all__ = ["Prepared", "prepare", "run_prepared"]


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


def run_prepared(
    prepared: Prepared, data: NDArray[Any], bias: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Run the plan on an array of the shape that it was made for, of any batch size.

    The first call of a transposed convolution packs the kernel as the plan's algorithm
    needs it, and later calls use that, from any thread. Packs take a few times the memory
    of the kernel; those of `fft` are spectra as large as its blocks.
    """
    return _numpy.run(prepared.plan, data, prepared.kernel, bias, packs=prepared.packs)
