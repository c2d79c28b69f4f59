"""What the layers share: torch's options, shapes and bound of initial values."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, NamedTuple

from mtconv.compat import torch
from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.errors import GeometryError, message
from mtconv.problem.layout import axis_names, check_groups

__all__ = ["TorchOptions"]

Ints = int | Sequence[int]
_FUNCTION = "ConvTranspose"


class TorchOptions(NamedTuple):
    """Shape and options of a layer, one integer per spatial axis; hashable."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int
    dilation: tuple[int, ...]

    @classmethod
    def read(
        cls,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        stride: Ints,
        padding: Ints,
        output_padding: Ints,
        groups: int,
        dilation: Ints,
    ) -> TorchOptions:
        """Check what a layer was made with and write it out for every axis."""
        if isinstance(kernel_size, int):
            msg = message(
                _FUNCTION,
                "kernel_size",
                "must be a sequence, one size per spatial axis",
                kernel_size,
                fix=f"For images write kernel_size=({kernel_size}, {kernel_size}).",
            )
            raise GeometryError(msg)
        taps = tuple(kernel_size)
        check_groups(_FUNCTION, groups, in_channels=in_channels, out_channels=out_channels)
        options = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation": dilation,
            "groups": groups,
        }
        (written,) = torch.write(_read(options, (1,) * len(taps), taps))
        return cls(in_channels, out_channels, taps, **written)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight, (C_in, C_out / groups, *kernel_size)."""
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    @property
    def bound(self) -> float:
        """Weight and bias start uniform between minus this and this, as torch's do."""
        return 1 / sqrt(prod(self.weight_shape[1:]))

    def __call__(
        self, x: Any, weight: Any, bias: Any, output_size: Sequence[int] | None
    ) -> Any:
        """Run the layer."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(tuple(x.shape[-len(self.kernel_size) :]), output_size)
        arrays = {"input": x, "weight": weight, "bias": bias}
        options = self._options(output_padding=extra)
        run = {"algorithm": "auto", "backend": None}
        rank = len(self.kernel_size)
        return torch.transposed(_FUNCTION, rank, arrays | options | run)

    def _options(self, output_padding: tuple[int, ...]) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": output_padding,
            "groups": self.groups,
            "dilation": self.dilation,
        }

    def _extra(self, small: tuple[int, ...], size: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that gives this size, as torch's layers do."""
        rank = len(self.kernel_size)
        wanted = tuple(size)[-rank:]
        if len(size) not in (rank, rank + 1, rank + 2):
            rule = f"must have {rank} spatial sizes"
            raise GeometryError(message(_FUNCTION, "output_size", rule, tuple(size)))
        options = self._options(output_padding=(0,) * rank)
        natural = _read(options, small, self.kernel_size)
        extra = tuple(N - axis.big for N, axis in zip(wanted, natural.axes, strict=True))
        for name, q, axis in zip(axis_names(rank), extra, natural.axes, strict=True):
            if not 0 <= q < axis.stride:
                msg = message(
                    _FUNCTION,
                    "output_size",
                    f"must be from {axis.big} to {axis.big + axis.stride - 1}",
                    q + axis.big,
                    axis=name,
                )
                raise GeometryError(msg)
        return extra


def _read(
    options: dict[str, Any], small: tuple[int, ...], taps: tuple[int, ...]
) -> Geometry:
    return torch.read(Arguments(_FUNCTION, options, small, taps))
