"""What the adjoint pair shares: a kernel, its geometry, and the way to compute."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from mtconv.backends.dispatch import backend_for
from mtconv.functional import apply_spec
from mtconv.importing import imported
from mtconv.operators.circular.maps import in_frequency, in_library
from mtconv.operators.explicit import Explicit
from mtconv.operators.parts import read_only_copy
from mtconv.operators.prepared import PREPARING, apply_prepared
from mtconv.operators.sides import Sides, operator_spec, sides
from mtconv.operators.single import ComputeOptions, checked
from mtconv.problem.advice import advice
from mtconv.problem.options import IntOrInts, Options, freeze_sizes

__all__ = ["Operator"]


class Operator(Explicit):
    """What both operators share; `other` is the class of the transpose."""

    leaves = ("kernel",)
    static = ("spec", "computing")

    other: type[Operator]

    def _set(
        self,
        kernel: Any,
        input_size: IntOrInts,
        options: Options,
        computing: ComputeOptions,
    ) -> None:
        name = type(self).__name__
        computing = checked(name, computing)
        engine = backend_for(name, computing.backend, kernel=kernel)
        kernel = engine.asarray(name, "kernel", kernel)
        size = freeze_sizes(name, "input_size", input_size)
        spec = operator_spec(name, self.form, size, kernel.shape, options)
        self._own(read_only_copy(kernel), spec, computing)

    def _repr_html_(self) -> str:
        html: Callable[..., str] = imported("mtconv.sketch.html").html
        return html(repr(self), self.spec.axes, self.spec.padding_mode)

    @property
    def _sides(self) -> Sides:
        return sides(self.form, self.spec)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that the operator takes, without a batch axis."""
        return self._sides.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of its results, without a batch axis."""
        return self._sides.output_shape

    @property
    def _batch_axis(self) -> int:  # type: ignore[override]
        return self._sides.batch_axis

    def _other(self, leaf: Any) -> Operator:
        return self.other._make(leaf, self.spec, self.computing)

    @cached_property
    def _prepared(self) -> dict[Any, Any]:
        return {}

    def _apply(self, x: Any, axis: int | None = None) -> Any:
        """Apply the map to one input, or to a batch along an axis."""
        backend, algorithm, precision = self.computing
        shapes = self._sides
        engine = self._engine("x", x)
        if engine.NAME not in PREPARING:
            batched = shapes.front if axis == 0 else shapes.batched
            spec = shapes.single if axis is None else batched
            if algorithm == "fft" and in_frequency(engine, spec):
                return in_library(engine, self.form, spec, x, self.kernel)
            return apply_spec(
                self.form,
                spec,
                x,
                self.kernel,
                algorithm=algorithm,
                backend=backend,
                precision=precision,
            )
        result = apply_prepared(
            self._prepared,
            engine,
            self.form,
            shapes.front,
            x[None] if axis is None else np.moveaxis(x, axis, 0),
            self.kernel,
            algorithm,
            single=axis is None,
        )
        return result if axis is None else np.moveaxis(result, 0, axis)

    def _shape_advice(self, ndim: int) -> str:
        layouts = self.spec.layout, self.spec.kernel_layout
        return advice(max(ndim, 3), len(self.kernel.shape), *layouts)
