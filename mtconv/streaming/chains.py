"""Several layers as one stream, one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mtconv.errors import BackendError, GeometryError, message, shown
from mtconv.pytrees import register
from mtconv.streaming import arrays
from mtconv.streaming.state import members, no_state
from mtconv.streaming.stream import Stream

__all__ = ["Chain", "chain"]


class Chain(Stream):
    """Layers one after the other; made by `chain`."""

    def __init__(self, function: str, layers: tuple[Any, ...]) -> None:
        for number, layer in enumerate(layers):
            if not (isinstance(layer, Stream) or callable(layer)):
                rule = "must be streams and functions"
                got = f"{shown(layer)} as number {number}"
                raise GeometryError(message(function, "layers", rule, got))
        if not any(isinstance(layer, Stream) for layer in layers):
            rule = "must have a stream among them"
            raise GeometryError(message(function, "layers", rule, shown(layers)))
        self.function = function
        self.layers = layers
        register(Chain, _flatten_chain, _unflatten_chain)

    def __repr__(self) -> str:
        return f"chain({', '.join(map(_short, self.layers))})"

    @property
    def _title(self) -> str:
        return self.function

    @property
    def streams(self) -> list[Stream]:
        """The layers that are streams."""
        return [layer for layer in self.layers if isinstance(layer, Stream)]

    def _lead(self, before: int) -> int:
        for stream in self.streams:
            before = stream._lead(before)
        return before

    def _total(self, count: int) -> int:
        for stream in self.streams:
            count = stream._total(count)
        return count

    def _rest(self, state: Any, count: int) -> int:
        for layer, part in zip(self.layers, state, strict=True):
            if isinstance(layer, Stream):
                count = layer._rest(part, count)
        return count

    def _time_axis(self, ndim: int) -> int:
        return self.streams[-1]._time_axis(ndim)

    def _template(self, batch: Any, dtype: Any, size: Any) -> Any:
        first = self.streams[0]
        try:
            return first._template(batch, dtype, size)
        except (GeometryError, BackendError) as error:
            raise self._named(error, "start", self.layers.index(first)) from None

    def _open(self, template: Any, before: int | None) -> tuple[Any, ...]:
        states = []
        number = 0
        try:
            for number, layer in enumerate(self.layers):
                state = None
                if isinstance(layer, Stream):
                    state = layer._open(template, before)
                    template = layer.step(state, template)[1]
                    before = None if before is None else layer._lead(before)
                else:
                    template = self._call(number, template)
                states.append(state)
        except (GeometryError, BackendError) as error:
            raise self._named(error, "start", number) from None
        return tuple(states)

    def step(self, state: tuple[Any, ...], chunk: Any) -> tuple[tuple[Any, ...], Any]:
        """Take a chunk; see `Stream.step`."""
        befores = self._members(f"{self._title}.step", state)
        states = []
        number = 0
        try:
            for number, layer in enumerate(self.layers):
                after = None
                if isinstance(layer, Stream):
                    after, chunk = layer.step(befores[number], chunk)
                else:
                    chunk = self._call(number, chunk)
                states.append(after)
        except (GeometryError, BackendError) as error:
            raise self._named(error, "step", number) from None
        return tuple(states), chunk

    def flush(self, state: tuple[Any, ...]) -> Any:
        """Return the rest of the output; see `Stream.flush`."""
        befores = self._members(f"{self._title}.flush", state)
        chunk, number = None, 0
        try:
            for number, layer in enumerate(self.layers):
                if not isinstance(layer, Stream):
                    chunk = chunk if chunk is None else self._call(number, chunk)
                elif chunk is None:
                    chunk = layer.flush(befores[number])
                else:
                    after, output = layer.step(befores[number], chunk)
                    rest = layer.flush(after)
                    chunk = arrays.joined([output, rest], layer._time_axis(rest.ndim))
        except (GeometryError, BackendError) as error:
            raise self._named(error, "flush", number) from None
        return chunk

    def _members(self, function: str, state: Any) -> Any:
        """Return the states of all layers; functions have none."""
        parts = members(function, state, len(self.layers))
        for number, (layer, part) in enumerate(zip(self.layers, parts, strict=True)):
            if part is not None and not isinstance(layer, Stream):
                got = f"{shown(part)} in place of None for number {number}, a function"
                raise no_state(function, got)
        return parts

    def _named(self, error: Exception, method: str, number: int) -> Exception:
        """Let an error of a layer name this stream's method, and which layer it is."""
        layer = self.layers[number]
        if not isinstance(layer, Stream):
            return error
        function = f"{self._title}.{method}"
        if any(isinstance(earlier, Stream) for earlier in self.layers[:number]):
            function += f", layer {number}"
        ours = re.match(rf"{layer._title}(\.\w+)?(?=: |, layer )", str(error))
        if ours is None:
            return error
        return type(error)(function + str(error)[ours.end() :])

    def _call(self, number: int, chunk: Any) -> Any:
        """Call one of the functions, which must keep the axis of time."""
        result = self.layers[number](chunk)
        shape = getattr(result, "shape", None)
        if shape is None or tuple(shape) != tuple(chunk.shape):
            got = f"shape {tuple(shape)}" if shape is not None else type(result).__name__
            msg = message(
                self._title,
                "layers",
                "must be streams, or functions that keep the shape of a chunk",
                f"{got} from {tuple(chunk.shape)} by number {number}",
                fix="Functions act on every element by itself; the rest is a layer.",
            )
            raise GeometryError(msg)
        return result


def chain(*layers: Stream | Callable[[Any], Any]) -> Chain:
    """Make one stream of several layers.

    Parameters
    ----------
    *layers : stream or callable
        Streams, chains and residual branches, and functions between them that act on every
        element by itself, such as activations. Functions get chunks of any length, also of
        none.

    Returns
    -------
    stream
        With the methods of each layer. Its state is a tuple of theirs, with None for
        functions.

    Raises
    ------
    GeometryError
        If there is no stream among the layers, or something else.

    Examples
    --------
    >>> from mtconv.streaming import ConvStream, ConvTransposeStream
    >>> layers = chain(ConvStream([1, 1]), abs, ConvTransposeStream([1, 10], stride=2))
    >>> state = layers.start()
    >>> state, output = layers.step(state, [1, -3, 5])
    >>> output
    array([ 2, 20,  2, 20])
    >>> layers.flush(state)
    array([], dtype=int64)
    """
    return Chain("chain", layers)


def _short(layer: Any) -> str:
    return repr(layer) if isinstance(layer, Stream) else getattr(layer, "__name__", "...")


def _flatten_chain(layers: Chain) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    functions = (None if isinstance(layer, Stream) else layer for layer in layers.layers)
    return tuple(layers.streams), (layers.function, *functions)


def _unflatten_chain(static: tuple[Any, ...], streams: tuple[Any, ...]) -> Chain:
    function, *functions = static
    rest = iter(streams)
    new = object.__new__(Chain)
    new.function = function
    new.layers = tuple(next(rest) if f is None else f for f in functions)
    return new
