"""Measured speeds of a machine, which the cost models use; those that mtconv ships.

`mtconv warm` measures those of the machine at hand. Rates rank algorithms; wrong ones cost
speed, never a result.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SHIPPED", "MachineRates"]


class MachineRates(NamedTuple):
    """Seconds, on one thread, in float32.

    Parameters
    ----------
    product : float
        One multiply-add in a large matrix product of BLAS.
    element : float
        One element of an array operation on long runs.
    strided : float
        The same where one side has a stride.
    call : float
        One array operation at least.
    transform : float
        One element of a transform of a million, by the FFT.
    tile : float
        One multiply-add of vectors in a tile of a compiled kernel.
    move : float
        One element that a compiled kernel copies.
    """

    product: float
    element: float
    strided: float
    call: float
    transform: float
    tile: float
    move: float


# One core with AVX-512.
SHIPPED = MachineRates(
    product=1.92e-11,
    element=1.2e-10,
    strided=4.5e-10,
    call=1.5e-6,
    transform=9e-9,
    tile=3.8e-10,
    move=2.2e-10,
)
