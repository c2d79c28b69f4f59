"""How long torch's own operations take on the CPU, roughly, on one thread.

The numbers are rates of classes of problems, as measured on random layers. They only rank
torch beside compiled kernels.
"""

from __future__ import annotations

from math import prod

from mtconv.planning.rates import current_rates
from mtconv.spec import ConvSpec

__all__ = ["native_seconds", "product_seconds"]

# Seconds that a convolution of torch takes at least, and one of its array operations.
CALL, OPERATION = 1e-5, 5e-6


def native_seconds(spec: ConvSpec, form: str, batch: int, dtype: str) -> float:
    """Estimate `torch.nn.functional` and its gradients."""
    del form
    rates = current_rates()
    width = 2 if dtype == "float64" else 1
    small, share = spec.kernel_shape[:2]
    elements = batch * (small * prod(spec.small) + share * spec.groups * prod(spec.big))
    products = batch * spec.multiply_adds * rates.product * 4
    return CALL + width * (products + elements * rates.move * 4)


def product_seconds(spec: ConvSpec, form: str, batch: int, dtype: str) -> float:
    """Estimate sums by products of matrices, a few operations for each phase."""
    del form
    phases = prod(min(axis.stride, axis.big) for axis in spec.axes)
    # torch has no fast products of integers.
    rate = 3e-11 if dtype.startswith("float") else 1e-9
    return OPERATION * (8 + 4 * phases) + batch * spec.multiply_adds * rate
