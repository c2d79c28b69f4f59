"""Options in the names of other frameworks, legal for a call with given sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.arguments import Geometry
from mtconv.conventions.framework import Framework
from mtconv.geometry import Axis

__all__ = ["options_for"]

Options = dict[str, Any]
Ints = tuple[int, ...]


def options_for(
    framework: str, *, size: Sequence[int], kernel_size: Sequence[int]
) -> st.SearchStrategy[Options]:
    """Draw the options of a framework's transposed convolution.

    Parameters
    ----------
    framework : str
        A name in `mtconv.compat.convert`: "torch", "jax", "flax", ...
    size, kernel_size : sequence of int
        Spatial sizes of the input and of the kernel, which say how much may be cropped.

    Returns
    -------
    strategy of dict
        Keyword options of that framework's call, without groups and layouts: strides,
        dilations, paddings and output paddings as it writes them, such that at least one
        element is left. TensorFlow's ``output_shape`` has None for batch and channels;
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
    if framework not in FRAMEWORKS:
        msg = f"framework must be one of {', '.join(FRAMEWORKS)}; got {framework!r}"
        raise ValueError(msg)
    return _drawn(framework, tuple(size), tuple(kernel_size))


class DrawnSteps(NamedTuple):
    """What is drawn for every framework, axis by axis, and what follows from it."""

    size: Ints
    stride: Ints
    dilation: Ints
    span: Ints  # of the dilated kernel
    full: Ints  # size of the result before anything is cropped


@st.composite
def _drawn(draw: st.DrawFn, framework: str, size: Ints, kernel_size: Ints) -> Options:
    row = FRAMEWORKS[framework]
    stride, dilation = (
        tuple(draw(st.integers(1, 3)) if name else 1 for _ in size)
        for name in (row.stride, row.dilation)
    )
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True))
    full = tuple(s * (n - 1) + k for s, n, k in zip(stride, size, span, strict=True))
    steps = DrawnSteps(size, stride, dilation, span, full)
    rules = draw(st.sampled_from(row.file.DRAWS))
    if not rules:
        return _written(draw, row, steps)
    options = {
        name: draw(st.sampled_from(rule))
        if isinstance(rule, tuple)
        else _RULES[rule](draw, steps)
        for name, rule in rules.items()
    }
    return options | dict(row.fixed)


def _written(draw: st.DrawFn, row: Framework, steps: DrawnSteps) -> Options:
    """Write random crops, or none where the framework cannot say them."""
    taps = ((k - 1) // d + 1 for k, d in zip(steps.span, steps.dilation, strict=True))
    crops = _pairs(draw, steps)
    shapes = list(
        zip(steps.size, taps, steps.stride, steps.dilation, steps.full, strict=True)
    )
    for pairs in (crops, [(0, 0)] * len(crops)):
        axes = tuple(
            Axis(n, full - lo - hi, k, s, d, lo)
            for (n, k, s, d, full), (lo, hi) in zip(shapes, pairs, strict=True)
        )
        options = row.options_for(Geometry(axes), sized=True)
        if options is not None:
            return {k: v for k, v in options.items() if k != row.groups}
    msg = f"{row.name} cannot say a transposed convolution without paddings"
    raise ValueError(msg)


def _up_to(draw: st.DrawFn, most: Iterable[int]) -> Ints:
    return tuple(draw(st.integers(0, limit)) for limit in most)


def _pairs(draw: st.DrawFn, steps: DrawnSteps) -> tuple[tuple[int, int], ...]:
    """Draw what is cropped at both ends of each axis; one element stays."""
    pairs = []
    for size in steps.full:
        lo = draw(st.integers(0, size - 1))
        pairs.append((lo, draw(st.integers(0, size - 1 - lo))))
    return tuple(pairs)


def _pads(draw: st.DrawFn, steps: DrawnSteps) -> list[int]:
    """Draw all low ends, then all high ends."""
    lows, highs = zip(*_pairs(draw, steps), strict=True)
    return [*lows, *highs]


def _pairs_from_the_last(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    return tuple(amount for pair in _pairs(draw, steps)[::-1] for amount in pair)


def _crop(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    return _up_to(draw, ((size - 1) // 2 for size in steps.full))


def _crop_within_kernel(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    """Draw crops that with a stride are less than the kernel."""
    limits = (
        min((size - 1) // 2, span - 1 if s > 1 else size)
        for size, span, s in zip(steps.full, steps.span, steps.stride, strict=True)
    )
    return _up_to(draw, limits)


def _dilation_at_unit_strides(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    del draw
    return steps.dilation if max(steps.stride) == 1 else (1,) * len(steps.stride)


def _below_stride(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    return _up_to(draw, (s - 1 for s in steps.stride))


def _below_either(draw: st.DrawFn, steps: DrawnSteps) -> Ints:
    return _up_to(draw, (step - 1 for step in map(max, steps.stride, steps.dilation)))


def _output_shape(draw: st.DrawFn, steps: DrawnSteps, crops: Iterable[int]) -> Any:
    """Draw sizes that the convolution maps back, with room for batch and channels."""
    extra = _below_stride(draw, steps)
    sizes = zip(steps.full, crops, extra, strict=True)
    return (None, *(full - crop + q for full, crop, q in sizes), None)


# What the rules of a framework's `DRAWS` mean.
_RULES: dict[str, Callable[[st.DrawFn, DrawnSteps], Any]] = {
    "stride": lambda _, steps: steps.stride,
    "dilation": lambda _, steps: steps.dilation,
    "dilation at unit strides": _dilation_at_unit_strides,
    "crop": _crop,
    "crop within kernel": _crop_within_kernel,
    "pairs": _pairs,
    "pairs from the last": _pairs_from_the_last,
    "flat pairs": lambda draw, steps: [p for pair in _pairs(draw, steps) for p in pair],
    "pads": _pads,
    "extra": lambda draw, steps: _up_to(draw, [3] * len(steps.full)),
    "below stride": _below_stride,
    "below either": _below_either,
    "shape of VALID": lambda draw, steps: _output_shape(draw, steps, [0] * len(steps.full)),
    "shape of SAME": lambda draw, steps: _output_shape(
        draw, steps, [k - 1 for k in steps.span]
    ),
    "first size": lambda _, steps: steps.size[0],
    "last size": lambda _, steps: steps.size[-1],
}
