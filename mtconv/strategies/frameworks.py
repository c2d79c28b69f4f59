"""Options in the names of other frameworks, legal for a call with given sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

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
        "torch", "jax", "flax", "haiku", "equinox", "keras", "tensorflow", "onnx",
        "tinygrad", "mlx" or "matlab".
    size, kernel_size : sequence of int
        Spatial sizes of the input and of the kernel, which say how much may be cropped.

    Returns
    -------
    strategy of dict
        Keyword options of that framework's call, without groups and layouts: strides,
        dilations, paddings and output paddings as it writes them, such that at least one
        cell is left. TensorFlow's ``output_shape`` has None for batch and channels;
        MATLAB's options are the two sizes of the input.

    Notes
    -----
    Shrinks towards strides and dilations of 1, no padding, and the first padding word.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(options_for("keras", size=(4,), kernel_size=(3,)), lambda o: True)
    {'strides': (1,), 'padding': 'valid', 'dilation_rate': (1,)}
    """
    if framework == "matlab":  # convmtx2 has nothing but the input's size
        return st.just(dict(zip("mn", size, strict=True)))
    if framework not in FRAMEWORKS:
        names = ", ".join((*FRAMEWORKS, "matlab"))
        msg = f"framework must be one of {names}; got {framework!r}"
        raise ValueError(msg)
    return _drawn(FRAMEWORKS[framework], tuple(size), tuple(kernel_size))


Ints = tuple[int, ...]


class Steps(NamedTuple):
    """What is drawn for every framework, axis by axis, and what follows from it."""

    stride: Ints
    dilation: Ints
    span: Ints  # of the dilated kernel
    full: Ints  # size of the result before anything is cropped


@st.composite
def _drawn(
    draw: st.DrawFn, write: Callable[..., Options], size: Ints, kernel_size: Ints
) -> Options:
    stride, dilation = (
        tuple(draw(st.integers(1, 3)) for _ in size) for _ in ("stride", "dilation")
    )
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True))
    full = tuple(s * (n - 1) + k for s, n, k in zip(stride, size, span, strict=True))
    return write(draw, Steps(stride, dilation, span, full))


def _up_to(draw: st.DrawFn, most: Iterable[int]) -> Ints:
    return tuple(draw(st.integers(0, limit)) for limit in most)


def _pairs(draw: st.DrawFn, full: Ints) -> tuple[tuple[int, int], ...]:
    """Draw what is cropped at both ends of each axis; one cell stays."""
    found = []
    for cells in full:
        lo = draw(st.integers(0, cells - 1))
        found.append((lo, draw(st.integers(0, cells - 1 - lo))))
    return tuple(found)


def _torch(draw: st.DrawFn, steps: Steps) -> Options:
    largest = map(max, zip(steps.stride, steps.dilation, strict=True))
    return {
        "stride": steps.stride,
        "padding": _up_to(draw, ((cells - 1) // 2 for cells in steps.full)),
        "output_padding": _up_to(draw, (step - 1 for step in largest)),
        "dilation": steps.dilation,
    }


def _equinox(draw: st.DrawFn, steps: Steps) -> Options:
    extra = _up_to(draw, (s - 1 for s in steps.stride))
    return {
        "stride": steps.stride,
        "padding": _pairs(draw, steps.full),
        "output_padding": extra,
        "dilation": steps.dilation,
    }


def _onnx(draw: st.DrawFn, steps: Steps) -> Options:
    options: Options = {"strides": steps.stride, "dilations": steps.dilation}
    word = draw(st.sampled_from(("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")))
    if word != "NOTSET":
        return {**options, "auto_pad": word}
    pairs = _pairs(draw, steps.full)
    pads = [lo for lo, _ in pairs] + [hi for _, hi in pairs]
    extra = _up_to(draw, (s - 1 for s in steps.stride))
    return {**options, "pads": pads, "output_padding": extra}


def _jax(draw: st.DrawFn, steps: Steps) -> Options:
    return {
        "strides": steps.stride,
        "padding": draw(st.sampled_from(("VALID", "SAME"))),
        "rhs_dilation": steps.dilation,
        "transpose_kernel": draw(st.booleans()),
    }


def _flax(draw: st.DrawFn, steps: Steps) -> Options:
    options = _jax(draw, steps)
    options["kernel_dilation"] = options.pop("rhs_dilation")
    return options


def _haiku(draw: st.DrawFn, steps: Steps) -> Options:
    # Its layer has no dilation.
    return {"stride": steps.stride, "padding": draw(st.sampled_from(("VALID", "SAME")))}


def _keras(draw: st.DrawFn, steps: Steps) -> Options:
    dilation = steps.dilation
    if max(steps.stride) > 1:
        dilation = (1,) * len(dilation)  # one of the two only
    padding = draw(st.sampled_from(("valid", "same")))
    return {"strides": steps.stride, "padding": padding, "dilation_rate": dilation}


def _tensorflow(draw: st.DrawFn, steps: Steps) -> Options:
    """Draw a size that the convolution maps back, for either word or for both ends."""
    words = ("VALID", "SAME") + ("EXPLICIT",) * (len(steps.full) == 2)
    padding: Any = draw(st.sampled_from(words))
    least: Iterable[int] = steps.full
    if padding == "SAME":
        least = (f - k + 1 for f, k in zip(steps.full, steps.span, strict=True))
    elif padding == "EXPLICIT":
        pairs = _pairs(draw, steps.full)
        padding = ((0, 0), *pairs, (0, 0))
        least = (f - lo - hi for f, (lo, hi) in zip(steps.full, pairs, strict=True))
    extra = _up_to(draw, (s - 1 for s in steps.stride))
    return {
        "output_shape": (None, *map(sum, zip(least, extra, strict=True)), None),
        "strides": steps.stride,
        "padding": padding,
        "dilations": steps.dilation,
    }


def _tinygrad(draw: st.DrawFn, steps: Steps) -> Options:
    pairs = _pairs(draw, steps.full)
    return {
        "stride": steps.stride,
        "dilation": steps.dilation,
        # Like torch's `pad`: the last axis first.
        "padding": tuple(amount for pair in pairs[::-1] for amount in pair),
        "output_padding": _up_to(draw, [3] * len(pairs)),
    }


def _mlx(draw: st.DrawFn, steps: Steps) -> Options:
    # With a stride it is wrong where the padding exceeds the kernel.
    limits = (
        min((cells - 1) // 2, span - 1 if s > 1 else cells)
        for cells, span, s in zip(steps.full, steps.span, steps.stride, strict=True)
    )
    return {
        "stride": steps.stride,
        "padding": _up_to(draw, limits),
        "dilation": steps.dilation,
        "output_padding": _up_to(draw, [3] * len(steps.full)),
    }


FRAMEWORKS: dict[str, Callable[..., Options]] = {
    "torch": _torch,
    "jax": _jax,
    "flax": _flax,
    "haiku": _haiku,
    "equinox": _equinox,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "onnx": _onnx,
    "tinygrad": _tinygrad,
    "mlx": _mlx,
}
