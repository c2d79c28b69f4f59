"""The three maps on JAX arrays that are sharded by batch, channels and space.

`jax.shard_map` runs each map on the shards: spatial shards exchange the halo that the
index relation gives, by `ppermute`, and nothing else; sums over a sharded channel axis
and the kernel gradient are reduced. Everything can be differentiated and compiled, and
works over several processes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mtconv.backends._jax import check_precision
from mtconv.backends.dispatch import backend_for
from mtconv.errors import BackendError, message
from mtconv.planning.plan import plan_for
from mtconv.problem.build import Problem, batch_size
from mtconv.problem.options import IntOrInts, freeze, freeze_sizes
from mtconv.sharding.program import program
from mtconv.sharding.traffic import Traffic, traffic

if not hasattr(jax, "shard_map"):
    msg = f"mtconv.sharding needs jax.shard_map, which jax {jax.__version__} does not have"
    raise ImportError(msg)

__all__ = ["Traffic", "conv", "conv_transpose", "kernel_grad", "traffic"]


def conv_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    mesh: Mesh | None = None,
    partition: PartitionSpec | None = None,
    algorithm: str = "auto",
    precision: Any = None,
    **options: Any,
) -> Array:
    """Transpose a convolution of an array that is sharded over a mesh.

    Parameters
    ----------
    x : array
        As in `mtconv.conv_transpose`.
    kernel, bias : array
        As in `mtconv.conv_transpose`. Every device needs them whole, unless the
        channels of x are sharded; then they are sharded by channels too.
    mesh : jax.sharding.Mesh, optional
        The devices. By default, mesh and partition are those of x, which are known only
        outside `jit`.
    partition : jax.sharding.PartitionSpec, optional
        Mesh axes of the axes of x.
    algorithm : str
        As in `mtconv.conv_transpose`.
    precision : optional
        As in `mtconv.conv_transpose`.
    **options : keyword arguments
        The other options of `mtconv.conv_transpose`.

    Returns
    -------
    array
        As from `mtconv.conv_transpose`, sharded as x is. Where the channels of x are
        sharded and those of the result are not divisible by the shards, the result has
        all channels on every device.

    Raises
    ------
    GeometryError
        As in `mtconv.conv_transpose`; also where an axis of x or of the result is not
        divisible by its shards, or groups are cut by sharded channels.
    BackendError
        If mesh and partition are not known, or with a padding mode other than "zeros"
        and "circular" on sharded space.

    Notes
    -----
    Dtypes and multiply-adds are those of `mtconv.conv_transpose`, divided among the shards.
    The further cost is communication. Each shard receives the elements of its neighbours
    that its part of the result reads (see `mtconv.sharding.traffic`), over several hops
    where shards are narrower than that. With circular padding, shards of space are a ring,
    and the halos are those of the larger side.

    Examples
    --------
    >>> mesh = jax.make_mesh((1,), ("devices",))
    >>> placed = {"mesh": mesh, "partition": PartitionSpec("devices")}
    >>> conv_transpose([1, 2], [1, 10, 100], **placed, stride=2)
    Array([  1,  10, 102,  20, 200], dtype=int32)
    """
    arrays = {"x": x, "kernel": kernel, "bias": bias}
    execution = Execution(mesh, partition, algorithm, precision)
    return _apply("conv_transpose", arrays, execution, options)


def conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    mesh: Mesh | None = None,
    partition: PartitionSpec | None = None,
    algorithm: str = "auto",
    precision: Any = None,
    **options: Any,
) -> Array:
    """Convolve an array that is sharded over a mesh.

    Parameters
    ----------
    x, kernel, bias : array
        As in `mtconv.conv`, sharded as those of `conv_transpose`.
    mesh : jax.sharding.Mesh, optional
        As in `conv_transpose`.
    partition : jax.sharding.PartitionSpec, optional
        Mesh axes of the axes of x.
    algorithm : str
        As in `mtconv.conv`.
    precision : optional
        As in `mtconv.conv`.
    **options : keyword arguments
        The other options of `mtconv.conv`.

    Returns
    -------
    array
        As from `mtconv.conv`, sharded as the result of `conv_transpose` is.

    See Also
    --------
    conv_transpose : for dtypes, errors and costs, which are the same.

    Examples
    --------
    >>> mesh = jax.make_mesh((1,), ("devices",))
    >>> placed = {"mesh": mesh, "partition": PartitionSpec("devices")}
    >>> conv([1, 2, 3, 4], [1, 10], **placed, stride=2)
    Array([21, 43], dtype=int32)
    """
    arrays = {"x": x, "kernel": kernel, "bias": bias}
    execution = Execution(mesh, partition, algorithm, precision)
    return _apply("conv", arrays, execution, options)


def kernel_grad(
    x: Any,
    y: Any,
    *,
    kernel_size: IntOrInts,
    mesh: Mesh | None = None,
    partition: PartitionSpec | None = None,
    algorithm: str = "auto",
    precision: Any = None,
    **options: Any,
) -> Array:
    """Differentiate by the kernel; x and y are sharded in the same way.

    Parameters
    ----------
    x, y : array
        As in `mtconv.kernel_grad`.
    kernel_size : int or tuple of int
        As in `mtconv.kernel_grad`.
    mesh : jax.sharding.Mesh, optional
        As in `conv_transpose`.
    partition : jax.sharding.PartitionSpec, optional
        Mesh axes of the axes of x and of y.
    algorithm : str
        As in `mtconv.kernel_grad`.
    precision : optional
        As in `mtconv.kernel_grad`.
    **options : keyword arguments
        The other options of `mtconv.kernel_grad`.

    Returns
    -------
    array
        As from `mtconv.kernel_grad`, on every device, reduced over batch and space; its
        channels of x are sharded where x's are.

    See Also
    --------
    conv_transpose : for dtypes and errors, which are the same.

    Notes
    -----
    Costs the halos of the other two maps, and an all-reduce of the kernel's size.

    Examples
    --------
    >>> mesh = jax.make_mesh((1,), ("devices",))
    >>> placed = {"mesh": mesh, "partition": PartitionSpec("devices")}
    >>> kernel_grad([1, 10], [1, 2, 3, 4], kernel_size=(2,), **placed, stride=2)
    Array([31, 42], dtype=int32)
    """
    size = freeze_sizes("kernel_grad", "kernel_size", kernel_size)
    execution = Execution(mesh, partition, algorithm, precision)
    return _apply("kernel_grad", {"x": x, "y": y}, execution, options, size)


class Execution(NamedTuple):
    """On which devices a call runs, and with which algorithm and precision."""

    mesh: Mesh | None
    partition: PartitionSpec | None
    algorithm: str
    precision: Any


def _apply(
    form: str,
    arrays: dict[str, Any],
    execution: Execution,
    options: dict[str, Any],
    kernel_size: int | tuple[int, ...] | None = None,
) -> Array:
    """Plan one map on whole arrays and run it on the shards."""
    frozen = freeze(form, **options)
    mesh, partition, algorithm, precision = execution
    mesh, partition = _place(form, arrays["x"], mesh, partition)
    engine = backend_for(form, "jax", **arrays)
    present = {
        name: engine.asarray(form, name, array)
        for name, array in arrays.items()
        if array is not None
    }
    dtype = engine.result_dtype(*present.values())
    bias = present.get("bias")
    first, second, *_ = present.values()
    plan = plan_for(
        form,
        first.shape,
        second.shape,
        frozen,
        dtype,
        algorithm,
        "jax",
        None if bias is None else bias.shape,
        kernel_size,
    )
    batch = batch_size(Problem(plan.spec, plan.data, plan.kernel), first.shape)
    if precision is not None:
        precision = check_precision(form, precision)
    run = program(plan, batch, mesh, partition, precision, bias is not None)
    return run(*(array.astype(dtype) for array in present.values()))


def _place(
    form: str, x: Any, mesh: Mesh | None, partition: PartitionSpec | None
) -> tuple[Mesh, PartitionSpec]:
    """Return mesh and partition, those of x where they are left out."""
    if mesh is not None and partition is not None:
        return mesh, partition
    if not isinstance(x, jax.core.Tracer):
        sharding = getattr(x, "sharding", None)
        if isinstance(sharding, NamedSharding):
            return mesh or sharding.mesh, partition or sharding.spec
    msg = message(
        form,
        "mesh",
        "and `partition` must be given inside of `jit` and for arrays without a "
        "NamedSharding",
        f"mesh={mesh} and partition={partition}",
        fix="For example mesh=mesh, partition=PartitionSpec('batch', None, 'height').",
    )
    raise BackendError(msg)
