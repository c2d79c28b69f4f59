"""How long torch's own operations take on the CPU, roughly, on one thread.

torch has several implementations. The costs below are of classes of problems that differ
in them, as measured on random layers. They only rank torch beside compiled kernels.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from mtconv.planning.rates import current_rates
from mtconv.spec import ConvSpec

__all__ = ["native_seconds", "product_seconds"]

# Seconds that torch's own loops take at least, and oneDNN, which takes longer to begin.
# torch has it for batches, groups and large arrays. A kernel gradient takes twice as long.
LOOPS, ONEDNN, MOST_OF_LOOPS = 8e-6, 5e-5, 20480

# Seconds of one array operation, and of one element that is gathered.
OPERATION, GATHERED = 5e-6, 5e-10

# Lanes of a vector of four bytes, as the rate of tiles counts them.
_LANES = 16


class TorchCosts(NamedTuple):
    """What a class of problems costs: products in those of a tile, the rest in moves.

    ``small``, ``big`` and ``kernel`` are for each element of an array, ``columns`` for each
    cell of the small side, tap and channel of the big side.
    """

    products: float
    small: float
    big: float
    kernel: float = 0.0
    columns: float = 0.0


_COSTS = {
    "dense": {
        "conv_transpose": TorchCosts(0.66, 2.4, 4.8, 12.0),
        "conv": TorchCosts(0.7, 2.4, 4.8, 12.0),
        "kernel_grad": TorchCosts(0.83, 2.8, 5.6, 14.0),
    },
    "grouped": {
        "conv_transpose": TorchCosts(3.2, 2.4, 4.8, 12.0),
        "conv": TorchCosts(1.76, 2.4, 4.8, 12.0),
        "kernel_grad": TorchCosts(2.0, 2.8, 5.6, 14.0),
    },
    # One channel a group, with one or two axes, and with three.
    "planes": {
        "conv_transpose": TorchCosts(0.0, 7.2, 7.2),
        "conv": TorchCosts(1.7, 3.0, 3.0),
        "kernel_grad": TorchCosts(16.0, 0.0, 5.6),
    },
    "volumes": {
        "conv_transpose": TorchCosts(27.0, 7.2, 7.2),
        "conv": TorchCosts(1.7, 3.0, 3.0),
        "kernel_grad": TorchCosts(55.0, 0.0, 5.6),
    },
}

# Transposed convolutions with dilation go by columns of the kernel.
_DILATED = TorchCosts(0.66, 0.0, 6.5, 0.0, 3.6)


def native_seconds(spec: ConvSpec, form: str, batch: int, dtype: str) -> float:
    """Estimate torch's convolutions and their gradients."""
    costs, rates = _costs(spec, form), current_rates()
    small, share = spec.kernel_shape[:2]
    cells, taps = prod(spec.small), prod(spec.kernel_size)
    big_channels = share * spec.groups
    moves = (
        costs.small * batch * small * cells
        + costs.big * batch * big_channels * prod(spec.big)
        + costs.kernel * small * share * taps
        + costs.columns * batch * big_channels * cells * taps
    )
    products = costs.products * batch * cells * taps * small * share / _LANES
    width = 2 if dtype == "float64" else 1
    loops = batch * spec.groups == 1 and small * cells <= MOST_OF_LOOPS
    call = (LOOPS if loops else ONEDNN) * (2 if form == "kernel_grad" else 1)
    return call + width * (products * rates.tile + moves * rates.move)


def _costs(spec: ConvSpec, form: str) -> TorchCosts:
    if form == "conv_transpose" and any(axis.dilation > 1 for axis in spec.axes):
        return _DILATED
    small, share = spec.kernel_shape[:2]
    kind = "dense" if spec.groups == 1 else "grouped"
    if spec.groups > 1 and small == spec.groups and share == 1:
        kind = "volumes" if spec.rank == 3 else "planes"
    return _COSTS[kind][form]


def product_seconds(spec: ConvSpec, form: str, batch: int, dtype: str) -> float:
    """Estimate sums by products of matrices, a few operations for each phase."""
    del form
    phases = prod(min(axis.stride, axis.big) for axis in spec.axes)
    gathered = batch * spec.kernel_shape[0] * prod(spec.small) * prod(spec.kernel_size)
    # torch has no fast products of integers.
    rate = 3e-11 if dtype.startswith("float") else 1e-9
    products = batch * spec.multiply_adds * rate
    return OPERATION * (8 + 4 * phases) + GATHERED * gathered + products
