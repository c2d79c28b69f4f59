"""The strategies: whole problems with arrays, and their specs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtconv.spec import ConvSpec
from mtconv.strategies.geometry import OPTIONS, PADDINGS, Limits, geometry
from mtconv.testing.case import Case

__all__ = ["problems", "specs"]

KINDS = ("bare", "unbatched", "batched")
_SPACE = {1: "L", 2: "HW", 3: "DHW"}


@st.composite
def problems(
    draw: st.DrawFn,
    *,
    ranks: Sequence[int] = (1, 2, 3),
    kinds: Sequence[str] = KINDS,
    options: Collection[str] = OPTIONS,
    paddings: Collection[str] = PADDINGS,
    padding_modes: Sequence[str] = ("zeros",),
    layouts: bool = False,
    dtypes: Sequence[str] = ("int64",),
    integer_valued: bool = True,
    bias: bool = True,
    batches: Sequence[int] = (1, 2, 0),
) -> Case:
    """Draw a case: arrays and options of one problem, valid for all three maps.

    Parameters
    ----------
    ranks : sequence of int
        Numbers of spatial axes, from 1 to 3.
    kinds : sequence of str
        "bare" (space only; never of three axes unless `layouts`), "unbatched"
        (C, *space) and "batched" (N, C, *space).
    options : collection of str
        Options that may differ from their defaults, of "stride", "padding",
        "output_padding", "output_size", "dilation" and "groups".
    paddings : collection of str
        Which paddings: "ints" (the same at both ends of an axis), "pairs", "negative"
        (either of them below zero), and the words "valid", "same" and "same_lower".
    padding_modes : sequence of str
        Values of `padding_mode`.
    layouts : bool
        Whether to draw `layout` and `kernel_layout` strings too.
    dtypes : sequence of str
        Names of NumPy dtypes; all arrays of a case have the same.
    integer_valued : bool
        Small integers of no symmetry in any dtype, so that results are exact; otherwise
        normally distributed numbers.
    bias : bool
        Whether some cases have a bias.
    batches : sequence of int
        Batch sizes.

    Returns
    -------
    strategy of Case
        Draws a call and its arrays.

    Notes
    -----
    Shrinks towards the first entry of every sequence, one channel, one group, sizes of 1,
    default options written as plain integers, and arrays that count 1, 2, 3, ... from the
    start. What Hypothesis prints at the end is therefore the call to look at.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(problems(), lambda case: case.spec.axes[0].stride == 2)
    conv_transpose(x=[1], kernel=[1], stride=2)
    """
    rank = draw(st.sampled_from(ranks))
    limits = Limits(options, paddings, padding_modes, layouts)
    allowed = [k for k in kinds if k != "bare" or rank < 3 or layouts]
    kind = draw(st.sampled_from(allowed))
    lines, chosen = geometry(draw, rank, limits)
    groups = 1
    small_share = big_share = 1
    if kind != "bare":
        if "groups" in options:
            groups = draw(st.integers(1, 3))
        small_share, big_share = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    if groups > 1:
        chosen["groups"] = groups
    lead = () if kind != "batched" else (draw(st.sampled_from(batches)),)
    small = () if kind == "bare" else (groups * small_share,)
    big = () if kind == "bare" else (groups * big_share,)
    taps = () if kind == "bare" else (groups * small_share, big_share)
    make = _arrays(draw, draw(st.sampled_from(dtypes)), integer_valued)
    x = make((*lead, *small, *(line.small for line in lines)), 7)
    kernel = make((*taps, *(line.kernel for line in lines)), 5)
    y = make((*lead, *big, *(line.big for line in lines)), 6)
    shift = make(big, 4) if bias and big and draw(st.booleans()) else None
    if layouts and ((rank == 3 and kind == "bare") or draw(st.booleans())):
        x, kernel, y = _lay_out(draw, rank, kind, (x, kernel, y), chosen)
    return Case(x, kernel, y, shift, chosen)


def specs(**limits: Any) -> st.SearchStrategy[ConvSpec]:
    """Draw a geometry.

    Parameters
    ----------
    **limits
        As in `problems`.

    Returns
    -------
    strategy of ConvSpec
        Draws a geometry.

    Notes
    -----
    Shrinks as `problems` does: one axis, ``n = N = k = 1``, stride and dilation 1.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(specs(), lambda spec: spec.axes[0].stride > 1).axes
    (Axis(small=1, big=1, kernel=1, stride=2, dilation=1, lo=0),)
    """
    return problems(**limits).map(lambda case: case.spec)


def _arrays(draw: st.DrawFn, dtype: str, integer_valued: bool) -> Any:
    """Return ``make(shape, period)``; seed 0 counts from 1 up to the period, cyclically.

    Different periods keep the arrays of a case apart, and none is symmetric.
    """
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    low = 0 if kind == "u" else -4

    def make(shape: tuple[int, ...], period: int) -> NDArray[Any]:
        values: NDArray[Any]
        if not integer_valued:
            values = rng.standard_normal(shape)
            if kind == "c":
                values = values + 1j * rng.standard_normal(shape)
        elif seed:
            values = rng.integers(low, 5, shape)
            if kind == "c":
                values = values + 1j * rng.integers(low, 5, shape)
        else:
            values = 1 + np.arange(np.prod(shape, dtype=int)).reshape(shape) % period
        return values.astype(dtype)

    return make


def _lay_out(
    draw: st.DrawFn,
    rank: int,
    kind: str,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    chosen: dict[str, Any],
) -> list[NDArray[Any]]:
    """Permute the axes of x, kernel and y, and write the layouts that say so."""
    lead = {"batched": "NC", "unbatched": "C", "bare": ""}[kind]
    data = lead + _SPACE[rank]
    taps = ("IO" if lead else "") + _SPACE[rank]
    # Options go by the data layout's order of spatial letters, so that order stays.
    spots = draw(st.permutations(range(len(data))))
    space = iter(_SPACE[rank])
    layout = "".join(next(space) if s >= len(lead) else lead[s] for s in spots)
    kernel_layout = "".join(draw(st.permutations(taps)))
    chosen["layout"], chosen["kernel_layout"] = layout, kernel_layout
    x, kernel, y = arrays
    order = tuple(data.index(letter) for letter in layout)
    kernel_order = tuple(taps.index(letter) for letter in kernel_layout)
    return [x.transpose(order), kernel.transpose(kernel_order), y.transpose(order)]
