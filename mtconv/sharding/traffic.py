"""How many bytes a layer on a mesh moves between devices, before there is an array."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from jax.sharding import Mesh, PartitionSpec

from mtconv.planning.plan import Plan, plan_for
from mtconv.problem.options import freeze
from mtconv.sharding.program import ShardLayout, lay_out, scattered
from mtconv.sharding.shards import borders

__all__ = ["Traffic", "traffic"]


class Traffic(NamedTuple):
    """Bytes that one device of a mesh sends.

    Parameters
    ----------
    halos : tuple of int
        One entry per `collective-permute` of the map: devices at the ends of the array
        have fewer neighbours and send less. The gradient by x sends as much back.
    kernel : int
        Bytes of the kernel that the all-reduce of its gradient sums, if anything but
        channels is sharded.
    """

    halos: tuple[int, ...]
    kernel: int

    @property
    def halo(self) -> int:
        """Bytes of all halos."""
        return sum(self.halos)


def traffic(
    x_shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    mesh: Mesh,
    partition: PartitionSpec,
    itemsize: int = 4,
    form: str = "conv_transpose",
    **options: Any,
) -> Traffic:
    """Predict what one map of `mtconv.sharding` sends from device to device.

    Parameters
    ----------
    x_shape, kernel_shape : sequence of int
        Shapes of the whole arrays.
    mesh : jax.sharding.Mesh or AbstractMesh
        The devices; none is needed.
    partition : jax.sharding.PartitionSpec
        Mesh axes of the axes of x.
    itemsize : int
        Bytes of an element.
    form : str
        "conv_transpose" or "conv".
    **options : keyword arguments
        The options of the map.

    Returns
    -------
    Traffic
        Bytes that one device sends.

    Raises
    ------
    GeometryError
        As the map itself.

    Examples
    --------
    Shards of 4 rows with 3 channels and 32 columns of float32; a kernel of 4 at stride 2
    reads one row on either side, 3 * 32 * 4 bytes.

    >>> from jax.sharding import AbstractMesh
    >>> where = {"mesh": AbstractMesh((8,), ("h",)), "partition": (None, None, "h")}
    >>> traffic((1, 3, 32, 32), (3, 2, 4, 4), **where, stride=2, padding=1)
    Traffic(halos=(384, 384), kernel=384)
    """
    shape = tuple(x_shape)
    plan = plan_for(
        form,
        shape,
        tuple(kernel_shape),
        freeze(form, **options),
        "float32",
        "auto",
        "jax",
    )
    order = plan.data.order
    canonical = shape if order is None else tuple(shape[axis] for axis in order)
    batch = canonical[0] if plan.data.batch else 1
    layout = lay_out(plan, batch, mesh, partition)
    local = layout.spec
    by_big = form == "conv" or layout.around
    sizes = list(plan.spec.big if by_big else plan.spec.small)
    for number, _, split in layout.space:
        sizes[number] = split.own
    channels = _channels(plan, layout, mesh)
    batch //= prod(mesh.shape[name] for name in layout.batch)
    sent = []
    for number, _, split in layout.space:
        section = prod((batch, channels, *sizes)) // sizes[number] * itemsize
        # Once around a ring, the elements are the shard's own.
        sent += [border.width * section for border in borders(split) if border.hop]
        sizes[number] += split.left + split.right + (split.spare if form == "conv" else 0)
    summed = bool(layout.batch or any(names for _, names, _ in layout.space))
    return Traffic(tuple(sent), prod(local.kernel_shape) * itemsize * summed)


def _channels(plan: Plan, layout: ShardLayout, mesh: Mesh) -> int:
    """Count the channels of the blocks that shards exchange parts of."""
    small, share = layout.spec.kernel_shape[:2]
    if plan.form == "conv":
        return share * layout.spec.groups
    if not layout.around:
        return small
    count = prod(mesh.shape[name] for name in layout.channels)
    return share * layout.spec.groups // (count if scattered(plan, layout, count) else 1)
