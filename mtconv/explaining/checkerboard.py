"""How many products each element of a result is the sum of, and what that means.

Cells that are met more often than their neighbours come out brighter whatever the input
is: the checkerboard artefacts of upsampling networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd, prod
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mtconv import geometry
from mtconv.errors import GeometryError, message
from mtconv.folds import fold_index
from mtconv.geometry import Axis
from mtconv.planning.plan import MAX_ELEMENTS
from mtconv.problem.shapes import named_spec
from mtconv.spec import ConvSpec

__all__ = ["overlap_advice", "overlap_count", "overlap_of"]


def overlap_count(
    x_shape: Sequence[SupportsIndex],
    kernel_shape: Sequence[SupportsIndex],
    **options: Any,
) -> NDArray[np.int64]:
    """Count the products that are added up in each element of a transposed convolution.

    It is the transposed convolution of an input of ones by a kernel of ones, for one
    pair of channels: where it is not constant away from the borders, the result shows a
    regular pattern (checkerboard artefacts) unless the kernel's values make up for it.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the input and of the kernel, in their layouts.
    **options
        The geometric options of `mtconv.conv_transpose`.

    Returns
    -------
    ndarray of int64, shape (*size,)
        One count per spatial element of the result.

    Raises
    ------
    GeometryError
        Where `mtconv.conv_transpose` would raise it.

    See Also
    --------
    mtconv.drawing.draw_overlap : the same as a picture, with advice.

    Notes
    -----
    Costs one product per axis and element: the counts of the axes are multiplied.

    References
    ----------
    .. [1] A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard
       artifacts", Distill, 2016.

    Examples
    --------
    Two taps per element everywhere but at the ends, and one or two in turn:

    >>> overlap_count((4,), (4,), stride=2)
    array([1, 1, 2, 2, 2, 2, 2, 2, 1, 1])
    >>> overlap_count((4,), (3,), stride=2)
    array([1, 1, 2, 1, 2, 1, 2, 1, 1])
    """
    return overlap_of(named_spec("overlap_count", x_shape, kernel_shape, options))


def overlap_of(spec: ConvSpec) -> NDArray[np.int64]:
    """Count the taps of each big element of a spec."""
    if prod(spec.big) > MAX_ELEMENTS:
        rule = f"must not lead to more than 2**47 = {MAX_ELEMENTS} cells"
        got = f"a result of sizes {spec.big}"
        fix = "Check stride, padding and output_size."
        raise GeometryError(message("overlap_count", "x_shape", rule, got, fix=fix))
    counts = [_along(axis, spec.padding_mode) for axis in spec.axes]
    return reduce(np.multiply.outer, counts)


def overlap_advice(spec: ConvSpec) -> list[str]:
    """Say, axis by axis, whether all phases have as many taps, and what makes them so.

    Examples
    --------
    >>> overlap_advice(ConvSpec.from_shapes((4,), (3,), stride=2))
    ['uneven: phases of 2 and 1 taps; a kernel size that 2 divides is even']
    """
    return [_advice(axis) for axis in spec.axes]


def _advice(axis: Axis) -> str:
    taps = [phase.taps for phase in geometry.live_phases(axis)]
    taps += [0] * geometry.has_holes(axis)
    common = gcd(axis.stride, axis.dilation)
    if common > 1:
        return (
            f"holes: stride {axis.stride} and dilation {axis.dilation} share the factor "
            f"{common}, so whole phases get no tap; choose steps without a common factor"
        )
    if len(set(taps)) == 1:
        return f"even: every phase has {taps[0]} tap{'s' if taps[0] > 1 else ''}"
    if min(taps) == 0:
        return (
            f"holes: {axis.kernel} taps cannot fill {axis.stride} phases; "
            f"choose at least {axis.stride} taps"
        )
    return (
        f"uneven: phases of {max(taps)} and {min(taps)} taps; "
        f"a kernel size that {axis.stride} divides is even"
    )


def _along(axis: Axis, mode: str) -> NDArray[np.int64]:
    """Count the taps of each big element of one axis, folded padding included."""
    relation = axis if mode == "zeros" else geometry.padded_axis(axis)
    counts = np.zeros(relation.big, np.int64)
    for window in geometry.windows(relation):
        stop = window.big_start + axis.stride * (window.cells - 1) + 1
        counts[window.big_start : stop : axis.stride] += 1
    if mode == "zeros":
        return counts
    folded = np.zeros(axis.big, np.int64)
    index = fold_index(axis.big, axis.lo, max(axis.hi, 0), mode)
    np.add.at(folded, list(index), counts)
    return folded
