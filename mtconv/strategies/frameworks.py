"""Options in the names of other frameworks, legal for a call with given sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

__all__ = ["FRAMEWORKS", "options_for"]

Options = dict[str, Any]


def options_for(
    framework: str, *, size: Sequence[int], kernel_size: Sequence[int]
) -> st.SearchStrategy[Options]:
    """Draw the options of a framework's transposed convolution.

    Parameters
    ----------
    framework : str
        "torch", "jax", "flax", "haiku", "equinox", "keras" or "onnx".
    size, kernel_size : sequence of int
        Spatial sizes of the input and of the kernel, which say how much may be cropped.

    Returns
    -------
    strategy of dict
        Keyword options of that framework's call, without groups and layouts: strides,
        dilations, paddings and output paddings as it writes them, such that at least one
        cell is left.

    Notes
    -----
    Shrinks towards strides and dilations of 1, no padding, and the first padding word.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(options_for("keras", size=(4,), kernel_size=(3,)), lambda o: True)
    {'strides': (1,), 'padding': 'valid', 'dilation_rate': (1,)}
    """
    if framework not in FRAMEWORKS:
        names = ", ".join(FRAMEWORKS)
        msg = f"framework must be one of {names}; got {framework!r}"
        raise ValueError(msg)
    return _drawn(FRAMEWORKS[framework], tuple(size), tuple(kernel_size))


@st.composite
def _drawn(
    draw: st.DrawFn,
    write: Callable[..., Options],
    size: tuple[int, ...],
    kernel_size: tuple[int, ...],
) -> Options:
    stride, dilation = (
        tuple(draw(st.integers(1, 3)) for _ in size) for _ in ("stride", "dilation")
    )
    full = tuple(
        s * (n - 1) + d * (k - 1) + 1
        for s, n, d, k in zip(stride, size, dilation, kernel_size, strict=True)
    )
    return write(draw, stride, dilation, full)


Ints = tuple[int, ...]


def _torch(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    return {
        "stride": stride,
        "padding": tuple(draw(st.integers(0, (f - 1) // 2)) for f in full),
        "output_padding": tuple(
            draw(st.integers(0, max(s, d) - 1))
            for s, d in zip(stride, dilation, strict=True)
        ),
        "dilation": dilation,
    }


def _pairs(draw: st.DrawFn, full: Ints) -> tuple[tuple[int, int], ...]:
    """Draw what is cropped at both ends of each axis; one cell stays."""
    found = []
    for cells in full:
        lo = draw(st.integers(0, cells - 1))
        found.append((lo, draw(st.integers(0, cells - 1 - lo))))
    return tuple(found)


def _equinox(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    return {
        "stride": stride,
        "padding": _pairs(draw, full),
        "output_padding": extra,
        "dilation": dilation,
    }


def _onnx(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    options: Options = {"strides": stride, "dilations": dilation}
    word = draw(st.sampled_from(("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")))
    if word != "NOTSET":
        return {**options, "auto_pad": word}
    pairs = _pairs(draw, full)
    pads = [lo for lo, _ in pairs] + [hi for _, hi in pairs]
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    return {**options, "pads": pads, "output_padding": extra}


def _jax(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    del full
    return {
        "strides": stride,
        "padding": draw(st.sampled_from(("VALID", "SAME"))),
        "rhs_dilation": dilation,
        "transpose_kernel": draw(st.booleans()),
    }


def _flax(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    options = _jax(draw, stride, dilation, full)
    options["kernel_dilation"] = options.pop("rhs_dilation")
    return options


def _haiku(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    del dilation, full  # its layer has no dilation
    return {"stride": stride, "padding": draw(st.sampled_from(("VALID", "SAME")))}


def _keras(draw: st.DrawFn, stride: Ints, dilation: Ints, full: Ints) -> Options:
    del full
    if max(stride) > 1:
        dilation = (1,) * len(stride)  # one of the two only
    padding = draw(st.sampled_from(("valid", "same")))
    return {"strides": stride, "padding": padding, "dilation_rate": dilation}


FRAMEWORKS: dict[str, Callable[..., Options]] = {
    "torch": _torch,
    "jax": _jax,
    "flax": _flax,
    "haiku": _haiku,
    "equinox": _equinox,
    "keras": _keras,
    "onnx": _onnx,
}
