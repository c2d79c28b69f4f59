"""The state of a stream: the inputs that later outputs need, and a position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtconv.errors import GeometryError, message, shown
from mtconv.pytrees import register
from mtconv.streaming import arrays

__all__ = ["StreamState", "map_state", "members", "no_state"]


@dataclass(frozen=True, eq=False)
class StreamState:
    """What a stream carries from step to step: one array, and small integers.

    Streams make and take states; they are never changed. A state can be pickled, and under
    JAX it is a pytree whose leaves are its arrays.

    Parameters
    ----------
    cells : array
        The last input elements, as many along the axis of time as the stream's halo;
        zeros where there were fewer.
    lead : array or None
        In a steady stream, how many elements that come before the signal are still to
        come, and -1 once the signal has begun: a number in an array. None in others.
    position : int
        How many elements have come, up to whole periods.
    held : int
        How many settled output elements are held back.

    Examples
    --------
    >>> from mtconv.streaming import ConvStream
    >>> stream = ConvStream([1, 10, 100])
    >>> state, output = stream.step(stream.start(), [1, 2, 3, 4])
    >>> state.cells
    array([3, 4])
    """

    cells: Any
    lead: Any
    position: int
    held: int

    def __post_init__(self) -> None:
        register(StreamState, _flatten, _unflatten)


def _flatten(state: StreamState) -> tuple[tuple[Any, Any], tuple[int, int]]:
    return (state.cells, state.lead), (state.position, state.held)


def _unflatten(static: tuple[int, int], leaves: tuple[Any, Any]) -> StreamState:
    return StreamState(*leaves, *static)


def no_state(function: str, got: str) -> GeometryError:
    """Return the error about something that is no state of this stream."""
    rule = "must be a state of this stream"
    fix = "Take the one that `start` or the last `step` returned."
    return GeometryError(message(function, "state", rule, got, fix=fix))


def members(function: str, state: Any, count: int) -> Any:
    """Return the states of the parts of a stream, after a check that there are as many."""
    if not isinstance(state, (tuple, list)):
        raise no_state(function, f"an object of type {type(state).__name__}")
    if len(state) != count:
        raise no_state(function, f"{len(state)} states in place of {count}")
    return state


def map_state(function: Callable[..., Any], *states: Any) -> Any:
    """Apply a function to the arrays of states: to move them, or to join batches.

    Parameters
    ----------
    function : callable
        Called with one array, or with one array of each state.
    *states : state
        States of one stream or chain, all at the same position.

    Returns
    -------
    state
        A state of the same stream, with the function's results for arrays.

    Raises
    ------
    GeometryError
        If the states are not at the same position, or not of one stream, or if there is
        none.

    Examples
    --------
    >>> import numpy as np
    >>> from mtconv.streaming import ConvStream
    >>> stream = ConvStream(np.ones((1, 1, 3)))
    >>> states = [stream.start(batch=1) for _ in range(2)]
    >>> both = map_state(lambda *arrays: np.concatenate(arrays), *states)
    >>> both.cells.shape
    (2, 1, 2)
    """
    if not callable(function):
        rule, got = "must be callable", f"an object of type {type(function).__name__}"
        raise GeometryError(message("map_state", "function", rule, got))
    if not states or not isinstance(states[0], (StreamState, tuple)):
        rule, got = "must be states of a stream", shown(states)
        raise GeometryError(message("map_state", "states", rule, got))
    return _mapped(function, states)


def _mapped(function: Callable[..., Any], states: tuple[Any, ...]) -> Any:
    first = states[0]
    sizes = {(type(s), len(s) if isinstance(s, tuple) else 0) for s in states}
    if len(sizes) > 1:
        rule = "must be states of one stream"
        raise GeometryError(message("map_state", "states", rule, shown(states)))
    if isinstance(first, StreamState):
        _check_alike(states)
        cells = function(*(state.cells for state in states))
        return replace(first, cells=cells, lead=_moved(function, states))
    if isinstance(first, tuple):
        return tuple(_mapped(function, parts) for parts in zip(*states, strict=True))
    return first if first is None else function(*states)


def _moved(function: Callable[..., Any], states: tuple[Any, ...]) -> Any:
    """Return the lead, the same number in all states, where any library can take it up."""
    lead = states[0].lead
    count = None if lead is None else arrays.counted(lead)
    if count is not None:
        return np.asarray(count, np.int32)
    return lead if lead is None else function(*(state.lead for state in states))


def _check_alike(states: tuple[Any, ...]) -> None:
    if len(states) == 1:
        return
    places = [
        (state.position, state.held, None if state.lead is None else int(state.lead))
        for state in states
    ]
    if len(set(places)) > 1:
        rule = "must be at the same position"
        got = f"(position, held, lead) of {', '.join(map(str, places))}"
        raise GeometryError(message("map_state", "states", rule, got))
