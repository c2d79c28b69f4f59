"""What each device runs: one map on its shard, between exchange and reduction."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import jax
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mtconv.backends.arrange import arranged, canonical
from mtconv.errors import BackendError, GeometryError, message
from mtconv.functional import apply_spec
from mtconv.geometry import windows
from mtconv.planning.plan import Plan
from mtconv.problem.layout import Arrangement, axis_names
from mtconv.sharding.exchange import collected, extended, padded_window, window
from mtconv.sharding.shards import Split, forward, ring, shared, transposed
from mtconv.spec import ConvSpec

__all__ = ["ShardLayout", "lay_out", "program", "scattered"]

Names = tuple[str, ...]


class ShardLayout(NamedTuple):
    """How the arrays of one plan lie on a mesh.

    Parameters
    ----------
    batch, channels : tuple of str
        Mesh axes of batch and channels.
    space : tuple of (int, tuple of str, Split)
        For each spatial axis that is sharded, its number, mesh axes and split. With
        circular padding on sharded space, every axis is listed: one that is not sharded
        is a ring of one shard.
    spec : ConvSpec
        What one shard computes, in canonical order.
    """

    batch: Names
    channels: Names
    space: tuple[tuple[int, Names, Split], ...]
    spec: ConvSpec

    @property
    def around(self) -> bool:
        """Whether the shards of space are a ring."""
        return any(split.ring for _, _, split in self.space)


def lay_out(plan: Plan, batch: int, mesh: Mesh, partition: PartitionSpec) -> ShardLayout:
    """Work out the shards of a plan's arrays, or say why there are none."""
    form, spec = plan.form, plan.spec
    ndim = spec.rank + plan.data.leading
    if len(partition) > ndim:
        rule = f"must not have more entries than x has axes, {ndim}"
        raise BackendError(message(form, "partition", rule, partition))
    every_axis = [*partition, *(None,) * (ndim - len(partition))]
    entries = [_names(form, entry, mesh) for entry in every_axis]
    if plan.data.order is not None:
        entries = [entries[axis] for axis in plan.data.order]
    at_batch = entries[0] if plan.data.batch else ()
    at_channels = entries[plan.data.batch] if plan.data.channels else ()
    at_space = entries[plan.data.leading :]
    shared(form, "x", "'N'", batch, _count(mesh, at_batch))
    if any(at_space):
        _check_mode(form, spec.padding_mode, mesh)
    space = tuple(_split_axes(plan, mesh, at_space))
    axes, mode = list(spec.axes), spec.padding_mode
    for number, _, split in space:
        axes[number] = split.axis
        mode = "zeros"
    small, big, groups = _local_channels(plan, _count(mesh, at_channels))
    local = ConvSpec(tuple(axes), groups, small, big, mode)
    return ShardLayout(at_batch, at_channels, space, local)


def _check_mode(form: str, mode: str, mesh: Mesh) -> None:
    if mode not in ("zeros", "circular"):
        inside = "jax.jit"
        if AxisType.Explicit in mesh.axis_types:
            inside = "jax.sharding.auto_axes"
        fix = f"Shard batch and channels only, or call mtconv.{form} inside of {inside}."
        rule = "must be 'zeros' or 'circular' where space is sharded"
        raise BackendError(message(form, "padding_mode", rule, repr(mode), fix=fix))


def _split_axes(
    plan: Plan, mesh: Mesh, at_space: list[Names]
) -> Iterator[tuple[int, Names, Split]]:
    """Yield number, mesh axes and split of the axes that shards have parts of."""
    form, axes = plan.form, plan.spec.axes
    names = axis_names(plan.spec.rank)
    around = plan.spec.padding_mode == "circular" and any(at_space)
    reads = all(windows(axis) for axis in axes)
    for number, (axis, mesh_names) in enumerate(zip(axes, at_space, strict=True)):
        count = _count(mesh, mesh_names)
        if mesh_names:
            shared(form, "the small side", names[number], axis.small, count)
            shared(form, "the big side", names[number], axis.big, count)
        if around:
            yield number, mesh_names, ring(axis, count)
        elif mesh_names:
            split = transposed if form == "conv_transpose" else forward
            yield number, mesh_names, split(axis, count, reads)


def _names(form: str, entry: Any, mesh: Mesh) -> Names:
    names = () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry)
    for name in names:
        if name not in mesh.shape:
            rule = f"must name axes of the mesh, {mesh.axis_names}"
            raise BackendError(message(form, "partition", rule, repr(name)))
    return names


def _count(mesh: Mesh, names: Names) -> int:
    return prod(mesh.shape[name] for name in names)


def _local_channels(plan: Plan, count: int) -> tuple[int, int, int]:
    """Return small channels, big channels and groups of one shard."""
    form, spec = plan.form, plan.spec
    small, share = spec.kernel_shape[:2]
    if count == 1:
        return small, share * spec.groups, spec.groups
    if spec.groups > 1:
        if spec.groups % count:
            msg = message(
                form,
                "groups",
                f"must be divisible by the {count} shards of the channels",
                spec.groups,
                fix="Whole groups go to each shard.",
            )
            raise GeometryError(msg)
        return small // count, share * (spec.groups // count), spec.groups // count
    if form == "conv":
        return small, shared(form, "x", "'C'", share, count), 1
    if form == "kernel_grad":
        shared(form, "y", "'C'", share, count)
    return shared(form, "x", "'C'", small, count), share, 1


@lru_cache(maxsize=512)
def program(
    plan: Plan,
    batch: int,
    mesh: Mesh,
    partition: PartitionSpec,
    precision: Any,
    with_bias: bool,
) -> Any:
    """Return the compiled function of the arrays of one plan on one mesh."""
    layout = lay_out(plan, batch, mesh, partition)
    form, spec = plan.form, plan.spec
    channels = layout.channels or None
    rest: list[Names | None] = [None] * spec.rank
    for number, names, _ in layout.space:
        rest[number] = names or None
    data = _partition(plan.data, layout.batch or None, channels, rest)
    bare = [None] * spec.rank
    by_small = form != "conv" or spec.groups > 1
    kernel = _kernel_partition(plan.kernel, channels if by_small else None, None, bare)
    if not by_small:
        kernel = _kernel_partition(plan.kernel, None, channels, bare)
    if form == "kernel_grad":
        sharded = partial(_kernel_grad, plan, layout, precision)
        ins: tuple[Any, ...] = (data, data)
        out = kernel
    else:
        scatters = scattered(plan, layout, _count(mesh, layout.channels))
        out_channels = channels if spec.groups > 1 or scatters else None
        sharded = partial(_map, plan, layout, precision, scatters)
        ins = (data, kernel, PartitionSpec(out_channels)) if with_bias else (data, kernel)
        out = _partition(plan.data, layout.batch or None, out_channels, rest)
    mapped = jax.shard_map(sharded, mesh=mesh, in_specs=ins, out_specs=out)
    if AxisType.Explicit not in mesh.axis_types:
        return jax.jit(mapped)

    def resharded(*arrays: Array) -> Array:
        # Meshes with explicit axes take arrays only as they are said to lie.
        placed = (
            jax.sharding.reshard(array, NamedSharding(mesh, placement))
            for array, placement in zip(arrays, ins, strict=True)
        )
        return mapped(*placed)

    return jax.jit(resharded)


def scattered(plan: Plan, layout: ShardLayout, count: int) -> bool:
    """Whether the sum over sharded channels leaves each shard its part of the result."""
    small, share = plan.spec.kernel_shape[:2]
    channels = share if plan.form == "conv_transpose" else small
    return bool(layout.channels) and plan.spec.groups == 1 and channels % count == 0


def _map(
    plan: Plan,
    layout: ShardLayout,
    precision: Any,
    scatters: bool,
    block: Array,
    kernel: Array,
    bias: Array | None = None,
) -> Array:
    """Run one of the two maps on one shard."""
    form, spec = plan.form, layout.spec
    block = canonical(block, plan.data)
    if form == "conv" or not layout.around:
        block = _haloed(layout, block, form)
    w = canonical(kernel, plan.kernel)[0].reshape(spec.kernel_shape)
    result: Array = apply_spec(
        form, spec, block, w, algorithm=plan.requested, precision=precision
    )
    if form == "conv_transpose":
        for number, names, split in layout.space:
            size = plan.spec.axes[number].big // split.shards
            if layout.around:
                size += split.left + split.right
            result = window(result, number + 2, names, split, size)
    if scatters:
        result = lax.psum_scatter(result, layout.channels, scatter_dimension=1, tiled=True)
    elif layout.channels and plan.spec.groups == 1:
        result = lax.psum(result, layout.channels)
    if form == "conv_transpose" and layout.around:
        for number, names, split in reversed(layout.space):
            result = collected(result, number + 2, names, split)
    if bias is not None:
        result = result + bias.reshape(-1, *(1,) * spec.rank)
    return arranged(result, plan.data)


def _kernel_grad(
    plan: Plan, layout: ShardLayout, precision: Any, x: Array, y: Array
) -> Array:
    """Differentiate by the kernel on one shard, and sum over batch and space."""
    x = canonical(x, plan.data)
    y = _haloed(layout, canonical(y, plan.data), plan.form)
    if layout.channels and plan.spec.groups == 1:
        y = lax.all_gather(y, layout.channels, axis=1, tiled=True)
    w = apply_spec(
        plan.form, layout.spec, x, y, algorithm=plan.requested, precision=precision
    )
    names = layout.batch + tuple(n for _, axes, _ in layout.space for n in axes)
    w = lax.psum(w, names) if names else w
    return arranged(w[None] if plan.kernel.channels else w, plan.kernel)


def _haloed(layout: ShardLayout, block: Array, form: str) -> Array:
    for number, names, split in layout.space:
        block = extended(block, number + 2, names, split)
        if form != "conv_transpose":
            block = padded_window(block, number + 2, names, split)
    return block


def _partition(
    arrangement: Arrangement, batch: Any, channels: Any, rest: list[Any]
) -> PartitionSpec:
    """Write mesh axes in the user's order of the data's axes."""
    entries = [batch] * arrangement.batch + [channels] * arrangement.channels + rest
    if arrangement.inverse is not None:
        entries = [entries[axis] for axis in arrangement.inverse]
    return PartitionSpec(*entries)


def _kernel_partition(
    arrangement: Arrangement, small: Any, big: Any, rest: list[Any]
) -> PartitionSpec:
    """Write mesh axes in the user's order of the kernel's axes."""
    entries = [small, big, *rest] if arrangement.channels else rest
    if arrangement.inverse is not None:
        entries = [entries[axis] for axis in arrangement.inverse]
    return PartitionSpec(*entries)
