"""Checks of more calls than one, and of values that no equality of sums covers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.calls import Caller, Title, check_case, describe_call
from mtconv.testing.case import Case
from mtconv.testing.fixed import plain_entries
from mtconv.testing.limits import Allowed, built
from mtconv.testing.reference import reference_conv_transpose
from mtconv.testing.special import nonfinite_cases, overflowing_case

__all__ = ["check_nonfinite", "check_overflow", "check_state"]

_REPEATED = 40  # calls whose results must all be left alone


def check_state(caller: Caller, allowed: Allowed, dtype: str) -> None:
    """Check calls with the same arrays that hold other values than before."""
    for number, entry in enumerate(plain_entries(allowed)):
        case = built(entry, 1, dtype)
        if case is None or case.x.size == 0:
            continue
        check_case(caller, case)
        before = f"{describe_call(case)}, after a call with other values in these arrays"
        for change in (_turn, _exchange, _raise_one):
            caller.forget()
            for array in (case.kernel, case.x):
                change(array)
            check_case(caller, case, Title(before))
        if number == 0:
            many = Caller(caller.function, remembered=_REPEATED)
            for _ in range(_REPEATED):
                many(case, Title(case, ", called again and again"))
        caller.forget()


def _turn(array: NDArray[Any]) -> None:
    """Turn the values round, and make each of them one more."""
    array[...] = np.flip(array).copy() + array.dtype.type(1)


def _exchange(array: NDArray[Any]) -> None:
    """Exchange two inner elements that differ; sums, ends and the middle stay."""
    flat = array.reshape(-1)
    places = [n for n in range(1, array.size - 1) if n != array.size // 2]
    for first, second in pairwise(places):
        if flat[first] != flat[second]:
            flat[[first, second]] = flat[[second, first]]
            return


def _raise_one(array: NDArray[Any]) -> None:
    """Make one element one more."""
    array.flat[array.size // 3] += array.dtype.type(1)


def check_nonfinite(caller: Caller, allowed: Allowed, dtypes: tuple[str, ...]) -> None:
    """Check that NaN and infinity are not lost.

    NaN may spread, which sums over all elements do, and so may infinity, as NaN.
    """
    with np.errstate(all="ignore"):
        for case in _floating(allowed, dtypes):
            for words, changed in nonfinite_cases(case, every=case.bias is not None):
                title = Title(changed, f", with {words}")
                _compare_nonfinite(caller(changed, title), changed, words)


def _floating(allowed: Allowed, dtypes: tuple[str, ...]) -> Iterator[Case]:
    for dtype in dtypes:
        if np.dtype(dtype).kind in "iu":
            continue
        for entry in reversed(plain_entries(allowed)):  # the smallest first
            case = built(entry, 2, dtype)
            if case is not None and case.x.size and case.kernel.size:
                yield case


def _compare_nonfinite(result: Any, case: Case, words: str) -> None:
    expected = reference_conv_transpose(case.x, case.kernel, case.bias, **case.options)
    wrong = ~(np.isnan(result) | (expected == result))
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        msg = (
            f"{describe_call(case)}: {words} gives a wrong result at index {index}: got "
            f"{result[index]}, expected {expected[index]}"
        )
        raise AssertionError(msg)


def check_overflow(caller: Caller, allowed: Allowed, dtypes: tuple[str, ...]) -> None:
    """Check that sums of integers wrap; a function may refuse them by OverflowError."""
    with np.errstate(all="ignore"):
        for dtype in dtypes:
            cases = (built(entry, 3, dtype) for entry in plain_entries(allowed)[:3])
            for case in cases:
                if case is None or case.x.size == 0 or case.x.dtype.kind not in "iu":
                    continue
                large = overflowing_case(case)
                try:
                    check_case(caller, large, Title(large, ", whose sums wrap"))
                except OverflowError:
                    continue
