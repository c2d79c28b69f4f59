"""What models of cost share: the speeds of an engine, and the cost of an algorithm."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Cost", "Rates"]


class Rates(NamedTuple):
    """Measured speeds of one engine for one kind of element."""

    gemm: float  # multiply-adds per second in a large matrix product
    element: float  # seconds per element of an array operation on long runs
    strided: float  # the same where one side has a stride
    call: float  # seconds that one array operation costs at least
    block: float  # bytes of columns that are computed at a time

    # An array operation on short runs costs as much as on so many elements more.
    run: int = 24


class Cost(NamedTuple):
    """Work of one algorithm on one problem."""

    multiply_adds: int
    bytes_moved: int
    operations: int
    seconds: float
