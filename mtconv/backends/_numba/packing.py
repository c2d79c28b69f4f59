"""Plan how a kernel is packed: output channels side by side, a row for every tap."""

from __future__ import annotations

from math import prod

from mtconv.backends._numba.layout import KernelCase
from mtconv.backends._numba.shapes import GRAIN
from mtconv.backends._numba.tables import Table, phase_taps

__all__ = ["packing_tables", "tap_bytes", "taps_are_contiguous"]

# Parts of a kernel for a few threads to share.
PARTS = 8


def packing_tables(
    case: KernelCase,
    table: Table,
    pieces: list[tuple[int, int]],
    vector_bytes: int,
    taps_first: bool,
) -> dict[str, int]:
    """Add the tables of the packed kernel: its chunks, and the row of every tap."""
    taps = prod(axis.taps for axis in case.axes)
    place, rows = 0, []
    for first, grains in pieces:
        step = -(-GRAIN * grains // vector_bytes) * vector_bytes
        rows.append((first, grains, step, place))
        place += case.ins * taps * step
    rows.append((pieces[-1][0] + GRAIN * pieces[-1][1], 0, 0, place))
    phases = phase_taps(case.axes, case.taps, case.w_steps[2:])
    every, first = [], 0
    contiguous = taps_are_contiguous(case)
    for phase in phases:
        for number, (tap, _) in enumerate(phase):
            place_in_kernel = tap if contiguous else tap_bytes(case, tap)
            row = first + number if taps_first else first
            every.append((row, len(phase), number, place_in_kernel))
        first += len(phase)
    whole = prod(case.taps)
    in_order = len(phases) == 1 and [tap for tap, _ in phases[0]] == list(range(whole))
    flat = 0
    if contiguous and whole > 1:
        flat = 2 if in_order and case.lanes[0] == whole * case.stored_size else 1
        if taps_first:
            flat = 3 if in_order else 1
    elif whole == 1 and case.lanes[0] == case.stored_size and in_order:
        flat = 2  # input channels side by side, and a single tap
    share = max(1, -(-case.ins * case.groups // PARTS))
    share = min(case.ins, -(-share // 16) * 16)
    return {
        "chunks": table.add(rows),
        "tap_rows": table.add(every),
        "w_flat": flat,
        "packed_group": place,
        "pack_channels": share,
        "pack_tasks": case.groups * -(-case.ins // share),
    }


def taps_are_contiguous(case: KernelCase) -> bool:
    expected = case.stored_size
    for size, step in zip(case.taps[::-1], case.w_steps[:1:-1], strict=True):
        if size > 1 and step != expected:
            return False
        expected *= size
    return True


def tap_bytes(case: KernelCase, tap: int) -> int:
    rest, c = divmod(tap, case.taps[2])
    a, b = divmod(rest, case.taps[1])
    return sum(n * step for n, step in zip((a, b, c), case.w_steps[2:], strict=True))
