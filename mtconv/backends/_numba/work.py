"""What is settled before a kernel runs: the record, the table, and the memory it needs."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mtconv.backends._numba.facts import make_facts
from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.tables import Table

__all__ = ["SPACE_BYTES", "Work", "axis_facts", "finish"]

# What one thread may use; kernels that would need more are not taken.
SPACE_BYTES = 2**26


class Work(NamedTuple):
    """A kernel by name, with all that it reads but the arrays.

    ``space_bytes`` is the scratch memory of every thread, ``packed_bytes`` that of the
    packed kernel, and ``tasks`` what threads can share. ``pads`` says whether zeros stand
    for what is outside of the input, ``leaves_zeros`` whether a gradient has taps that are
    not written, ``bias_room`` how many bytes behind a bias are read, and ``layout`` how the
    kernel is packed, where this depends on more than its shape.
    """

    kernel: str
    facts: NDArray[Any]
    table: NDArray[Any]
    facts_address: int
    table_address: int
    space_bytes: int
    packed_bytes: int
    tasks: int
    multiply_adds: int
    pads: bool
    leaves_zeros: bool
    bias_room: int
    layout: int


def axis_facts(case: KernelCase) -> dict[str, Any]:
    """Name the facts that a case alone settles."""
    return {
        "batch": case.batch,
        "groups": case.groups,
        "ins": case.ins,
        "outs": case.outs,
        "in_size": [axis.in_size for axis in case.axes],
        "in_steps": case.in_steps,
        "out_size": [axis.out_size for axis in case.axes],
        "out_steps": case.out_steps,
        "units": [axis.number for axis in case.axes],
        "in_step": [axis.in_step for axis in case.axes],
        "out_step": [axis.out_step for axis in case.axes],
        "start": [axis.start for axis in case.axes],
        "taps": prod(axis.taps for axis in case.axes),
        "taps_whole": prod(case.taps),
        "phases": prod(axis.out_step for axis in case.axes),
        "w_group": case.w_group,
        "w_in": case.lanes[0],
        "w_out": case.lanes[1],
    }


def finish(
    kernel: str,
    case: KernelCase,
    table: Table,
    values: dict[str, Any],
    *,
    space_bytes: int,
    packed_bytes: int,
    tasks: int,
    layout: int = 0,
) -> Work:
    """Put the facts and the table of a kernel together."""
    facts = make_facts(**axis_facts(case), **values)
    facts.flags.writeable = False
    numbers = table.array()
    return Work(
        kernel,
        facts,
        numbers,
        facts.__array_interface__["data"][0],
        numbers.__array_interface__["data"][0],
        space_bytes,
        packed_bytes,
        tasks,
        case.multiply_adds,
        not all(axis.inside for axis in case.axes),
        prod(axis.taps for axis in case.axes) < prod(case.taps),
        values.get("row_bytes", 0) + 64,
        layout,
    )
