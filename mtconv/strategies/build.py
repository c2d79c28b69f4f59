"""The strategies: whole problems with arrays, and their specs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import PADDING_MODES
from mtconv.spec import ConvSpec
from mtconv.strategies.geometry import OPTIONS, PADDINGS, Limits, geometry
from mtconv.testing.case import Case
from mtconv.testing.memory import MEMORY, laid_out
from mtconv.testing.values import largest_value
from mtconv.testing.words import check_dtypes, check_numbers, check_words

__all__ = ["problems", "specs"]

KINDS = ("bare", "unbatched", "batched")
_SPACE = {1: "L", 2: "HW", 3: "DHW"}


def problems(
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
    wide: bool = False,
    memory: Sequence[str] = ("contiguous",),
) -> st.SearchStrategy[Case]:
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
    wide : bool
        Larger kernels (to 7), strides, sizes (to 40 on one axis) and numbers of groups
        (to 6), and often the layers that networks have, such as 4x4 with stride 2. Arrays
        of int8, uint8, float16 and bfloat16 then hold numbers so small that no sum is
        rounded or wraps.
    memory : sequence of str
        How the arrays lie in memory: "contiguous", "fortran", "strided" (every other
        element of larger arrays), "sliced" (their middle), "permuted" (the last axis first
        in memory), "read-only", "reversed", "big-endian" and "unaligned".

    Returns
    -------
    strategy of Case
        Draws a call and its arrays.

    Raises
    ------
    GeometryError
        If a word or number is not known, with a list of those that are, or if a
        collection is empty.

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
    name = "problems"
    words = Words(
        check_numbers(name, "ranks", ranks, range(1, 4)),
        check_words(name, "kinds", kinds, KINDS),
        check_words(name, "options", options, OPTIONS, may_be_empty=True),
        check_words(name, "paddings", paddings, PADDINGS),
        check_words(name, "padding_modes", padding_modes, PADDING_MODES),
        check_dtypes(name, dtypes),
        check_numbers(name, "batches", batches, range(10**6)),
        check_words(name, "memory", memory, MEMORY),
    )
    if set(words.kinds) == {"bare"} and not layouts:  # three axes need one
        words = words._replace(ranks=tuple(rank for rank in words.ranks if rank < 3))
    if not words.ranks:
        rule = "must not be 'bare' alone for three axes, which need a layout"
        fix = "Pass layouts=True."
        raise GeometryError(message(name, "kinds", rule, shown(kinds), fix=fix))
    switches = Switches(layouts, integer_valued, bias, wide)
    return _problems(words, switches)


class Words(NamedTuple):
    """The collections that `problems` takes, checked."""

    ranks: tuple[int, ...]
    kinds: tuple[str, ...]
    options: tuple[str, ...]
    paddings: tuple[str, ...]
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    batches: tuple[int, ...]
    memory: tuple[str, ...]


class Switches(NamedTuple):
    """What `problems` takes that is true or false."""

    layouts: bool
    integer_valued: bool
    bias: bool
    wide: bool


@st.composite
def _problems(draw: st.DrawFn, words: Words, switches: Switches) -> Case:
    rank = draw(st.sampled_from(words.ranks))
    layouts = switches.layouts
    limits = Limits(words.options, words.paddings, words.modes, layouts, switches.wide)
    bare = rank < 3 or layouts
    kind = draw(st.sampled_from([k for k in words.kinds if k != "bare" or bare]))
    lines, chosen = geometry(draw, rank, limits)
    groups, small_share, big_share = _channels(draw, kind, words, switches)
    if groups > 1:
        chosen["groups"] = groups
    lead = () if kind != "batched" else (draw(st.sampled_from(words.batches)),)
    dtype = draw(st.sampled_from(words.dtypes))
    terms = small_share * prod(line.kernel for line in lines)
    most = largest_value(dtype, terms) if switches.wide else 4
    make = _arrays(draw, dtype, switches.integer_valued, most)
    sides = (groups * small_share, groups * big_share, big_share)
    small, big, share = ((),) * 3 if kind == "bare" else ((side,) for side in sides)
    x = make((*lead, *small, *(line.small for line in lines)), 7)
    kernel = make((*small, *share, *(line.kernel for line in lines)), 5)
    y = make((*lead, *big, *(line.big for line in lines)), 6)
    shift = make(big, 4) if switches.bias and big and draw(st.booleans()) else None
    if layouts and ((rank == 3 and kind == "bare") or draw(st.booleans())):
        x, kernel, y = _lay_out(draw, rank, kind, (x, kernel, y), chosen)
    memory = draw(st.sampled_from(words.memory))
    if memory != "contiguous":
        x, kernel, y = (laid_out(array, memory) for array in (x, kernel, y))
        shift = shift if shift is None else laid_out(shift, memory)
    return Case(x, kernel, y, shift, chosen)


def _channels(
    draw: st.DrawFn, kind: str, words: Words, switches: Switches
) -> tuple[int, int, int]:
    """Draw the number of groups, and the channels of one on both sides."""
    groups = small_share = big_share = 1
    if kind != "bare":
        if "groups" in words.options:
            groups = draw(st.integers(1, 6 if switches.wide else 3))
        small_share, big_share = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return groups, small_share, big_share


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


def _arrays(draw: st.DrawFn, dtype: str, integer_valued: bool, most: int) -> Any:
    """Return ``make(shape, period)``; seed 0 counts from 1 up to the period, cyclically.

    Integers are at most ``most``; where that is less than 4, seed 0 is a seed too.

    Different periods keep the arrays of a case apart, and none is symmetric.
    """
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    low = 0 if kind == "u" else -most

    def make(shape: tuple[int, ...], period: int) -> NDArray[Any]:
        values: NDArray[Any]
        if not integer_valued:
            values = rng.standard_normal(shape)
            if kind == "c":
                values = values + 1j * rng.standard_normal(shape)
        elif seed or most < 4:
            values = rng.integers(low, most + 1, shape)
            if kind == "c":
                values = values + 1j * rng.integers(low, most + 1, shape)
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
