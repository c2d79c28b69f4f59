"""What is compiled for each platform: the algorithm is chosen when a program is lowered."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import Array

from mtconv.backends._jax import direct, gemm, native, polyphase
from mtconv.planning.choose import choose_algorithm
from mtconv.spec import ConvSpec

__all__ = ["CallParams", "lower", "plain"]

_MODULES = {"gemm": gemm, "polyphase": polyphase, "direct": direct, "native": native}


class CallParams(NamedTuple):
    """The static part of a call: what all three maps of one problem share."""

    spec: ConvSpec
    requested: str  # an algorithm by name, "auto" or "exact"
    precision: Any


def lower(
    form: str, first: Array, second: Array, *, params: CallParams, platform: str | None
) -> Array:
    """Write one map in operations of JAX, by the algorithm that suits the platform."""
    spec, batch, dtype = params.spec, first.shape[0], first.dtype
    on_cpu = platform == "cpu"
    size = batch if isinstance(batch, int) else 1
    ranked = choose_algorithm(
        spec, form, size, dtype.name, "jax", params.requested, accelerator=not on_cpu
    )
    algorithm = ranked[0].algorithm
    options: dict[str, Any] = {"precision": params.precision}
    if algorithm == "gemm" and on_cpu:
        options["parts"] = gemm.parts_for(spec, batch, dtype.itemsize)
    elif algorithm in ("native", "polyphase"):
        options["on_cpu"] = on_cpu
    result = getattr(_MODULES[algorithm], form)(spec, first, second, **options)
    return result.astype(dtype)


def plain(form: str, first: Array, second: Array, *, params: CallParams) -> Array:
    """Write one map so that it stays right on any mesh: dots, pads and transposes."""
    result = getattr(gemm, form)(params.spec, first, second, precision=params.precision)
    return result.astype(first.dtype)
