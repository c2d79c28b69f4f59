"""What every stream has: start, step and flush, and how streams are put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import IntOrInts

__all__ = ["Stream"]


class Stream(ABC):
    """Anything with start, step and flush; states are passed, never kept.

    See Also
    --------
    ConvTransposeStream, ConvStream, InverseSTFTStream : streams of one layer.
    chain : several layers as one stream.

    Examples
    --------
    >>> from mtconv.streaming import ConvStream
    >>> isinstance(ConvStream([1, 2]), Stream)
    True
    """

    @property
    def latency(self) -> int:
        """Output elements by which the result lags behind the input, at most.

        A steady stream gives as many before the first element of the result.
        """
        return self._lead(0)

    def start(
        self,
        batch: int | None = None,
        dtype: Any = None,
        *,
        size: IntOrInts | None = None,
        steady: bool = False,
    ) -> Any:
        """Make the state before the first chunk.

        Parameters
        ----------
        batch : int, optional
            Batch size of the chunks; None where they have no batch axis.
        dtype : dtype, optional
            Dtype of the chunks; the kernel's if left out.
        size : int or sequence of int, optional
            Sizes of the other spatial axes, in 2-D and 3-D.
        steady : bool
            Whether equal chunks give equally long outputs from the first on, as
            `jax.lax.scan` needs. The first `latency` elements that the stream gives then
            come before the result, have no meaning, and are to be dropped. A flush that
            JAX or torch compiles takes it that at least one element has come.

        Returns
        -------
        state
            What `step` and `flush` take.

        Raises
        ------
        GeometryError
            If sizes do not fit.
        """
        function = f"{self._title}.start"
        if not isinstance(steady, (bool, np.bool_)):
            rule = "must be True or False"
            raise GeometryError(message(function, "steady", rule, shown(steady)))
        return self._open(self._template(batch, dtype, size), 0 if steady else None)

    @property
    def _title(self) -> str:
        """What errors call the stream."""
        return type(self).__name__

    @abstractmethod
    def step(self, state: Any, chunk: Any) -> tuple[Any, Any]:
        """Take a chunk; return the next state and all output that is settled.

        Parameters
        ----------
        state : state
            From `start` or the last step. It stays what it was.
        chunk : array
            The next elements of the input: any number of them, also none.

        Returns
        -------
        state : state
            The next state.
        output : array
            The elements of the result that are settled by now and were not before.

        Raises
        ------
        GeometryError, BackendError
            If the chunk does not fit the state.
        """

    @abstractmethod
    def flush(self, state: Any) -> Any:
        """Return the rest of the output, which the end of the input settles.

        Parameters
        ----------
        state : state
            From `start` or the last step. It stays what it was.

        Returns
        -------
        array
            The rest of the result. It has no elements if nothing came, or less than the
            whole map takes.
        """

    @abstractmethod
    def _lead(self, before: int) -> int:
        """Output elements of a steady stream before the result begins.

        ``before`` input elements come before the signal begins.
        """

    @abstractmethod
    def _total(self, count: int) -> int:
        """Output elements, all together, of so many input elements."""

    @abstractmethod
    def _rest(self, state: Any, count: int) -> int:
        """Output elements that ``count`` input elements and the end settle."""

    @abstractmethod
    def _template(self, batch: Any, dtype: Any, size: Any) -> Any:
        """Make a chunk of no elements."""

    @abstractmethod
    def _open(self, template: Any, before: int | None) -> Any:
        """Make the first state for chunks like the template.

        ``before`` is None or, for a steady stream, how many input elements come before
        the signal.
        """

    @abstractmethod
    def _time_axis(self, ndim: int) -> int:
        """Return the axis of time of outputs with this many dimensions."""
