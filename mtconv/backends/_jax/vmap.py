"""Batching: an axis of `jax.vmap` becomes batch, channels or groups of one larger call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mtconv.backends._jax.lowering import CallParams, plain
from mtconv.spec import ConvSpec

__all__ = ["fold"]


class _Place(NamedTuple):
    """Which axis takes the new one in, in front of all of it or of every group's part."""

    axis: int
    per_group: bool = False


class _Rule(NamedTuple):
    """Where the new axis goes in both operands and the result, and what grows."""

    first: _Place | None
    second: _Place | None
    result: _Place
    grows: tuple[str, ...] = ()


_GROUPS = ("groups", "small_channels", "big_channels")

# By form, and by whether the first and the second operand have the new axis.
_RULES = {
    ("conv_transpose", True, False): _Rule(_Place(0), None, _Place(0)),
    ("conv_transpose", False, True): _Rule(
        None, _Place(1), _Place(1, True), ("big_channels",)
    ),
    ("conv_transpose", True, True): _Rule(_Place(1), _Place(0), _Place(1), _GROUPS),
    ("conv", True, False): _Rule(_Place(0), None, _Place(0)),
    ("conv", False, True): _Rule(
        None, _Place(0, True), _Place(1, True), ("small_channels",)
    ),
    ("conv", True, True): _Rule(_Place(1), _Place(0), _Place(1), _GROUPS),
    ("kernel_grad", True, False): _Rule(
        _Place(1, True), None, _Place(0, True), ("small_channels",)
    ),
    ("kernel_grad", False, True): _Rule(
        None, _Place(1, True), _Place(1), ("big_channels",)
    ),
    ("kernel_grad", True, True): _Rule(_Place(1), _Place(1), _Place(0), _GROUPS),
}


def fold(
    call: Callable[..., Array], form: str, params: CallParams, arrays: Any, axes: Any
) -> tuple[Array, int]:
    """Do one call for all along the mapped axes; the new axis of the result is 0."""
    batched = [isinstance(axis, int) for axis in axes]
    first, second = (
        jnp.moveaxis(array, axis, 0) if mapped else array
        for array, axis, mapped in zip(arrays, axes, batched, strict=True)
    )
    size = (first if batched[0] else second).shape[0]
    if not isinstance(size, int):  # a spec holds integers, and this size is symbolic
        mapped_axes = tuple(0 if mapped else None for mapped in batched)
        whole = jax.vmap(lambda a, b: plain(form, a, b, params=params), mapped_axes)
        return whole(first, second), 0
    rule = _RULES[form, batched[0], batched[1]]
    groups = params.spec.groups
    first = first if rule.first is None else _join(first, rule.first, groups)
    second = second if rule.second is None else _join(second, rule.second, groups)
    spec = params.spec
    if rule.grows:
        small, share = spec.kernel_shape[:2]
        grown = (size if name in rule.grows else 1 for name in _GROUPS)
        per_groups, per_small, per_big = grown
        spec = ConvSpec(
            spec.axes, groups * per_groups, small * per_small, share * groups * per_big
        )
    requested = params.requested
    if "groups" in rule.grows and requested in ("auto", "exact"):
        # One kernel per example: batched matrix products, no grouped convolution.
        requested = "gemm"
    result = call(params._replace(spec=spec, requested=requested), first, second)
    return _part(result, rule.result, groups, size), 0


def _join(array: Array, place: _Place, groups: int) -> Array:
    """Take axis 0 into another one."""
    size, shape = array.shape[0], array.shape[1:]
    axis, parts = place.axis, groups if place.per_group else 1
    inner = shape[axis] // parts
    divided = array.reshape(size, *shape[:axis], parts, inner, *shape[axis + 1 :])
    moved = jnp.moveaxis(divided, 0, axis + 1)
    return moved.reshape(*shape[:axis], size * shape[axis], *shape[axis + 1 :])


def _part(array: Array, place: _Place, groups: int, size: int) -> Array:
    """Undo `_join`."""
    axis, shape = place.axis, array.shape
    parts = groups if place.per_group else 1
    # The length may be symbolic, so it is divided and never given as -1.
    whole = shape[axis] // size
    divided = array.reshape(*shape[:axis], parts, size, whole // parts, *shape[axis + 1 :])
    moved = jnp.moveaxis(divided, axis + 1, 0)
    return moved.reshape(size, *shape[:axis], whole, *shape[axis + 1 :])
