"""A stream that keeps its own state, for programs that do not pass it around."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Self

from mtconv.errors import GeometryError, message, renamed
from mtconv.problem.options import IntOrInts
from mtconv.streaming.stream import Stream

__all__ = ["RunningStream"]


class RunningStream:
    """A stream together with its state: `step` returns the output alone.

    Parameters
    ----------
    stream : stream
        A `ConvStream`, a `ConvTransposeStream`, a chain, or another stream.

    Examples
    --------
    >>> from mtconv.streaming import ConvTransposeStream
    >>> decoder = RunningStream(ConvTransposeStream([1, 10, 100], stride=2)).start()
    >>> decoder.step([1])
    array([ 1, 10])
    >>> decoder.step([2])
    array([102,  20])
    >>> decoder.flush()
    array([200])
    """

    def __init__(self, stream: Stream) -> None:
        if not isinstance(stream, Stream):
            rule, got = "must be a stream", f"an object of type {type(stream).__name__}"
            raise GeometryError(message("RunningStream", "stream", rule, got))
        self.stream = stream
        self.state: Any = None

    def start(
        self,
        batch: int | None = None,
        dtype: Any = None,
        *,
        size: IntOrInts | None = None,
        steady: bool = False,
    ) -> Self:
        """Begin a signal, and forget the one before.

        Parameters
        ----------
        batch : int, optional
            As in `Stream.start`.
        dtype : dtype, optional
            As in `Stream.start`.
        size : int or sequence of int, optional
            As in `Stream.start`.
        steady : bool
            As in `Stream.start`.

        Returns
        -------
        RunningStream
            The object itself.
        """
        with self._named("start"):
            self.state = self.stream.start(batch, dtype, size=size, steady=steady)
        return self

    def step(self, chunk: Any) -> Any:
        """Take a chunk.

        Parameters
        ----------
        chunk : array
            The next elements of the input.

        Returns
        -------
        array
            All output that is settled by now and was not before.

        Raises
        ------
        GeometryError, BackendError
            If the chunk does not fit, or the stream was not started.
        """
        with self._named("step"):
            self.state, output = self.stream.step(self._running("step"), chunk)
        return output

    def flush(self) -> Any:
        """End the signal.

        Returns
        -------
        array
            The rest of the output.

        Raises
        ------
        GeometryError
            If the stream was not started, or the signal has ended already.
        """
        with self._named("flush"):
            output = self.stream.flush(self._running("flush"))
        self.state = None
        return output

    def _running(self, method: str) -> Any:
        if self.state is None:
            rule, fix = "must have been started", "Call `start` first, for each signal."
            msg = message(f"RunningStream.{method}", "stream", rule, "no state", fix=fix)
            raise GeometryError(msg)
        return self.state

    def _named(self, method: str) -> AbstractContextManager[None]:
        """Let errors of the stream name the method of this class."""
        return renamed(f"{self.stream._title}.{method}", f"RunningStream.{method}")
