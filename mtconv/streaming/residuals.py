"""Branches whose outputs are added to what went in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.errors import GeometryError, message
from mtconv.pytrees import register
from mtconv.sizes import traced
from mtconv.streaming import arrays
from mtconv.streaming.chains import Chain
from mtconv.streaming.state import members, no_state
from mtconv.streaming.stream import Stream

__all__ = ["Residual", "residual"]

_LONGEST_CHECK = 65  # beyond all periods and edges of layers that are in use


class Residual(Stream):
    """The input added to what a branch makes of it; made by `residual`."""

    def __init__(self, branch: Chain) -> None:
        self.branch = branch
        register(Residual, _flatten_residual, _unflatten_residual)

    def __repr__(self) -> str:
        return repr(self.branch).replace("chain", "residual", 1)

    @property
    def _title(self) -> str:
        return "residual"

    def _lead(self, before: int) -> int:
        return self.branch._lead(before)

    def _total(self, count: int) -> int:
        return self.branch._total(count)

    def _rest(self, state: Any, count: int) -> int:
        return self.branch._rest(state[0], count)

    def _time_axis(self, ndim: int) -> int:
        return self.branch._time_axis(ndim)

    def _template(self, batch: Any, dtype: Any, size: Any) -> Any:
        return self.branch._template(batch, dtype, size)

    def _open(self, template: Any, before: int | None) -> tuple[Any, Any]:
        state = self.branch._open(template, before)
        output = self.branch.step(state, template)[1]
        if tuple(output.shape) != tuple(template.shape):
            msg = message(
                "residual",
                "layers",
                "must keep the shape",
                f"{tuple(output.shape)} from {tuple(template.shape)}",
                fix="The last layer needs as many output channels as come in.",
            )
            raise GeometryError(msg)
        axis = self._time_axis(template.ndim)
        late = 0 if before is None else self._lead(before) - before
        return state, arrays.blank(template, axis, late)

    def step(self, state: tuple[Any, Any], chunk: Any) -> tuple[tuple[Any, Any], Any]:
        """Take a chunk; see `Stream.step`."""
        function = "residual.step"
        before, waiting = members(function, state, 2)
        inner, output = self.branch.step(before, chunk)
        axis = self._time_axis(output.ndim)
        waiting = self._checked(function, before, waiting, output, chunk)
        waiting, chunk = arrays.together(waiting, chunk, like=output)
        waiting = arrays.joined([waiting, chunk], axis)
        size = output.shape[axis]
        output = output + arrays.along(waiting, axis, 0, size)
        rest = arrays.along(waiting, axis, size, waiting.shape[axis])
        return (inner, arrays.joined([rest], axis)), output

    def flush(self, state: tuple[Any, Any]) -> Any:
        """Return the rest of the output; see `Stream.flush`."""
        function = "residual.flush"
        inner, waiting = members(function, state, 2)
        output = self.branch.flush(inner)
        axis = self._time_axis(output.ndim)
        entering = _entering(self, state)
        waiting = self._checked(function, inner, waiting, output, entering)
        waiting = arrays.together(waiting, like=output)[0]
        return output + arrays.along(waiting, axis, 0, output.shape[axis])

    def _checked(
        self, function: str, before: Any, waiting: Any, output: Any, entering: Any
    ) -> Any:
        """Return the inputs that wait for their outputs, after a check that they can be.

        ``entering`` is an array of their dtype, or None where there is none.
        """
        shape = getattr(waiting, "shape", None)
        if shape is None:
            got = f"an object of type {type(waiting).__name__}"
            raise no_state(function, f"{got} for the inputs that wait")
        if not traced(output.shape, shape):
            wanted = list(output.shape)
            wanted[self._time_axis(output.ndim)] = self._rest((before, waiting), 0)
            if tuple(wanted) != tuple(shape):
                got = f"inputs that wait of shape {tuple(shape)}, not {tuple(wanted)}"
                raise no_state(function, got)
        if type(waiting) is not np.ndarray or waiting.dtype.kind not in "iufc":
            engine = backend_for(function, None, state=waiting, chunk=output)
            waiting = engine.asarray(function, "state", waiting)
        dtype = getattr(entering, "dtype", waiting.dtype)
        if dtype is not waiting.dtype:
            name = arrays.dtype_name(waiting.dtype)
            if name != arrays.dtype_name(dtype):
                raise no_state(function, f"inputs that wait of dtype {name}")
        return waiting


def residual(*layers: Stream | Callable[[Any], Any]) -> Residual:
    """Add the input of layers to their output.

    Parameters
    ----------
    *layers : stream or callable
        As for `chain`; together they must keep the number of elements, as convolutions
        with stride 1 and "same" padding do.

    Returns
    -------
    stream
        A layer for `chain`. Its state holds the inputs that wait for their outputs.

    Raises
    ------
    GeometryError
        If the layers change the number of elements.

    Examples
    --------
    >>> from mtconv.streaming import ConvStream
    >>> layer = residual(ConvStream([1, 10, 100], padding=1))
    >>> state = layer.start()
    >>> state, output = layer.step(state, [1, 2, 3])
    >>> output
    array([211, 323])
    >>> layer.flush(state)
    array([35])
    """
    branch = Chain("residual", layers)
    for count in range(1, _LONGEST_CHECK):
        if branch._total(count) != count:
            msg = message(
                "residual",
                "layers",
                "must keep the number of elements",
                f"{branch._total(count)} from {count}",
                fix="Pad by dilation*(k - 1) in all, for example padding='same'.",
            )
            raise GeometryError(msg)
    return Residual(branch)


def _entering(stream: Any, state: Any) -> Any:
    """Return the array of the first layer's state, which is like the input; or None."""
    while isinstance(stream, (Chain, Residual)):
        inner = stream.branch if isinstance(stream, Residual) else stream.layers[0]
        stream, state = inner, state[0]
    return getattr(state, "cells", None)


def _flatten_residual(layer: Residual) -> tuple[tuple[Any], None]:
    return (layer.branch,), None


def _unflatten_residual(_: None, branch: tuple[Chain]) -> Residual:
    new = object.__new__(Residual)
    new.branch = branch[0]
    return new
