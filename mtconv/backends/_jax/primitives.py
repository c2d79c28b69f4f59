"""Three primitives, closed under differentiation: every gradient is one of the same.

They act on canonical arrays: ``x`` (batch, channels, *small), ``y`` (batch, channels,
*big) and ``w`` (small channels, big channels / groups, *k), two of them of one dtype. Each
is linear in both operands, and its two transposes are the other two primitives.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
from jax import Array
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from mtconv.backends._jax.lowering import CallParams, lower, plain
from mtconv.backends._jax.vmap import fold

__all__ = ["apply"]

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def apply(form: str, params: CallParams, first: Array, second: Array) -> Array:
    """Apply one of the three maps to canonical arrays of one dtype."""
    if _on_a_mesh(first) or _on_a_mesh(second):
        # Abstract values made outside JAX carry no mesh axes, so JAX's own operations
        # have to; every gradient of them is right, if not always the fastest.
        return plain(form, first, second, params=params)
    return _PRIMITIVES[form].bind(first, second, params=params)


def _on_a_mesh(array: Array) -> bool:
    """Whether an array is inside `shard_map`, or on a mesh with explicit axes."""
    mesh = getattr(getattr(jax.typeof(array), "sharding", None), "mesh", None)
    if mesh is None or mesh.empty:
        return False
    return any(kind != jax.sharding.AxisType.Auto for kind in mesh.axis_types)


def _abstract(form: str, first: Any, second: Any, *, params: CallParams) -> ShapedArray:
    """Shape and dtype of a result."""
    spec = params.spec
    channels, size = spec.kernel_shape[0], spec.small
    if form == "conv_transpose":
        channels, size = spec.kernel_shape[1] * spec.groups, spec.big
    shape = (first.shape[0], channels, *size)
    return ShapedArray(spec.kernel_shape if form == "kernel_grad" else shape, second.dtype)


@lru_cache(maxsize=512)
def _compiled(form: str, params: CallParams) -> Any:
    """Compile one primitive for eager calls, such as those of a gradient outside `jit`."""
    return jax.jit(partial(_PRIMITIVES[form].bind, params=params))


def _batched(form: str, arrays: Any, axes: Any, *, params: CallParams) -> tuple[Array, int]:
    return fold(partial(apply, form), form, params, arrays, axes)


def _primitive(form: str) -> Primitive:
    primitive = Primitive(f"mtconv_{form}")
    primitive.def_impl(lambda first, second, params: _compiled(form, params)(first, second))
    primitive.def_abstract_eval(partial(_abstract, form))
    batching.primitive_batchers[primitive] = partial(_batched, form)
    for platform in (None, *_PLATFORMS):
        rule = mlir.lower_fun(partial(lower, form, platform=platform), False)
        mlir.register_lowering(primitive, rule, platform=platform)
    return primitive


_PRIMITIVES = {form: _primitive(form) for form in ("conv_transpose", "conv", "kernel_grad")}

ad.defbilinear(
    _PRIMITIVES["conv_transpose"],
    lambda y, _x, w, params: apply("conv", params, y, w),
    lambda y, x, _w, params: apply("kernel_grad", params, x, y),
)
ad.defbilinear(
    _PRIMITIVES["conv"],
    lambda x, _y, w, params: apply("conv_transpose", params, x, w),
    lambda x, y, _w, params: apply("kernel_grad", params, x, y),
)
ad.defbilinear(
    _PRIMITIVES["kernel_grad"],
    lambda w, _x, y, params: apply("conv", params, y, w),
    lambda w, x, _y, params: apply("conv_transpose", params, x, w),
)
