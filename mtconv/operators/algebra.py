"""The algebra of operators: what may be combined, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.errors import BackendError, GeometryError, message
from mtconv.operators.combination import Combination, fits, settled
from mtconv.operators.combined import Product, Scaled, Sum
from mtconv.operators.linear import LinearMap
from mtconv.operators.stacks import HStack, VStack

__all__ = ["add", "hstack", "product", "scale", "subtract", "vstack"]


def add(first: LinearMap, second: Any) -> Any:
    """Return the sum of two operators."""
    if not isinstance(second, LinearMap):
        return NotImplemented
    return _sum("A + B", first, second, second)


def subtract(first: LinearMap, second: Any) -> Any:
    """Return the difference of two operators."""
    if not isinstance(second, LinearMap):
        return NotImplemented
    return _sum("A - B", first, second, scale("-A", second, -1))


def _sum(function: str, first: LinearMap, second: LinearMap, term: LinearMap) -> Sum:
    for side in ("input_shape", "output_shape"):
        wanted, got = getattr(first, side), getattr(second, side)
        if not fits(wanted, got):
            fixed = fits(first.output_shape, second.input_shape)
            fixed = fixed and fits(first.input_shape, second.output_shape)
            rule = f"must have the {side} {wanted} of `A`"
            fix = "B.T has it." if fixed else "Only operators of equal shapes can be added."
            raise GeometryError(message(function, "B", rule, got, fix=fix))
    settled(function, {"A": first, "B": second})
    terms = (*_members(Sum, first), *_members(Sum, term))
    return Sum._make(terms)


def product(outer: LinearMap, inner: LinearMap) -> Product:
    """Return the operator that applies ``inner`` first and ``outer`` to its result."""
    if not fits(outer.input_shape, inner.output_shape):
        rule = f"must give what `A` takes, arrays of shape {outer.input_shape}"
        got = f"output_shape {inner.output_shape}"
        fix = "B.T does." if fits(outer.input_shape, inner.input_shape) else ""
        if not fix and fits(outer.output_shape, inner.output_shape):
            fix = "A.T takes what B gives."
        fix = fix or "Make one of them with another input_size."
        raise GeometryError(message("A @ B", "B", rule, got, fix=fix))
    settled("A @ B", {"A": outer, "B": inner})
    return Product._make((*_members(Product, outer), *_members(Product, inner)))


def scale(function: str, operator: LinearMap, factor: Any, *, divides: bool = False) -> Any:
    """Return a multiple of an operator; the factor is a number or an array of no axes."""
    if isinstance(factor, np.ndarray) and factor.ndim == 0:
        factor = factor[()]
    shape = getattr(factor, "shape", ())
    is_array = hasattr(factor, "dtype") and not isinstance(factor, np.generic)
    if is_array and len(shape):
        rule = "must be a number"
        got, fix = f"an array of shape {tuple(shape)}", "Apply operators by @ or a call."
        raise GeometryError(message(function, "c", rule, got, fix=fix))
    number = isinstance(factor, (Number, np.number)) and not isinstance(factor, bool)
    if not is_array and not number:
        return NotImplemented
    members = {"A": operator, "c": factor} if is_array else {"A": operator}
    backend, like = settled(function, members)
    if isinstance(factor, np.generic) and not isinstance(like, np.ndarray):
        factor = factor.item()
    parts = (factor, None) if is_array else (None, factor)
    scaled = Scaled._make((operator,), *parts, divides)
    try:
        assert scaled._empty is not None
    except OverflowError as error:
        rule = f"must be a number that {operator.dtype} holds"
        fix = "Make the operator with a kernel of a wider dtype, or of floating numbers."
        raise BackendError(message(function, "c", rule, repr(factor), fix=fix)) from error
    except TypeError as error:  # libraries that do not promote integers
        engine = backend_for(function, backend, kernel=like)
        rule = f"must be of a kind that {engine.NAME} arrays of {operator.dtype} multiply"
        fix = "Make the operator with a floating kernel."
        raise BackendError(message(function, "c", rule, repr(factor), fix=fix)) from error
    return scaled


def _members(kind: type[Combination], operator: LinearMap) -> tuple[LinearMap, ...]:
    """List the members of a combination of this kind; others are their only member."""
    return operator.operators if type(operator) is kind else (operator,)


def vstack(operators: Sequence[Any]) -> Any:
    """Stack operators on top of one another: one input, and all their results.

    Parameters
    ----------
    operators : sequence of operators
        With equal input shapes, but for axes of length 1.

    Returns
    -------
    operator
        Takes arrays of the `input_shape` of the first one. Its results are flat vectors:
        those of the operators, raveled, one after the other: `numpy.concatenate` makes
        one of raveled data. ``split(y)`` cuts such a vector into arrays of their output
        shapes. Its transpose is an `hstack`.

    Raises
    ------
    GeometryError
        If the shapes do not fit, or there is no operator.
    BackendError
        If the operators have different backends.

    Examples
    --------
    >>> import mtconv
    >>> A = mtconv.Conv([1, 10], input_size=3)
    >>> B = mtconv.Conv([1, 1, 1], input_size=3)
    >>> stack = vstack([A, B])
    >>> stack([1, 2, 3])
    array([21, 32,  6])
    >>> [part.tolist() for part in stack.split(stack([1, 2, 3]))]
    [[21, 32], [6]]
    """
    return VStack._make(_stacked("vstack", "input_shape", operators))


def hstack(operators: Sequence[Any]) -> Any:
    """Put operators beside one another: the sum of their results, each of its own input.

    Parameters
    ----------
    operators : sequence of operators
        With equal output shapes, but for axes of length 1.

    Returns
    -------
    operator
        Takes flat vectors: the inputs of the operators, raveled, one after the other;
        ``split(x)`` cuts such a vector into arrays of their input shapes. Its results
        have the `output_shape` of the first one. Its transpose is a `vstack`.

    Raises
    ------
    GeometryError
        If the shapes do not fit, or there is no operator.
    BackendError
        If the operators have different backends.

    Examples
    --------
    >>> import mtconv
    >>> A = mtconv.ConvTranspose([1, 10], input_size=2)
    >>> B = mtconv.ConvTranspose([1, 1, 1], input_size=1)
    >>> hstack([A, B])([1, 2, 5])
    array([ 6, 17, 25])
    """
    return HStack._make(_stacked("hstack", "output_shape", operators))


def _stacked(function: str, side: str, operators: Any) -> tuple[LinearMap, ...]:
    """Check the operators of a stack."""
    if isinstance(operators, LinearMap) or not isinstance(operators, Sequence):
        got = f"a value of type {type(operators).__name__}"
        fix = f"Write {function}([A, B])."
        raise GeometryError(
            message(function, "operators", "must be a list of operators", got, fix=fix)
        )
    if not operators:
        rule = "must have at least one operator"
        raise GeometryError(message(function, "operators", rule, "an empty list"))
    wanted = None
    for number, operator in enumerate(operators):
        name = f"operators[{number}]"
        if not isinstance(operator, LinearMap):
            got = f"a value of type {type(operator).__name__}"
            fix = "Make one with mtconv.Conv or mtconv.ConvTranspose."
            raise GeometryError(
                message(function, name, "must be an operator of mtconv", got, fix=fix)
            )
        got_shape = getattr(operator, side)
        wanted = got_shape if wanted is None else wanted
        if not fits(wanted, got_shape):
            rule = f"must have the {side} {wanted} of the first operator"
            other = "input_shape" if side == "output_shape" else "output_shape"
            fix = f"operators[{number}].T has it." * fits(wanted, getattr(operator, other))
            raise GeometryError(message(function, name, rule, got_shape, fix=fix))
    members = tuple(operators)
    settled(function, {f"operators[{n}]": member for n, member in enumerate(members)})
    return members
