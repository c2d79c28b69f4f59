"""The plan of each kernel by name, and the vectors that they are made for."""

from __future__ import annotations

from collections.abc import Callable

from mtconv.backends._numba.emit import machine
from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.plan_columns import plan_columns
from mtconv.backends._numba.plan_gradient import plan_gradient
from mtconv.backends._numba.plan_gradient_planes import plan_gradient_planes
from mtconv.backends._numba.plan_lanes import plan_lanes
from mtconv.backends._numba.plan_planes import plan_planes
from mtconv.backends._numba.plan_rows import plan_rows
from mtconv.backends._numba.work import Work

__all__ = ["PLANS", "machine"]

PLANS: dict[str, Callable[[KernelCase, int, int], Work | None]] = {
    "lanes": plan_lanes,
    "planes": plan_planes,
    "rows": plan_rows,
    "columns": plan_columns,
    "gradient": plan_gradient,
    "gradient_planes": plan_gradient_planes,
}
