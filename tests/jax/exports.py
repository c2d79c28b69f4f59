"""What holds for exported programs of one geometry; used for a few, and for all forty."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import export

from tests.geometries import SIZES, Geometry


def exported(geometry: Geometry, **options: Any) -> export.Exported:
    """Export a call, and its vjp of the result, for any batch and 4 elements and more."""

    def both(x: Any, kernel: Any, bias: Any) -> Any:
        result, backward = jax.vjp(geometry.call, x, kernel, bias)
        return result, *backward(result)

    names = "btuv"[: 1 + geometry.rank]
    bounds = [f"{name} >= 4" for name in names[1:]]
    batch, *space = export.symbolic_shape(",".join(names), constraints=bounds)
    x, kernel, bias = geometry.arrays(0, SIZES[0])
    last = geometry.options.get("layout") is not None
    channels = geometry.channels[0]
    shape = (batch, *space, channels) if last else (batch, channels, *space)
    argument = jax.ShapeDtypeStruct(shape, x.dtype)
    return export.export(jax.jit(both), **options)(argument, kernel, bias)


def a_saved_program_gives_what_loops_give(geometry: Geometry, calls: int) -> None:
    program = export.deserialize(exported(geometry).serialize())
    last = geometry.options.get("layout") is not None
    for seed, size in enumerate(SIZES[:calls]):
        x, kernel, bias = geometry.arrays(seed, size)
        result, *gradients = program.call(x, kernel, bias)
        same(result, geometry.expected(x, kernel, bias))
        y = np.asarray(result)
        axes = tuple(a for a in range(y.ndim) if a != (y.ndim - 1 if last else 1))
        by_x, by_kernel = geometry.gradients(x, kernel, y)
        for got, expected in zip(gradients, (by_x, by_kernel, y.sum(axes)), strict=True):
            same(got, expected)


def same(got: Any, expected: np.ndarray) -> None:
    assert got.shape == expected.shape
    assert (np.asarray(got) == expected).all()
