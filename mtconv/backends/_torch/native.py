"""The three maps by torch's own convolutions, whose padding is one number for each axis.

What those cannot say is cropped, or extended with zeros, before or after them.

Sizes may be symbols. Then nothing is decided by what their values are, since torch would
compile one more program for every answer: more zeros than needed are added, and the
elements that are wanted are cut out.

Arrays are canonical: x (batch, channels, *small), y (batch, channels, *big), w (small
channels, big channels / groups, *k).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.nn import grad

from mtconv.backends._array_api import maps
from mtconv.backends._torch.library import LIBRARY
from mtconv.backends._torch.symbols import is_fixed, is_sure
from mtconv.geometry import Axis, same_size, small_size
from mtconv.sizes import larger, traced
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad", "one_call"]

_CONV = (F.conv1d, F.conv2d, F.conv3d)
_CONV_WEIGHT = (grad.conv1d_weight, grad.conv2d_weight, grad.conv3d_weight)
_CONV_TRANSPOSE = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


class Cut(NamedTuple):
    """Zeros to put around an axis, and the elements to keep then; None for all."""

    before: int = 0
    behind: int = 0
    start: int = 0
    cells: int | None = None


_WHOLE = Cut()


def conv_transpose(
    spec: ConvSpec, x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Crop as torch can, and crop or extend the rest."""
    folded = spec.padding_mode != "zeros"
    axes = (spec.padded if folded else spec).axes
    crop = _symbolic_crop if traced(spec.small, spec.big) else _crop
    padding, extra, cuts = zip(*map(crop, axes), strict=True)
    later = folded or any(cut != _WHOLE for cut in cuts)
    y = _CONV_TRANSPOSE[spec.rank - 1](
        x,
        w,
        None if later else bias,
        [axis.stride for axis in axes],
        padding,
        extra,
        spec.groups,
        [axis.dilation for axis in axes],
    )
    if not later:
        return y
    y = _cut(y, cuts)
    if folded:
        y = maps.fold(LIBRARY, spec, y)
    return y if bias is None else y + bias.reshape(-1, *(1,) * spec.rank)


def conv(
    spec: ConvSpec, y: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Convolve with what padding torch can say, after the rest."""
    y, padding = _padded(spec, y)
    stride = [axis.stride for axis in spec.axes]
    dilation = [axis.dilation for axis in spec.axes]
    function = _CONV[spec.rank - 1]
    return function(y, w, bias, stride, padding, dilation, spec.groups)


def kernel_grad(spec: ConvSpec, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Differentiate such a convolution of y by its kernel."""
    y, padding = _padded(spec, y)
    stride = [axis.stride for axis in spec.axes]
    dilation = [axis.dilation for axis in spec.axes]
    function = _CONV_WEIGHT[spec.rank - 1]
    shape = spec.kernel_shape
    return function(y, shape, x, stride, padding, dilation, spec.groups)


def one_call(
    form: str, spec: ConvSpec
) -> tuple[Callable[..., torch.Tensor], tuple[Any, ...]] | None:
    """Return the function of torch that does a map alone, and what follows its tensors.

    None where elements are cropped, extended or folded before or after it.
    """
    if form == "kernel_grad" or spec.padding_mode != "zeros":
        return None
    stride = tuple(axis.stride for axis in spec.axes)
    dilation = tuple(axis.dilation for axis in spec.axes)
    if form == "conv":
        padding, cuts = zip(*(_pad(axis, "zeros") for axis in spec.axes), strict=True)
        rest: tuple[Any, ...] = (stride, padding, dilation, spec.groups)
        function = _CONV[spec.rank - 1]
    else:
        padding, extra, cuts = zip(*map(_crop, spec.axes), strict=True)
        rest = (stride, padding, extra, spec.groups, dilation)
        function = _CONV_TRANSPOSE[spec.rank - 1]
    return None if any(cut != _WHOLE for cut in cuts) else (function, rest)


def _padded(spec: ConvSpec, y: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Pad y by what torch's symmetric padding cannot say; return that padding too."""
    mode = spec.padding_mode
    pad = _symbolic_pad if traced(spec.small, spec.big) else _pad
    padding, cuts = zip(*(pad(axis, mode) for axis in spec.axes), strict=True)
    if mode != "zeros":
        y = maps.pad(LIBRARY, spec, y, [(cut.before, cut.behind) for cut in cuts])
        cuts = tuple(cut._replace(before=0, behind=0) for cut in cuts)
    return _cut(y, cuts), padding


def _cut(array: torch.Tensor, cuts: Sequence[Cut]) -> torch.Tensor:
    """Extend the spatial axes with zeros, and keep some of the elements.

    Not in one call: torch crops before it extends, and may find nothing to crop.
    """
    if any(cut.before or cut.behind for cut in cuts):
        sides = [side for cut in reversed(cuts) for side in (cut.before, cut.behind)]
        array = F.pad(array, sides)
    if all(cut.cells is None for cut in cuts):
        return array
    kept = (
        slice(None) if cut.cells is None else slice(cut.start, cut.start + cut.cells)
        for cut in cuts
    )
    return array[(..., *kept)]


def _crop(axis: Axis) -> tuple[int, int, Cut]:
    """Say how to crop the result: torch's padding and output_padding, and the rest."""
    lo, hi = axis.lo, axis.hi
    if lo >= 0 and 0 <= lo - hi < max(axis.stride, axis.dilation):
        return lo, lo - hi, _WHOLE
    both = max(0, min(lo, hi))
    cells = axis.big if max(lo, hi) > both else None
    return both, 0, Cut(max(both - lo, 0), max(both - hi, 0), max(lo - both, 0), cells)


def _symbolic_crop(axis: Axis) -> tuple[int, int, Cut]:
    """Do the same for an axis of symbolic sizes."""
    if is_fixed(axis.lo) and is_fixed(axis.hi):
        return _crop(axis)
    most = max(axis.stride, axis.dilation) - 1
    if not is_fixed(axis.lo):  # "same" crops no more at the high end than `most` restores
        return 0, most, Cut(0, 0, axis.lo, axis.big)
    # torch crops the high end by `both - most` at least, which may be more than `hi`.
    both = max(axis.lo, 0) if is_sure(axis.hi >= axis.lo - most) else 0
    before = max(-axis.lo, 0)
    lacking = both - most - axis.hi
    behind = 0 if is_sure(lacking <= 0) else larger(lacking, 0) + 1
    return both, most, Cut(before, behind, axis.lo + before - both, axis.big)


def _pad(axis: Axis, mode: str) -> tuple[int, Cut]:
    """Say how to pad the big side: torch's padding, and the rest."""
    lo, hi = axis.lo, axis.hi
    if mode == "zeros" and lo >= 0 and 0 <= lo - hi < axis.stride:
        return lo, _WHOLE
    cells = axis.full if min(lo, hi) < 0 else None
    return 0, Cut(max(lo, 0), max(hi, 0), max(-lo, 0), cells)


def _symbolic_pad(axis: Axis, mode: str) -> tuple[int, Cut]:
    """Do the same for an axis of symbolic sizes, and for every padding mode."""
    lo, behind = axis.lo, _behind(axis)
    if behind is None and mode != "zeros":
        behind = axis.full - lo - axis.big  # as many as are read
        # Less than none only where a stride beyond the taps leaves elements over.
        return 0, Cut(lo, behind if axis.extent >= axis.stride else larger(behind, 0))
    if behind is None:
        return 0, _symbolic_cut(axis)
    if behind == lo >= 0 and mode == "zeros":
        return lo, _WHOLE
    cells = lo + axis.big + behind if min(lo, behind) < 0 else None
    return 0, Cut(max(lo, 0), max(behind, 0), max(-lo, 0), cells)


def _behind(axis: Axis) -> int | None:
    """Find the padding behind that gives the small side, whatever its size is.

    `hi` is less by what the stride leaves over, which a symbol does not tell.
    """
    if not is_fixed(axis.lo):
        return None
    steps = axis.kernel, axis.stride, axis.dilation, axis.lo
    most = axis.extent + axis.stride
    for away in range(most):
        for behind in (axis.lo + away, axis.lo - away):
            if is_sure(small_size(axis.big, *steps, behind) == axis.small):
                return behind
    return None


def _symbolic_cut(axis: Axis) -> Cut:
    """Put more than enough zeros on both sides, and cut out what is wanted.

    Never just enough: torch asks whether what is cut out is all there is.
    """
    before = max(axis.lo, 0) if is_fixed(axis.lo) else axis.extent
    behind = axis.extent
    cells = axis.full
    if is_sure(axis.small == same_size(axis.big, axis.stride)):
        # torch can find bounds of this form of the same number.
        cells = axis.big - 1 - (axis.big - 1) % axis.stride + axis.extent
    elif axis.hi >= axis.extent:
        behind = axis.hi + 1
    return Cut(before, behind, before - axis.lo, cells)
