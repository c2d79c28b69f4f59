"""A case: the arrays and options of one problem, for all three maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.problem.build import swap_channel_letters
from mtconv.spec import ConvSpec

__all__ = ["Case"]


@dataclass(frozen=True, repr=False)
class Case:
    """Arrays and options of one trilinear form, ready for all three maps.

    Parameters
    ----------
    x, kernel, y : numpy.ndarray
        Small side, kernel and big side.
    bias : numpy.ndarray or None
        Bias of `mtconv.conv_transpose`.
    options : dict
        Options of `mtconv.conv_transpose`, only those that differ from their defaults.
    """

    x: NDArray[Any]
    kernel: NDArray[Any]
    y: NDArray[Any]
    bias: NDArray[Any] | None
    options: dict[str, Any]

    @property
    def spec(self) -> ConvSpec:
        """The geometry of the case."""
        return ConvSpec.from_shapes(self.x.shape, self.kernel.shape, **self.options)

    @property
    def conv_options(self) -> dict[str, Any]:
        """The options of the adjoint call, ``conv(y, kernel, **conv_options)``."""
        options = {
            name: value
            for name, value in self.options.items()
            if name not in ("output_padding", "output_size")
        }
        if "kernel_layout" in options:
            options["kernel_layout"] = swap_channel_letters(options["kernel_layout"])
        return options

    @property
    def grad_options(self) -> dict[str, Any]:
        """The options of ``kernel_grad(x, y, **grad_options)``."""
        options = self.conv_options
        if "kernel_layout" in self.options:
            options["kernel_layout"] = self.options["kernel_layout"]
        return {**options, "kernel_size": self.spec.kernel_size}

    def __repr__(self) -> str:
        words = [
            f"{name}={_written(array)}"
            for name, array in (("x", self.x), ("kernel", self.kernel), ("bias", self.bias))
            if array is not None
        ]
        words += [f"{name}={value!r}" for name, value in self.options.items()]
        return f"conv_transpose({', '.join(words)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Let Hypothesis print the call, not the fields."""
        printer.text("..." if cycle else repr(self))


def _written(array: NDArray[Any]) -> str:
    if array.size == 0:
        return f"numpy.zeros({array.shape}, {array.dtype.name!r})"
    if array.dtype in (np.int64, np.float64):
        return str(array.tolist())
    return f"numpy.array({array.tolist()}, {array.dtype.name!r})"
