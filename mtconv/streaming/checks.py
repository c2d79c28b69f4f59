"""Whether a state is one that a stream can have made: it may have been read from a file."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from mtconv.errors import shown
from mtconv.sizes import is_size, is_symbol
from mtconv.streaming import arrays
from mtconv.streaming.settings import Settings, arrangement
from mtconv.streaming.state import StreamState, no_state
from mtconv.streaming.timeline import Timeline, first_steady, open_steady

__all__ = ["check_cells", "check_moment", "checked"]


def checked(function: str, state: Any) -> StreamState:
    """Return a state whose numbers are what they should be, of the type that they are."""
    if not isinstance(state, StreamState):
        raise no_state(function, f"an object of type {type(state).__name__}")
    kept = state
    if type(state.position) is not int or type(state.held) is not int:
        position = _whole(function, "position", state.position)
        kept = replace(kept, position=position, held=_whole(function, "held", state.held))
    if state.lead is not None:
        lead = _lead(function, state.lead)
        if lead is not state.lead:
            kept = replace(kept, lead=lead)
    return kept


def _whole(function: str, name: str, value: Any) -> int:
    """Return a number as an integer, or a symbol as it is."""
    if not isinstance(value, (bool, np.ndarray)):
        if is_size(value):
            return value  # type: ignore[no-any-return]
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise no_state(function, f"{name}={shown(value)}")


def _lead(function: str, lead: Any) -> Any:
    """Return what is left of a lead as an array, after a check that it can be one."""
    kept = lead
    if type(lead) is int or isinstance(lead, np.integer):
        kept = np.asarray(lead)
    shape, dtype = getattr(kept, "shape", None), getattr(kept, "dtype", None)
    fits = shape == () and "int" in arrays.dtype_name(dtype)
    if fits and isinstance(kept, np.ndarray):
        fits = type(kept) is np.ndarray and -1 <= kept < 2**31
        kept = kept.astype(np.int32) if fits and kept.dtype != np.int32 else kept
    if not fits:
        raise no_state(function, f"lead={shown(lead)}")
    return kept


def check_moment(function: str, timeline: Timeline, state: StreamState) -> None:
    """Check that a stream with this timeline comes to the position of a state."""
    if is_symbol(state.position):
        return
    first, line = 0, timeline
    if state.lead is not None:
        line = open_steady(timeline, 0).timeline
        first = first_steady(line)
    if state.held != line.held:
        raise no_state(function, f"held={shown(state.held)}")
    if not first <= state.position == line.canonical(state.position):
        raise no_state(function, f"position={shown(state.position)}")


def check_cells(function: str, stream: Settings, shape: tuple[int, ...], halo: int) -> None:
    """Check that the array of a state has a shape that the stream's have."""
    order = arrangement(function, stream, len(shape), "state")
    sizes = tuple(shape)
    if order.order is not None:
        sizes = tuple(shape[axis] for axis in order.order)
    channels = sizes[order.batch : order.leading]
    wanted = (stream.channels,) if order.channels else ()
    if channels != wanted or sizes[order.leading + stream.number] != halo:
        raise no_state(function, f"an array of shape {tuple(shape)}")
