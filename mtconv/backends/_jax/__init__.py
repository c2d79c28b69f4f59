"""JAX: the three maps under every transformation of JAX.

The algorithms see canonical arrays only: x (batch, channels, *small), y (batch,
channels, *big), w (small channels, big channels / groups, *k), all of one dtype.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from mtconv.backends._jax import gemm
from mtconv.backends._jax.arrays import (
    arranged,
    asarray,
    canonical,
    fold,
    pad,
    settle,
)
from mtconv.plan import Plan

__all__ = ["NAME", "asarray", "result_dtype", "run"]

NAME = "jax"


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
    spec = plan.spec
    dtype = jnp.result_type(*(a for a in (first, second, bias) if a is not None))
    precision = settle(precision)
    inner = spec if spec.padding_mode == "zeros" else spec.padded
    first = canonical(first.astype(dtype), plan.data)
    if plan.form == "kernel_grad":
        second = canonical(second.astype(dtype), plan.data)
        if inner is not spec:
            second = pad(spec, second)
        w = gemm.kernel_grad(inner, first, second, precision)
        return arranged(w.astype(dtype), plan.kernel, kernel=True)
    w = canonical(second.astype(dtype), plan.kernel, kernel=True)
    if plan.form == "conv_transpose":
        result = gemm.conv_transpose(inner, first, w, precision)
        if inner is not spec:
            result = fold(spec, result)
    else:
        if inner is not spec:
            first = pad(spec, first)
        result = gemm.conv(inner, first, w, precision)
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * spec.rank).astype(result.dtype)
    return arranged(result.astype(dtype), plan.data)
