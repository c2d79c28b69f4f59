"""Metamorphic relations: what holds between results of any right transposed convolution.

A fuzzer needs no reference for them: both sides of each relation are made of calls of the
function under test, and on whole numbers they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.errors import GeometryError, message, shown
from mtconv.testing.related import Drawn, draw

__all__ = ["RELATIONS", "Relation", "assert_relations"]

Array = NDArray[Any]
Function = Callable[..., Any]
Sides = list[tuple[Any, Any]]


@dataclass(frozen=True)
class Relation:
    """A statement about results, and both of its sides for a problem.

    Parameters
    ----------
    name : str
        Its name.
    statement : str
        What is equal to what.
    sides : callable
        Called as ``sides(problem, conv_transpose, conv)`` with a drawn problem; returns
        pairs of arrays that are equal where the functions are right.
    needs_conv : bool
        Whether it is about the convolution too.

    Examples
    --------
    >>> RELATIONS["shift"].statement
    'A zero before the input puts `stride` zeros before the uncropped result.'
    """

    name: str
    statement: str
    sides: Callable[[Drawn, Function, Function | None], Sides]
    needs_conv: bool = False


def _shift(p: Drawn, up: Function, _: Function | None) -> Sides:
    result = []
    whole = up(p.x, p.kernel, **p.steps)
    for axis in p.space:
        moved = up(p.extended(p.x, axis, 1, 0), p.kernel, **p.steps)
        result.append((moved, p.extended(whole, axis, p.stride[axis - 2], 0)))
    return result


def _linearity(p: Drawn, up: Function, _: Function | None) -> Sides:
    other, kernel = p.another(p.x), p.another(p.kernel)
    first = up(p.x, p.kernel, **p.options)
    by_x = up(2 * p.x - 3 * other, p.kernel, **p.options)
    by_kernel = up(p.x, 2 * p.kernel - 3 * kernel, **p.options)
    return [
        (by_x, 2 * first - 3 * up(other, p.kernel, **p.options)),
        (by_kernel, 2 * first - 3 * up(p.x, kernel, **p.options)),
    ]


def _channel_permutation(p: Drawn, up: Function, _: Function | None) -> Sides:
    x, kernel = p.first_group()
    options = {**p.options, "groups": 1}
    whole = up(x, kernel, **options)
    order, across = p.permutation(x.shape[1]), p.permutation(kernel.shape[1])
    return [
        (up(x[:, order], kernel[order], **options), whole),
        (up(x, kernel[:, across], **options), whole[:, across]),
    ]


def _group_split(p: Drawn, up: Function, _: Function | None) -> Sides:
    options = {**p.options, "groups": 1}
    xs, kernels = np.split(p.x, p.groups, 1), np.split(p.kernel, p.groups, 0)
    parts = [up(x, w, **options) for x, w in zip(xs, kernels, strict=True)]
    return [(up(p.x, p.kernel, **p.options), np.concatenate(parts, 1))]


def _stride_composition(p: Drawn, up: Function, _: Function | None) -> Sides:
    x, first = p.first_group()
    second, steps = p.second_kernel(first.shape[1])
    joint = up(first, second, **p.plain(steps))
    both = tuple(s * t for s, t in zip(p.stride, steps, strict=True))
    inner = up(x, first, **p.plain(p.stride))
    return [(up(inner, second, **p.plain(steps)), up(x, joint, **p.plain(both)))]


def _crop_and_extend(p: Drawn, up: Function, _: Function | None) -> Sides:
    whole = up(p.x, p.kernel, **p.steps)
    return [(up(p.x, p.kernel, **p.options), p.cropped(whole))]


def _insertion(p: Drawn, up: Function, _: Function | None) -> Sides:
    ones = (1,) * len(p.stride)
    result = up(p.x, p.kernel, **p.steps)
    wide_x = p.widened(p.x, p.stride)
    wide_kernel = p.widened(p.kernel, p.dilation)
    return [
        (result, up(wide_x, p.kernel, **{**p.steps, "stride": ones})),
        (result, up(p.x, wide_kernel, **{**p.steps, "dilation": ones})),
    ]


def _reversal(p: Drawn, up: Function, _: Function | None) -> Sides:
    result = up(p.x, p.kernel, **p.steps)
    space = tuple(p.space)
    turned = up(np.flip(p.x, space).copy(), np.flip(p.kernel, space).copy(), **p.steps)
    return [(turned, np.flip(result, space))]


def _exchange(p: Drawn, up: Function, _: Function | None) -> Sides:
    x, kernel = p.x[:1, :1], p.kernel[:1, :1]
    options = p.plain((1,) * len(p.stride))
    return [(up(x, kernel, **options), up(kernel, x, **options))]


def _batch(p: Drawn, up: Function, _: Function | None) -> Sides:
    parts = [up(x[None], p.kernel, **p.options) for x in p.x]
    return [(up(p.x, p.kernel, **p.options), np.concatenate(parts))]


def _adjointness(p: Drawn, up: Function, down: Function | None) -> Sides:
    assert down is not None
    result = np.asarray(up(p.x, p.kernel, **p.options))
    y = p.another(result)
    options = {k: v for k, v in p.options.items() if k != "output_padding"}
    back = np.asarray(down(y, p.kernel, **options))
    return [(np.vdot(result, y), np.vdot(p.x, back))]


_LISTED = (
    ("shift", "A zero before the input puts `stride` zeros before the uncropped result."),
    ("linearity", "Sums and multiples of inputs, or of kernels, give those of results."),
    (
        "channel permutation",
        "Input channels permuted in input and kernel leave the result; output channels "
        "permuted in the kernel are permuted in the result.",
    ),
    ("group split", "Groups give, side by side, what each gives alone."),
    (
        "stride composition",
        "Two transposed convolutions in a row are one, whose stride is the product and "
        "whose kernel is the second applied to the first.",
    ),
    (
        "crop and extend",
        "Padding crops the uncropped result at the ends named, and output padding extends "
        "it by zeros, or crops less, at the high end.",
    ),
    (
        "insertion",
        "A stride is zeros between the elements of the input, a dilation zeros between "
        "those of the kernel.",
    ),
    ("reversal", "Input and kernel reversed give the uncropped result reversed."),
    ("exchange", "With one channel and stride 1, input and kernel may change places."),
    ("batch", "Each sample of a batch gives the result that it gives alone."),
    (
        "adjointness",
        "The inner product of result and y is that of the input and the convolution of y.",
    ),
)
_SIDES = {
    "shift": _shift,
    "linearity": _linearity,
    "channel permutation": _channel_permutation,
    "group split": _group_split,
    "stride composition": _stride_composition,
    "crop and extend": _crop_and_extend,
    "insertion": _insertion,
    "reversal": _reversal,
    "exchange": _exchange,
    "batch": _batch,
    "adjointness": _adjointness,
}

RELATIONS = {
    name: Relation(name, statement, _SIDES[name], name == "adjointness")
    for name, statement in _LISTED
}


def assert_relations(
    conv_transpose: Callable[..., Any],
    conv: Callable[..., Any] | None = None,
    *,
    names: Collection[str] | None = None,
    rounds: int = 25,
    seed: int = 0,
) -> tuple[str, ...]:
    """Assert that a transposed convolution keeps the metamorphic relations.

    Parameters
    ----------
    conv_transpose : callable
        Called as ``conv_transpose(x, kernel, stride=, padding=, output_padding=,
        dilation=, groups=)`` with float64 arrays of NumPy of one to three
        spatial axes: x of shape ``(N, C_in, *n)``, and a kernel of shape
        ``(C_in, C_out / groups, *k)``. Options are tuples with an integer for each axis,
        padding with a pair.
    conv : callable, optional
        The convolution, with the same kernels and options, but for output_padding. The
        relation "adjointness" needs it.
    names : collection of str, optional
        Names of the relations; all that the functions at hand can be asked for.
    rounds : int
        Number of random problems for each relation.
    seed : int
        Where the random numbers start.

    Returns
    -------
    tuple of str
        Names of the relations that were checked.

    Raises
    ------
    AssertionError
        With the statement, the problem, and the first element in which the sides differ.
    GeometryError
        If a name is not one of a relation.

    Notes
    -----
    No relation sees every defect: a function that ignores its kernel's order in the same
    way everywhere may keep several. `assert_matches_reference` compares with loops.

    Examples
    --------
    >>> import mtconv
    >>> assert_relations(mtconv.conv_transpose, names=["shift", "batch"])
    ('shift', 'batch')
    """
    chosen = _chosen(names, conv is not None)
    for relation in chosen:
        # Each relation has its own problems, whatever others are asked for.
        rng = np.random.default_rng([seed, list(RELATIONS).index(relation.name)])
        for _ in range(rounds):
            problem = draw(rng)
            for left, right in relation.sides(problem, conv_transpose, conv):
                _compare(relation, problem, np.asarray(left), np.asarray(right))
    return tuple(relation.name for relation in chosen)


def _chosen(names: Collection[str] | None, with_conv: bool) -> list[Relation]:
    if names is None:
        return [r for r in RELATIONS.values() if with_conv or not r.needs_conv]
    for name in names:
        relation = RELATIONS.get(name)
        if relation is None or (relation.needs_conv and not with_conv):
            words = ", ".join(map(repr, RELATIONS))
            rule = f"must be among {words}"
            fix = "" if relation is None else "Give `conv` for this one."
            raise GeometryError(
                message("assert_relations", "names", rule, shown(name), fix=fix)
            )
    return [RELATIONS[name] for name in names]


def _compare(relation: Relation, problem: Drawn, left: Array, right: Array) -> None:
    head = f"{relation.name}: {relation.statement} It does not hold for {problem}: "
    if left.shape != right.shape:
        msg = f"{head}shapes {left.shape} and {right.shape}"
        raise AssertionError(msg)
    wrong = np.argwhere(left != right)
    if len(wrong):
        index = tuple(int(number) for number in wrong[0])
        msg = f"{head}{left[index]} and {right[index]} at {index}"
        raise AssertionError(msg)
