"""Halos, blocks and parts: what holds for all sizes of an axis that is cut."""

from __future__ import annotations

from typing import Any

import z3

from tests.proofs.claims import (
    SIZES,
    Claim,
    Claims,
    N,
    Triple,
    a,
    axis_of,
    b,
    i,
    inside,
    is_tap,
    lo,
    n,
    o,
)
from tests.proofs.symbolic import term_of

PART = [a.term >= 0, a.term < b.term]


def halos_of_big_blocks_have_all_that_reaches_them(g: Any, t: Triple) -> Claims:
    axis = axis_of(g, t)
    extent = t.dilation * (t.kernel - 1) + 1

    def formulas(r: Any) -> Any:
        first, last = map(term_of, r)
        reach = z3.Or(*(is_tap(axis, i, j, o) for j in range(t.kernel)))
        sound = z3.Implies(z3.And(reach, inside(o, a, b)), inside(i, first, last))
        tight = z3.And(
            t.stride * first - lo.term + extent - 1 >= a.term,
            t.stride * (last - 1) - lo.term <= b.term - 1,
        )
        order = z3.And(first >= 0, first <= last, last <= n.term)
        return [sound, order, z3.Implies(first < last, tight)]

    yield Claim(
        [*SIZES, *PART, b.term <= N.term], lambda: g.touched_small(axis, a, b), formulas
    )


def halos_of_small_blocks_have_all_that_they_reach(g: Any, t: Triple) -> Claims:
    axis = axis_of(g, t)
    extent = t.dilation * (t.kernel - 1) + 1

    def formulas(r: Any) -> Any:
        first, last = map(term_of, r)
        reach = z3.Or(*(is_tap(axis, i, j, o) for j in range(t.kernel)))
        sound = z3.Implies(z3.And(reach, inside(i, a, b)), inside(o, first, last))
        tight = z3.And(
            first >= t.stride * a.term - lo.term,
            last - 1 <= t.stride * (b.term - 1) + extent - 1 - lo.term,
        )
        order = z3.And(first >= 0, first <= last, last <= N.term)
        return [sound, order, z3.Implies(first < last, tight)]

    yield Claim(
        [*SIZES, *PART, b.term <= n.term], lambda: g.touched_big(axis, a, b), formulas
    )


def blocks_with_halos_have_each_tap_once(g: Any, t: Triple) -> Claims:
    axis = axis_of(g, t)

    def of_big() -> Any:
        small = g.touched_small(axis, a, b)
        return small[0], a, g.restrict(axis, small, (a, b))

    def of_small() -> Any:
        big = g.touched_big(axis, a, b)
        return a, big[0], g.restrict(axis, (a, b), big)

    def formulas(r: Any, place: Any) -> Any:
        first, start, block = r
        claims = []
        for j in range(t.kernel):
            whole = z3.And(is_tap(axis, i, j, o), place)
            part = is_tap(block, i.term - term_of(first), j, o.term - term_of(start))
            claims.append(whole == part)
        return claims

    big, small = inside(o, a, b), inside(i, a, b)
    yield Claim([*SIZES, *PART, b.term <= N.term], of_big, lambda r: formulas(r, big))
    yield Claim([*SIZES, *PART, b.term <= n.term], of_small, lambda r: formulas(r, small))


def parts_of_a_kernel_have_the_taps_between(g: Any, t: Triple) -> Claims:
    axis = axis_of(g, t)
    for start in range(t.kernel):
        for stop in range(start + 1, t.kernel + 1):

            def formulas(part: Any, start: int = start, stop: int = stop) -> Any:
                same = [
                    is_tap(axis, i, j, o) == is_tap(part, i, j - start, o)
                    for j in range(start, stop)
                ]
                return [z3.BoolVal(part.kernel == stop - start), *same]

            yield Claim(
                SIZES,
                lambda start=start, stop=stop: g.taps_between(axis, start, stop),
                formulas,
            )


def nothing_is_cropped_where_padding_is_taken_in(g: Any, t: Triple) -> Claims:
    axis = axis_of(g, t)

    def formulas(padded: Any) -> Any:
        claims = []
        for j in range(t.kernel):
            at = t.stride * i.term + t.dilation * j
            claims.append(z3.Implies(inside(i, 0, n), is_tap(padded, i, j, at)))
            moved = is_tap(padded, i, j, o.term + lo.term)
            claims.append(z3.Implies(is_tap(axis, i, j, o), moved))
        size = term_of(padded.big)
        full = t.stride * (n.term - 1) + t.dilation * (t.kernel - 1) + 1
        least = z3.If(full > lo.term + N.term, full, lo.term + N.term)
        return [*claims, size == least, term_of(padded.lo) == 0]

    yield Claim([*SIZES, lo.term >= 0], lambda: g.padded_axis(axis), formulas)
