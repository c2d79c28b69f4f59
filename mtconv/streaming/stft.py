"""The inverse short-time Fourier transform as a stream: overlap-add, frame by frame.

Frames times a window, added where they overlap, are a transposed convolution whose kernel
holds the windowed cosines and sines and whose stride is the hop. What the windows add up
to is another one, and the result is their quotient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.fft import irfft

from mtconv.backends.dispatch import backend_for
from mtconv.errors import GeometryError, message, renamed, shown
from mtconv.problem.options import freeze_sizes
from mtconv.pytrees import register
from mtconv.streaming import arrays
from mtconv.streaming.checks import checked
from mtconv.streaming.pair import ConvTransposeStream
from mtconv.streaming.state import StreamState, members, no_state
from mtconv.streaming.stream import Stream

__all__ = ["InverseSTFTStream"]

# Where squared windows add up to less, there is no signal to recover.
LEAST_ENVELOPE = 1e-11

_COMPLEX = {"float32": "complex64", "float64": "complex128"}


class InverseSTFTStream(Stream):
    """The inverse short-time Fourier transform of spectra that come in chunks.

    The outputs, joined, are ``torch.istft(spectra, ...)`` with the same arguments.

    Parameters
    ----------
    n_fft : int
        Length of a frame; spectra have ``n_fft // 2 + 1`` frequencies.
    hop_length : int, optional
        Samples from frame to frame; ``n_fft // 4`` if left out.
    win_length : int, optional
        Length of the window, which is centred in the frame; `n_fft` if left out.
    window : array, shape (win_length,), optional
        The window of the analysis; ones if left out.
    center : bool
        Whether the signal begins in the middle of the first frame.
    normalized : bool
        Whether spectra are those of an orthonormal transform.
    dtype : dtype
        Of the signal, "float32" or "float64"; spectra are complex64 or complex128.
    backend : str, optional
        As in `ConvTransposeStream`.

    Raises
    ------
    GeometryError
        If the arguments do not fit, or if the windows leave samples out.

    Notes
    -----
    Chunks have shape (N, n_fft // 2 + 1, frames), or no batch axis; outputs (N, samples).
    A frame costs ``n_fft * (n_fft + 2)`` multiply-adds.

    Examples
    --------
    >>> import numpy as np
    >>> stream = InverseSTFTStream(4, hop_length=4, center=False, dtype="float64")
    >>> state = stream.start()
    >>> spectra = np.fft.rfft([[1, 2, 3, 4], [5, 6, 7, 8]]).T
    >>> state, output = stream.step(state, spectra)
    >>> output.round()
    array([1., 2., 3., 4., 5., 6., 7., 8.])
    """

    def __init__(
        self,
        n_fft: int,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Any = None,
        *,
        center: bool = True,
        normalized: bool = False,
        dtype: Any = "float32",
        backend: str | None = None,
    ) -> None:
        frame = _length("n_fft", n_fft)
        hop = (
            max(frame // 4, 1) if hop_length is None else _length("hop_length", hop_length)
        )
        for argument, value in (("center", center), ("normalized", normalized)):
            if not isinstance(value, (bool, np.bool_)):
                rule, got = "must be True or False", shown(value)
                raise GeometryError(message("InverseSTFTStream", argument, rule, got))
        padded = _window(frame, win_length, window)
        kind = arrays.name_of_dtype("InverseSTFTStream", dtype)
        if kind not in _COMPLEX:
            rule = "must be float32 or float64"
            raise GeometryError(message("InverseSTFTStream", "dtype", rule, shown(dtype)))
        waves, squares = _waves(frame) * padded, padded**2
        _check_range(squares, kind, -(-frame // hop))
        if normalized:
            waves *= np.sqrt(frame)
        crop = frame // 2 if center else 0
        self.frequencies = frame // 2 + 1
        self.signal = ConvTransposeStream(
            waves[:, None].astype(kind), stride=hop, padding=crop, backend=backend
        )
        self.envelope = ConvTransposeStream(
            squares[None, None].astype(kind),
            stride=hop,
            padding=crop,
            backend=backend,
        )
        _check_envelope(self.envelope, -(-frame // hop))
        register(InverseSTFTStream, _flatten, _unflatten)

    def _lead(self, before: int) -> int:
        return self.signal._lead(before)

    def _total(self, count: int) -> int:
        return self.signal._total(count)

    def _rest(self, state: Any, count: int) -> int:
        return self.signal._rest(state[0], count)

    def _time_axis(self, ndim: int) -> int:
        return ndim - 1

    def _template(self, batch: Any, dtype: Any, size: Any) -> Any:
        kind = arrays.dtype_name(self.signal.kernel.dtype)
        if dtype is None:
            dtype = _COMPLEX[kind]
        name = arrays.name_of_dtype("InverseSTFTStream.start", dtype)
        with renamed("ConvTransposeStream.start", "InverseSTFTStream.start"):
            real = self.signal._template(batch, kind, size)
        shape = (*real.shape[:-2], self.frequencies, 0)
        return arrays.zeros(shape, name, real)

    def _open(self, template: Any, before: int | None) -> tuple[Any, Any]:
        parts, ones = self._parts(template)
        return self.signal._open(parts, before), self.envelope._open(ones, before)

    def step(self, state: tuple[Any, Any], chunk: Any) -> tuple[tuple[Any, Any], Any]:
        """Take spectra; return the next state and the samples that are settled.

        Parameters
        ----------
        state : state
            From `start` or the last step. It stays what it was.
        chunk : array, shape (N, n_fft // 2 + 1, frames) or (n_fft // 2 + 1, frames)
            The next spectra.

        Returns
        -------
        state : state
            The next state.
        output : array, shape (N, samples) or (samples,)
            The samples that are settled by now and were not before.

        Raises
        ------
        GeometryError, BackendError
            If the chunk does not fit the state.
        """
        function = "InverseSTFTStream.step"
        parts, ones = self._parts(chunk)
        signal, envelope = _both(function, state)
        with renamed("ConvTransposeStream.step", function):
            signal, output = self.signal.step(signal, parts)
            envelope, weight = self.envelope.step(envelope, ones)
        return (signal, envelope), _quotient(output, weight)

    def flush(self, state: tuple[Any, Any]) -> Any:
        """Return the rest of the samples, which the end of the input settles.

        Parameters
        ----------
        state : state
            From `start` or the last step. It stays what it was.

        Returns
        -------
        array, shape (N, samples) or (samples,)
            The rest of the signal.
        """
        function = "InverseSTFTStream.flush"
        signal, envelope = _both(function, state)
        with renamed("ConvTransposeStream.flush", function):
            return _quotient(self.signal.flush(signal), self.envelope.flush(envelope))

    def _parts(self, spectra: Any) -> tuple[Any, Any]:
        """Return real and imaginary parts as channels, and a one for each frame."""
        function = "InverseSTFTStream.step"
        kernel = self.signal.kernel
        engine = backend_for(function, self.signal.backend, chunk=spectra, kernel=kernel)
        spectra = engine.asarray(function, "chunk", spectra)
        if (
            "complex" not in str(spectra.dtype)
            or self.frequencies not in spectra.shape[-2:-1]
        ):
            msg = message(
                function,
                "chunk",
                f"must be complex with {self.frequencies} frequencies in the axis before "
                "the last",
                f"shape {tuple(spectra.shape)} of {spectra.dtype}",
                fix="A frame of n_fft samples has n_fft // 2 + 1 frequencies.",
            )
            raise GeometryError(msg)
        parts = arrays.joined([spectra.real, spectra.imag], len(spectra.shape) - 2)
        return parts, parts[..., :1, :] * 0 + 1


# The matrix of its waves has 2**46 elements.
LARGEST_FRAME = 2**23


def _length(argument: str, value: Any) -> int:
    """Check that an argument is a positive integer."""
    number = freeze_sizes("InverseSTFTStream", argument, value)
    if isinstance(number, tuple) or not 1 <= number <= LARGEST_FRAME:
        rule = "must be an integer from 1 to 2**23"
        raise GeometryError(message("InverseSTFTStream", argument, rule, shown(value)))
    return number


def _window(frame: int, win_length: Any, window: Any) -> np.ndarray[Any, Any]:
    """Return the window of a whole frame: zeros at both sides of a shorter one."""
    length = frame if win_length is None else _length("win_length", win_length)
    try:
        values = np.ones(length) if window is None else np.asarray(window)
        if values.dtype.kind == "c":
            raise TypeError
        values = values.astype("float64")
    except (TypeError, ValueError):
        rule = "must be an array of real numbers"
        got = shown(window)
        raise GeometryError(message("InverseSTFTStream", "window", rule, got)) from None
    if values.shape != (length,) or length > frame:
        rule = f"must have win_length = {length} elements, at most n_fft = {frame}"
        got = f"shape {values.shape}"
        raise GeometryError(message("InverseSTFTStream", "window", rule, got))
    if not np.isfinite(values).all():
        rule, got = "must have finite elements", shown(values)
        raise GeometryError(message("InverseSTFTStream", "window", rule, got))
    left = (frame - length) // 2
    return np.pad(values, (left, frame - length - left))


def _check_range(squares: np.ndarray[Any, Any], kind: str, frames: int) -> None:
    """Check that as many squared windows as overlap can be added."""
    largest = float(squares.max())
    if largest * frames > float(np.finfo(kind).max):
        rule = f"must have squares that add up to what {kind} can hold"
        got = f"squares up to {largest} in {frames} frames that overlap"
        fix = "Scale the window, of the analysis too."
        raise GeometryError(message("InverseSTFTStream", "window", rule, got, fix=fix))


def _waves(frame: int) -> np.ndarray[Any, Any]:
    """Return what each real and imaginary part adds to a frame, (parts, samples)."""
    frequencies = frame // 2 + 1
    units = np.eye(frequencies)
    return irfft(np.concatenate([units, 1j * units]), frame)


def _check_envelope(envelope: ConvTransposeStream, frames: int) -> None:
    """Check that windows reach every sample, with few frames and with many."""
    for count in range(1, 2 * frames + 1):
        state, output = envelope.step(
            envelope.start(), np.ones((1, count), envelope.kernel.dtype)
        )
        weights = np.concatenate([output, envelope.flush(state)], axis=-1)
        if weights.size and weights.min() < LEAST_ENVELOPE:
            msg = message(
                "InverseSTFTStream",
                "window",
                "must reach every sample of the result",
                f"squared windows that add up to {weights.min()} for {count} frames",
                fix="Use a shorter hop or another window, or center=True.",
            )
            raise GeometryError(msg)


def _both(function: str, state: Any) -> tuple[StreamState, StreamState]:
    """Return the states of the signal and of its weights, which go together."""
    parts = members(function, state, 2)
    signal, envelope = (checked(function, part) for part in parts)
    moments = [_moment(function, part) for part in (signal, envelope)]
    if moments[0] != moments[1]:
        got = " and ".join(f"(position, held, lead, shape, dtype) = {m}" for m in moments)
        raise no_state(function, f"parts that do not go together, {got}")
    return signal, envelope


def _moment(function: str, state: StreamState) -> tuple[Any, ...]:
    """Return what the states of the signal and of its weights have in common."""
    cells, lead = state.cells, state.lead
    shape = getattr(cells, "shape", ())
    if len(shape) < 2:
        raise no_state(function, f"cells of {shown(cells)}")
    lead = int(lead) if isinstance(lead, np.ndarray) else lead is not None
    rest = (*shape[:-2], "any", *shape[-1:])
    return state.position, state.held, lead, rest, arrays.dtype_name(cells.dtype)


def _quotient(output: Any, weight: Any) -> Any:
    """Divide by the sum of squared windows; what comes before the result stays finite."""
    xp = arrays.library(output).xp
    safe = xp.where(weight > LEAST_ENVELOPE, weight, xp.ones_like(weight))
    return (output / safe)[..., 0, :]


def _flatten(stream: InverseSTFTStream) -> tuple[tuple[Any, Any], int]:
    return (stream.signal, stream.envelope), stream.frequencies


def _unflatten(frequencies: int, parts: tuple[Any, Any]) -> InverseSTFTStream:
    new = object.__new__(InverseSTFTStream)
    new.frequencies = frequencies
    new.signal, new.envelope = parts
    return new
