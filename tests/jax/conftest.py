"""Problems for the tests that are about JAX alone: few shapes, since each one compiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import mtconv

pytest.importorskip("jax")

# One for every algorithm and batching rule; all are asymmetric.
PROBLEMS = {
    "plain": ((2, 3, 5), (3, 2, 3), {"stride": 2, "padding": 1}),
    "groups": (
        (2, 4, 3, 4),
        (4, 3, 3, 2),
        {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
    ),
    "depthwise": ((1, 3, 4, 3), (3, 1, 3, 2), {"stride": (2, 1), "groups": 3}),
    "dilation": (
        (1, 2, 3, 3),
        (2, 2, 2, 3),
        {"stride": (3, 2), "dilation": (1, 2), "padding": ((1, 0), (-1, 2))},
    ),
    "circular": (
        (2, 2, 4),
        (2, 3, 3),
        {"stride": 2, "padding": 2, "padding_mode": "circular"},
    ),
}


@dataclass(frozen=True)
class Problem:
    """A transposed convolution by its shapes and options."""

    x_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    options: dict[str, Any]

    @property
    def y_shape(self) -> tuple[int, ...]:
        return mtconv.conv_transpose_shape(self.x_shape, self.kernel_shape, **self.options)

    @property
    def conv_transpose(self) -> Callable[..., Any]:
        return partial(mtconv.conv_transpose, **self.options)

    @property
    def conv(self) -> Callable[..., Any]:
        options = {k: v for k, v in self.options.items() if k != "output_padding"}
        return partial(mtconv.conv, **options)

    @property
    def kernel_grad(self) -> Callable[..., Any]:
        options = {k: v for k, v in self.options.items() if k != "output_padding"}
        return partial(mtconv.kernel_grad, kernel_size=self.kernel_shape[2:], **options)

    def arrays(self, seed: int = 0, dtype: str = "float64") -> tuple[Any, Any, Any]:
        """Make integer-valued x, kernel and y of this problem."""
        return tuple(
            integers(shape, seed + number, dtype)
            for number, shape in enumerate((self.x_shape, self.kernel_shape, self.y_shape))
        )


def integers(shape: tuple[int, ...], seed: int, dtype: str = "float64") -> Any:
    """Make a JAX array of small integers."""
    import jax.numpy as jnp

    values = np.random.default_rng(seed).integers(-4, 5, shape)
    return jnp.asarray(values.astype(dtype))


@pytest.fixture(scope="session", params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    """Each of a few problems."""
    return Problem(*PROBLEMS[request.param])


@pytest.fixture(scope="session")
def make() -> Callable[..., Any]:
    """Make arrays of small integers: ``make(shape, seed, dtype)``."""
    return integers
