"""What holds for all sizes of an axis: its sizes, windows, phases and runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import gcd
from typing import Any

import z3

from tests.proofs.blocks import (
    blocks_with_halos_have_each_tap_once,
    halos_of_big_blocks_have_all_that_reaches_them,
    halos_of_small_blocks_have_all_that_they_reach,
    nothing_is_cropped_where_padding_is_taken_in,
    parts_of_a_kernel_have_the_taps_between,
)
from tests.proofs.claims import (
    SIZES,
    Claim,
    Claims,
    N,
    Triple,
    axis_of,
    count,
    hi,
    i,
    inside,
    is_tap,
    lo,
    n,
    o,
    plain,
    residues,
    v,
)
from tests.proofs.symbolic import term_of


def small_size_counts_the_windows_that_fit(g: Any, t: Triple) -> Claims:
    extent = t.dilation * (t.kernel - 1) + 1
    padded = N.term + lo.term + hi.term
    yield Claim(
        [*SIZES, padded >= extent, i.term >= 0],
        lambda: g.small_size(N, *t, lo, hi),
        lambda size: [(i.term < size.term) == (t.stride * i.term + extent <= padded)],
    )


def big_sizes_are_those_that_lead_back(g: Any, t: Triple) -> Claims:
    extent = t.dilation * (t.kernel - 1) + 1
    fits = N.term + lo.term + hi.term >= extent
    yield Claim(
        [*SIZES, fits],
        lambda: (g.big_sizes(n, *t, lo, hi), g.small_size(N, *t, lo, hi)),
        lambda r: [inside(N, r[0].start, r[0].stop) == (r[1].term == n.term)],
    )
    natural = t.stride * (n.term - 1) + extent - lo.term - hi.term
    yield Claim(
        [*SIZES, natural >= 1],
        lambda: g.big_sizes(n, *t, lo, hi),
        lambda r: [
            term_of(r.start) == natural,
            term_of(r.stop) == natural + t.stride,
        ],
    )


def same_halves_the_least_padding(g: Any, t: Triple) -> Claims:
    def both() -> Any:
        low, high = g.same_padding(N, *t, lower=False)
        turned = g.same_padding(N, *t, lower=True)
        size = g.small_size(N, *t, low, high)
        return low, high, *turned, size, g.same_size(N, t.stride)

    def formulas(r: Any) -> Any:
        low, high, *turned, size, same_size = map(term_of, r)
        outputs = (N.term + t.stride - 1) / t.stride
        total = low + high
        extent = t.dilation * (t.kernel - 1) + 1
        less = (N.term + total - 1 - extent) / t.stride + 1
        halves = z3.And(low >= 0, low <= high, high <= low + 1)
        sizes = [size == outputs, same_size == outputs]
        swapped = z3.And(turned[0] == high, turned[1] == low)
        return [halves, swapped, *sizes, z3.Or(total == 0, less < outputs)]

    yield Claim([N.term >= 1], both, formulas)


def windows_have_each_tap_once(g: Any, t: Triple) -> Claims:
    def window_of(j: int) -> Any:
        original = g.range
        g.range = lambda *_: (j,)  # one tap at a time
        try:
            return g.windows(axis_of(g, t))
        finally:
            g.range = original

    for j in range(t.kernel):

        def formulas(got: Any, j: int = j) -> Any:
            meets = [
                z3.And(
                    w.tap == j,
                    inside(i, w.small_start, w.small_stop),
                    o.term
                    == term_of(w.big_start) + t.stride * (i.term - term_of(w.small_start)),
                )
                for w in got
            ]
            filled = [term_of(w.small_start) < term_of(w.small_stop) for w in got]
            return [*filled, count(meets) == z3.If(is_tap(axis_of(g, t), i, j, o), 1, 0)]

        yield Claim(SIZES, lambda j=j: window_of(j), formulas)


def phases_partition_the_taps(g: Any, t: Triple) -> Claims:
    for low in residues(t):
        axis = axis_of(g, t, low)

        def formulas(got: Any, axis: Any = axis) -> Any:
            claims = []
            for j in range(t.kernel):
                meets = [
                    meets_phase(t, phase, m)
                    for phase in got
                    for m in range(phase.taps)
                    if phase.tap + m * phase.tap_step == j
                ]
                claims.append(count(meets) == z3.If(is_tap(axis, i, j, o), 1, 0))
            for remainder in range(t.stride):  # every big element, by its remainder
                element = t.stride * v.term + remainder
                members = [
                    inside(v.term + (remainder - p.start) // t.stride, 0, p.cells)
                    for p in got
                    if (remainder - p.start) % t.stride == 0
                ]
                claims.append(z3.Implies(inside(element, 0, N), count(members) == 1))
            return claims

        yield Claim(SIZES, lambda axis=axis: [*map(plain, g.phases(axis))], formulas)


def meets_phase(t: Triple, phase: Any, m: int) -> Any:
    """Whether small element i meets big element o through tap m of a phase."""
    at = i.term - term_of(phase.shift) + m * phase.shift_step
    return z3.And(
        inside(i, 0, n), inside(at, 0, phase.cells), o.term == phase.start + t.stride * at
    )


def live_phases_are_those_with_taps(g: Any, t: Triple) -> Claims:
    for low in residues(t):
        axis = axis_of(g, t, low)

        def both(axis: Any = axis) -> Any:
            every, live = map(plain, g.phases(axis)), map(plain, g.live_phases(axis))
            return [*every], [*live], g.has_holes(axis), g.alike(axis)

        def formulas(r: Any) -> Any:
            every, live, holes, alike = r
            expected = [phase for phase in every if phase.taps > 0]
            if len(expected) != len(live) or bool(holes) != (len(live) < len(every)):
                return [z3.BoolVal(False)]
            even = len({phase.taps for phase in every}) == 1
            if alike and not (even and (t.stride == 1 or every[0].shift_step == 1)):
                return [z3.BoolVal(False)]
            if t.dilation == 1 and len(every) == t.stride and even != bool(alike):
                return [z3.BoolVal(False)]
            return [
                term_of(x) == term_of(y)
                for p, r in zip(expected, live, strict=True)
                for x, y in zip(p, r, strict=True)
            ]

        yield Claim(SIZES, both, formulas)


def reads_of(group: Any) -> Any:
    """Return the axis that a group reads along, with its number of taps as a number."""
    return replace(group.reads, kernel=int(group.reads.kernel))


def members_of(group: Any) -> list[Any]:
    return [*map(plain, group.phases)]


def phase_groups_read_what_phases_read(g: Any, t: Triple) -> Claims:
    for low in residues(t):
        axis = axis_of(g, t, low)
        for by in ("taps", "reads", "axis"):

            def run(axis: Any = axis, by: str = by) -> Any:
                groups = g.phase_groups(axis, by)
                live = len(g.live_phases(axis))
                return [(x.first, reads_of(x), members_of(x)) for x in groups], live

            def formulas(r: Any) -> Any:
                groups, live = r
                claims = [z3.BoolVal(sum(len(phases) for *_, phases in groups) == live)]
                for first, reads, members in groups:
                    for phase in members:
                        shift = term_of(phase.shift)
                        for m in range(phase.taps):
                            cell = i.term - shift + m * phase.shift_step
                            met = z3.And(inside(cell, 0, phase.cells), inside(i, 0, n))
                            at = cell + shift - term_of(first)
                            read = is_tap(reads, at, reads.kernel - 1 - m, i)
                            claims.append(z3.Implies(met, read))
                return claims

            yield Claim(SIZES, run, formulas)


def plain_run(run: Any) -> Any:
    return run._replace(tap=int(run.tap), taps=int(run.taps), residue=int(run.residue))


def runs_are_neighbours_within_a_stride(g: Any, t: Triple) -> Claims:
    for low in residues(t):
        axis = axis_of(g, t, low)

        def run(axis: Any = axis) -> Any:
            return [plain_run(r) for r in g.runs(axis)]

        def formulas(got: Any, axis: Any = axis) -> Any:
            taps = [run.tap + step for run in got for step in range(run.taps)]
            claims = [z3.BoolVal(taps == list(range(t.kernel)))]
            for run in got:
                claims.append(
                    z3.BoolVal(run.residue >= 0 and run.residue + run.taps <= t.stride)
                )
                for step in range(run.taps):
                    lands = t.stride * (i.term + term_of(run.shift)) + run.residue + step
                    at = t.stride * i.term + t.dilation * (run.tap + step)
                    claims.append(lands == at - term_of(axis.lo))
            return claims

        yield Claim([n.term >= 1, N.term >= 1], run, formulas)


def spaced_runs_are_neighbours_among_every_second_cell_and_so_on(
    g: Any, t: Triple
) -> Claims:
    axis = axis_of(g, t)

    def run() -> Any:
        step, got = g.spaced_runs(axis)
        return step, [plain_run(r) for r in got]

    def formulas(result: Any) -> Any:
        step, got = result
        taps = [run.tap + number for run in got for number in range(run.taps)]
        claims = [z3.BoolVal(taps == list(range(t.kernel)))]
        claims.append(z3.BoolVal(step == gcd(t.stride, t.dilation)))
        for run in got:
            within = run.residue >= 0 and step * (run.residue + run.taps) <= t.stride
            claims.append(z3.BoolVal(within))
            for number in range(run.taps):
                lands = t.stride * (i.term + term_of(run.shift))
                lands += step * (run.residue + number)
                claims.append(lands == t.stride * i.term + t.dilation * (run.tap + number))
        return claims

    yield Claim([n.term >= 1, N.term >= 1], run, formulas)


def phase_axes_have_the_taps_of_the_phase(g: Any, t: Triple) -> Claims:
    for low in residues(t):
        axis = axis_of(g, t, low)

        def run(axis: Any = axis) -> Any:
            got = [plain(phase) for phase in g.live_phases(axis)]
            return [(phase, g.phase_axis(axis, phase)) for phase in got]

        def formulas(r: Any, axis: Any = axis) -> Any:
            claims = []
            for phase, part in r:
                cell = o.term
                big = phase.start + t.stride * cell
                for m in range(phase.taps):
                    j = phase.tap + m * phase.tap_step
                    claims.append(is_tap(axis, i, j, big) == is_tap(part, i, m, cell))
            return claims

        yield Claim(SIZES, run, formulas)


STATEMENTS: dict[Callable[[Any, Triple], Claims], tuple[str, ...]] = {
    small_size_counts_the_windows_that_fit: ("small_size",),
    big_sizes_are_those_that_lead_back: ("big_sizes", "natural_size"),
    same_halves_the_least_padding: ("same_padding", "same_size"),
    windows_have_each_tap_once: ("windows", "Window", "Axis"),
    phases_partition_the_taps: ("phases", "Phase"),
    live_phases_are_those_with_taps: ("live_phases", "has_holes", "alike"),
    phase_groups_read_what_phases_read: ("phase_groups", "PhaseGroup"),
    phase_axes_have_the_taps_of_the_phase: ("phase_axis",),
    runs_are_neighbours_within_a_stride: ("runs", "TapRun"),
    spaced_runs_are_neighbours_among_every_second_cell_and_so_on: ("spaced_runs",),
    halos_of_big_blocks_have_all_that_reaches_them: ("touched_small",),
    halos_of_small_blocks_have_all_that_they_reach: ("touched_big",),
    blocks_with_halos_have_each_tap_once: ("restrict",),
    parts_of_a_kernel_have_the_taps_between: ("taps_between",),
    nothing_is_cropped_where_padding_is_taken_in: ("padded_axis",),
}
