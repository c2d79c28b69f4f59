"""Call a function on a case, and see that it leaves alone what is not its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.problem.build import problem
from mtconv.problem.options import freeze
from mtconv.testing.case import Case
from mtconv.testing.memory import memory_of, native
from mtconv.testing.reference import reference_conv_transpose
from mtconv.testing.report import compare

__all__ = ["Caller", "Title", "check_case", "describe_call"]

_REMEMBERED = 4  # results, which later calls must not change


class Caller:
    """Calls one function, and remembers its last results.

    Parameters
    ----------
    function : callable
        Called as ``function(x, kernel, bias, **options)``.
    remembered : int
        How many earlier results are compared with what they were.
    """

    def __init__(self, function: Callable[..., Any], remembered: int = _REMEMBERED) -> None:
        self.function = function
        self._results: deque[tuple[NDArray[Any], bytes]] = deque(maxlen=remembered)
        self._last: list[tuple[str, NDArray[Any], bytes]] = []

    def __call__(self, case: Case, title: Title) -> NDArray[Any]:
        """Return the result as a NumPy array.

        Raises AssertionError if an argument was changed, now or of the call before, or if
        the result shares memory with an argument or an earlier result, or changed one.
        Arguments that were changed get their values back: messages show them, and the case
        is called again while it is shrunk.
        """
        arrays = {"x": case.x, "kernel": case.kernel, "bias": case.bias}
        before = {name: _content(array) for name, array in arrays.items()}
        values = {name: np.array(array) for name, array in arrays.items()}
        changed = []
        try:
            result = np.asarray(self.function(*arrays.values(), **case.options))
        finally:
            for name, array in arrays.items():
                if array is not None and _content(array) != before[name]:
                    array[...] = values[name]
                    changed.append(name)
        for name, array in arrays.items():
            if name in changed:
                msg = f"{title}: the function has changed its argument `{name}`"
                raise AssertionError(msg)
            if array is not None and np.may_share_memory(result, array):
                msg = (
                    f"{title}: the result shares memory with the argument `{name}`; "
                    "return a new array"
                )
                raise AssertionError(msg)
        for name, earlier, content in self._last:
            if _content(earlier) != content:
                msg = f"{title}: the function has changed `{name}` of the call before"
                raise AssertionError(msg)
        for earlier, content in self._results:
            if np.may_share_memory(result, earlier) or _content(earlier) != content:
                msg = (
                    f"{title}: the result shares memory with the result of an earlier "
                    "call; return a new array each time"
                )
                raise AssertionError(msg)
        self._results.append((result, _content(result)))
        self._last = [(n, a, before[n]) for n, a in arrays.items() if a is not None]
        return result

    def forget(self) -> None:
        """Let the caller write to the arrays of the last call."""
        self._last.clear()


class Title:
    """What messages call a call; written when one needs it, since most calls are right."""

    def __init__(self, called: Case | Title | str, end: str = "") -> None:
        self.called, self.end = called, end

    def __str__(self) -> str:
        if isinstance(self.called, Case):
            return describe_call(self.called) + self.end
        return f"{self.called}{self.end}"


def check_case(caller: Caller, case: Case, title: Title | None = None) -> None:
    """Raise AssertionError unless two calls give what plain loops give.

    Compared are shape, dtype (of any byte order) and every value. An exception of the
    function passes through, with the call as a note.
    """
    expected = reference_conv_transpose(case.x, case.kernel, case.bias, **case.options)
    frozen = freeze("conv_transpose", **case.options)
    geometry = problem("conv_transpose", case.x.shape, case.kernel.shape, frozen, None)
    title = title or Title(case)
    for call in (title, Title(title, ", called again")):
        try:
            result = caller(case, call)
        except AssertionError:
            raise
        except Exception as error:
            error.add_note(f"The call was {call}.")
            raise
        compare(call, "conv_transpose", geometry, result, expected)
        dtype = native(result).dtype
        if dtype != expected.dtype:
            msg = f"{call}: the result has dtype {dtype} instead of {expected.dtype}"
            raise AssertionError(msg)


def _content(array: NDArray[Any] | None) -> bytes:
    """Return all bytes behind an array, those between its elements included."""
    if array is None:
        return b""
    whole = array if array.base is None else array.base
    return whole.tobytes() if isinstance(whole, np.ndarray) else array.tobytes()


_WORDS = {
    "fortran": "in Fortran order",
    "strided": "that are not contiguous",
    "sliced": "that are parts of larger ones",
    "permuted": "whose last axis comes first in memory",
    "unaligned": "that are not aligned",
    "read-only": "that are read-only",
    "reversed": "of negative strides",
    "big-endian": "of big-endian byte order",
}


def describe_call(case: Case) -> str:
    """Write the call of a case, and how its arrays lie in memory if that is unusual."""
    arrays = [array for array in (case.x, case.kernel, case.bias) if array is not None]
    words = {_WORDS.get(memory_of(array), "") for array in arrays} - {""}
    return repr(case) + "".join(f", with arrays {word}" for word in sorted(words))
