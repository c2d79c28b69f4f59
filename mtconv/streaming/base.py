"""One of the two maps as a stream: its parts, checked once, and start, step and flush."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, SupportsIndex

from mtconv.backends.dispatch import backend_for, backend_name
from mtconv.backends.libraries import library_of
from mtconv.errors import BackendError, message, renamed
from mtconv.functional import apply_spec
from mtconv.operators.parts import read_only_copy
from mtconv.problem.build import problem, result_shape
from mtconv.problem.options import ALGORITHMS, IntOrInts, Options, check_word
from mtconv.pytrees import register
from mtconv.sizes import traced
from mtconv.spec import ConvSpec
from mtconv.streaming import arrays
from mtconv.streaming.checks import check_cells, check_moment, checked
from mtconv.streaming.pieces import (
    are_plain,
    check_chunk,
    check_dtype,
    gather,
    holding,
    newest,
    with_axis,
)
from mtconv.streaming.settings import (
    Settings,
    arrangement,
    batched,
    input_shape,
    settings,
    sizes,
)
from mtconv.streaming.state import StreamState
from mtconv.streaming.stream import Stream
from mtconv.streaming.timeline import Piece, open_steady, piece_between, rest_after

__all__ = ["MapStream"]

_MOST_WORKS = 1024

_PARTS = ("kernel", "bias", "settings", "algorithm", "backend", "precision")


class Work(NamedTuple):
    """What a step does to arrays of given shapes: integers, worked out once.

    ``empty`` is the shape of an output of no elements, ``after`` the position afterwards.
    """

    axis: int
    piece: Piece
    spec: ConvSpec
    empty: tuple[int, ...]
    after: int


class MapStream(Stream):
    """One of the two maps, applied to chunks."""

    form: ClassVar[str]

    kernel: Any
    bias: Any
    settings: Settings
    algorithm: str
    backend: str | None
    precision: Any

    def _set(
        self,
        kernel: Any,
        bias: Any,
        axis: SupportsIndex | str,
        options: Options,
        algorithm: str,
        backend: str | None,
        precision: Any,
    ) -> None:
        name = type(self).__name__
        if backend is not None:
            backend = backend_name(name, backend, "must be None or one of")
        algorithm = check_word(name, "algorithm", algorithm, ALGORITHMS)
        engine = backend_for(name, backend, kernel=kernel, bias=bias)
        kernel = read_only_copy(engine.asarray(name, "kernel", kernel))
        bias_shape = None
        if bias is not None:
            bias = read_only_copy(engine.asarray(name, "bias", bias))
            bias_shape = tuple(bias.shape)
        dtype = engine.result_dtype(kernel, bias)
        shape = tuple(kernel.shape)
        checked = settings(
            name, self.form, options, shape, bias_shape, axis, dtype, engine.NAME
        )
        self._own(kernel, bias, checked, algorithm, backend, precision)

    def _own(self, *parts: Any) -> None:
        self.__dict__.update(zip(_PARTS, parts, strict=True))
        self._works: dict[Any, Work] = {}
        cls = type(self)
        register(cls, _flatten, lambda static, leaves: _unflatten(cls, static, leaves))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), *(getattr(self, part) for part in _PARTS))

    def __repr__(self) -> str:
        line = self.settings.timeline
        axis = self.settings.names[self.settings.number]
        return (
            f"{type(self).__name__}(kernel of shape {self.settings.kernel_shape}, axis "
            f"{axis}, stride={line.stride}, halo={line.halo}, latency={self.latency})"
        )

    def state_shape(
        self, batch: int | None = None, size: IntOrInts | None = None
    ) -> tuple[int, ...]:
        """Shape of the array that a state holds.

        Parameters
        ----------
        batch : int, optional
            As in `start`.
        size : int or sequence of int, optional
            As in `start`.

        Returns
        -------
        tuple of int
            The shape of a chunk whose axis of time has the length of the halo.
        """
        function = f"{type(self).__name__}.state_shape"
        order = batched(function, self.settings, batch)
        space = list(sizes(function, self.settings, size))
        space[self.settings.number] = self.settings.timeline.halo
        return input_shape(self.settings, order, batch, tuple(space))

    def _lead(self, before: int) -> int:
        return open_steady(self.settings.timeline, before).lead

    def _total(self, count: int) -> int:
        return self.settings.timeline.total(count)

    def _rest(self, state: Any, count: int) -> int:
        line = holding(self.settings.timeline, state.held)
        return rest_after(line, state.position, count)

    def _time_axis(self, ndim: int, argument: str = "chunk", function: str = "") -> int:
        function = function or f"{type(self).__name__}.step"
        order = arrangement(function, self.settings, ndim, argument)
        place = order.leading + self.settings.number
        return place if order.order is None else order.order[place]

    def _template(self, batch: Any, dtype: Any, size: Any) -> Any:
        function = f"{type(self).__name__}.start"
        order = batched(function, self.settings, batch)
        space = sizes(function, self.settings, size)
        shape = input_shape(self.settings, order, batch, space)
        engine = backend_for(function, self.backend, kernel=self.kernel)
        name = self.kernel.dtype if dtype is None else dtype
        name = arrays.name_of_dtype(function, name)
        like = engine.asarray(function, "kernel", self.kernel)
        return engine.asarray(function, "dtype", arrays.zeros(shape, name, like))

    def _open(self, template: Any, before: int | None) -> StreamState:
        function = f"{type(self).__name__}.start"
        axis = self._time_axis(template.ndim)
        self._spec(function, template.shape, axis)
        line, position, lead = self.settings.timeline, 0, None
        if before is not None:
            line, position, _ = open_steady(line, before)
            lead = arrays.number(before, template)
        cells = arrays.blank(template, axis, line.halo)
        return StreamState(cells, lead, position, line.held)

    def step(self, state: StreamState, chunk: Any) -> tuple[StreamState, Any]:
        """Take a chunk; return the next state and all output that is settled.

        Parameters
        ----------
        state : StreamState
            From `start` or the last step. It stays what it was.
        chunk : array
            The next elements of the input: any number of them, also none.

        Returns
        -------
        state : StreamState
            The next state.
        output : array
            The elements of the result that are settled by now and were not before.

        Raises
        ------
        GeometryError, BackendError
            If the chunk does not fit the state.
        """
        function = f"{type(self).__name__}.step"
        state = checked(function, state)
        cells, chunk, lead = self._ready(function, state, chunk, last=False)
        work = self._work(function, state, cells, chunk)
        axis = work.axis
        if lead is not None:
            chunk, lead = arrays.masked(chunk, axis, lead)
        output = self._apply(function, work, cells, chunk, state.position)
        cells = newest(cells, chunk, axis)
        return StreamState(cells, lead, work.after, state.held), output

    def flush(self, state: StreamState) -> Any:
        """Return the rest of the output, which the end of the input settles.

        Parameters
        ----------
        state : StreamState
            From `start` or the last step. It stays what it was.

        Returns
        -------
        array
            The rest of the result. It has no elements if nothing came, or less than the
            whole map takes.
        """
        function = f"{type(self).__name__}.flush"
        state = checked(function, state)
        cells, _, lead = self._ready(function, state, None, last=True)
        work = self._work(function, state, cells, None)
        chunk = arrays.along(cells, work.axis, 0, 0)
        if lead is not None and arrays.counted(lead) not in (None, -1):  # nothing came
            return self._nothing(work.empty, chunk)
        return self._apply(function, work, cells, chunk, state.position)

    def _ready(
        self, function: str, state: StreamState, chunk: Any, *, last: bool
    ) -> tuple[Any, Any, Any]:
        """Bring the arrays of the state and the chunk to one library."""
        if chunk is None and not last:
            rule, fix = "must be an array, a list or a number", "At the end call `flush`."
            raise BackendError(message(function, "chunk", rule, "None", fix=fix))
        kernel, cells = self.kernel, state.cells
        if self.backend is None and are_plain(cells, chunk, kernel):
            return cells, chunk, state.lead
        engine = backend_for(
            function, self.backend, chunk=chunk, state=cells, kernel=kernel
        )
        cells = engine.asarray(function, "state", cells)
        if chunk is not None:
            chunk = engine.asarray(function, "chunk", chunk)
        functions = library_of(engine, cells, chunk, kernel)
        return functions.together(cells, chunk, state.lead, kernel)[:3]

    def _work(self, function: str, state: StreamState, cells: Any, chunk: Any) -> Work:
        """Return what is to be done, from shapes and positions alone.

        ``chunk`` is None at the end of the signal.
        """
        shape = None if chunk is None else chunk.shape
        if chunk is not None:
            check_dtype(function, cells, chunk)
        if traced(cells.shape, shape or ()):
            return self._new_work(function, state, cells, shape)
        key = cells.shape, shape, state.position, state.held, state.lead is None
        work = self._works.get(key)
        if work is None:
            work = self._new_work(function, state, cells, shape)
            if len(self._works) >= _MOST_WORKS:
                self._works.clear()
            self._works[key] = work
        return work

    def _new_work(
        self, function: str, state: StreamState, cells: Any, shape: tuple[int, ...] | None
    ) -> Work:
        last = shape is None
        check_moment(function, self.settings.timeline, state)
        line = holding(self.settings.timeline, state.held)
        check_cells(function, self.settings, cells.shape, line.halo)
        if shape is not None:
            self._time_axis(len(shape), "chunk", function)
        axis = self._time_axis(len(cells.shape), "state", function)
        position = stop = state.position
        if shape is None:
            shape = (*cells.shape[:axis], 0, *cells.shape[axis + 1 :])
        else:
            check_chunk(function, cells.shape, shape, axis)
            stop += shape[axis]
        piece = piece_between(line, position, stop, last=last)
        spec, empty = self._spec(function, shape, axis)
        if piece.outputs:
            spec = with_axis(spec, self.settings.number, piece.axis)
        return Work(axis, piece, spec, empty, line.canonical(stop))

    def _apply(
        self, function: str, work: Work, cells: Any, chunk: Any, position: int
    ) -> Any:
        """Compute one piece of the result from the state and the chunk."""
        axis, piece = work.axis, work.piece
        if piece.outputs == 0:
            return self._nothing(work.empty, chunk)
        if piece.blank:
            x = arrays.blank(chunk, axis, 1)
        else:
            x = gather(cells, chunk, piece.start - position, piece.stop - position, axis)
        with renamed(self.form, function, x="chunk"):
            return apply_spec(
                self.form,
                work.spec,
                x,
                self.kernel,
                self.bias,
                algorithm=self.algorithm,
                backend=self.backend,
                precision=self.precision,
            )

    def _spec(
        self, function: str, shape: tuple[int, ...], axis: int
    ) -> tuple[ConvSpec, tuple[int, ...]]:
        """Return a spec with the other axes of a chunk, and the shape of no output."""
        settings = self.settings
        roomy = (*shape[:axis], settings.timeline.roomy, *shape[axis + 1 :])
        with renamed(self.form, function, x="chunk"):
            whole = problem(self.form, roomy, settings.kernel_shape, settings.options)
        result = result_shape(self.form, whole, roomy)
        return whole.spec, (*result[:axis], 0, *result[axis + 1 :])

    def _nothing(self, shape: tuple[int, ...], like: Any) -> Any:
        """Make an output of no elements, with the dtype that outputs have."""
        engine = backend_for("stream", self.backend, x=like, kernel=self.kernel)
        kernel = engine.asarray("stream", "kernel", self.kernel)
        dtype = engine.result_dtype(like, kernel, self.bias)
        if engine.NAME == "torch" and self.algorithm in ("auto", "native"):
            dtype = arrays.autocast_name(like, dtype)
        return arrays.zeros(shape, dtype, like)


def _flatten(stream: MapStream) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
    return (stream.kernel, stream.bias), tuple(getattr(stream, p) for p in _PARTS[2:])


def _unflatten(
    cls: type[MapStream], static: tuple[Any, ...], leaves: tuple[Any, Any]
) -> MapStream:
    new = object.__new__(cls)
    new._own(*leaves, *static)
    return new


def _restore(cls: type[MapStream], kernel: Any, bias: Any, *rest: Any) -> MapStream:
    return _unflatten(cls, rest, (read_only_copy(kernel), read_only_copy(bias)))
