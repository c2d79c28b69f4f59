"""JAX: the three maps under every transformation of JAX.

`run` arranges axes and dtypes and applies one of three primitives. Eager calls are
compiled as a whole, once per plan. Primitives and algorithms see canonical arrays only:
x (batch, channels, *small), y (batch, channels, *big), w (small channels, big channels /
groups, *k), all of one dtype.

Values are not known while tracing, so nothing depends on them: the zeros of the padding are
multiplied like other cells. An infinity or NaN in the kernel (or in x of a kernel gradient)
can therefore make NaN at the borders, where NumPy has finite values; in the other operand
it stays where it belongs.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from mtconv.backends._jax.arrays import fold, pad
from mtconv.backends._jax.inputs import asarray, check_precision, check_promotion, settle
from mtconv.backends._jax.library import library
from mtconv.backends._jax.lowering import CallParams
from mtconv.backends._jax.meshes import advising
from mtconv.backends._jax.primitives import apply
from mtconv.backends.arrange import arranged, canonical
from mtconv.planning.plan import Plan
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = ["NAME", "asarray", "check_precision", "library", "result_dtype", "run"]

NAME = "jax"

# One program each in gradients outside `jit` too, where all else is one primitive or moves
# nothing: step by step their zeros would travel from the host.
_pad = jax.jit(pad, static_argnums=0)
_fold = jax.jit(fold, static_argnums=0)


def result_dtype(*arrays: Array | None) -> str:
    """Name the dtype that JAX promotes these arrays to."""
    return str(jnp.result_type(*(array for array in arrays if array is not None)))


def run(
    plan: Plan,
    first: Array,
    second: Array,
    bias: Array | None = None,
    precision: Any = None,
) -> Array:
    """Execute a plan."""
    precision = settle(plan.form, precision)
    name = "y" if plan.form == "kernel_grad" else "kernel"
    check_promotion(plan.form, {"x": first, name: second, "bias": bias})
    tracing = any(isinstance(array, jax.core.Tracer) for array in (first, second, bias))
    execute = partial(_execute, plan, precision) if tracing else _compiled(plan, precision)
    with advising(plan.form, first):
        result: Array = execute(first, second, bias)
    return result


@lru_cache(maxsize=512)
def _compiled(plan: Plan, precision: Any) -> Any:
    """Compile one plan for eager calls; what the cache drops is compiled again."""
    return jax.jit(partial(_execute, plan, precision))


def _execute(
    plan: Plan, precision: Any, first: Array, second: Array, bias: Array | None
) -> Array:
    spec = plan.spec
    dtype = jnp.dtype(plan.dtype)
    outside = spec.padding_mode != "zeros" or traced(tuple(a.lo for a in spec.axes))
    inner = spec.padded if outside else spec
    params = CallParams(_without_layout(inner), plan.requested, precision)
    first = canonical(first.astype(dtype), plan.data)
    if plan.form == "kernel_grad":
        second = canonical(second.astype(dtype), plan.data)
        if outside:
            second = _pad(spec, second)
        w = apply("kernel_grad", params, first, second)
        return arranged(w[None] if plan.kernel.channels else w, plan.kernel)
    w = canonical(second.astype(dtype), plan.kernel).reshape(spec.kernel_shape)
    if plan.form == "conv_transpose":
        result = apply("conv_transpose", params, first, w)
        if outside:
            result = _fold(spec, result)
    else:
        if outside:
            first = _pad(spec, first)
        result = apply("conv", params, first, w)
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * spec.rank).astype(dtype)
    return arranged(result, plan.data)


def _without_layout(spec: ConvSpec) -> ConvSpec:
    """Drop what canonical arrays no longer have, so that equal work is compiled once."""
    small, share = spec.kernel_shape[:2]
    return ConvSpec(spec.axes, spec.groups, small, share * spec.groups)
