"""One call of a framework's function: its arrays, checked in that framework's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mtconv.backends.dispatch import backend_for
from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.kernel import KernelRule, cast, permute, reshape
from mtconv.errors import BackendError, GeometryError, message, shown
from mtconv.problem.axes import check_sizes
from mtconv.problem.layout import SPATIAL, axis_names
from mtconv.spec import ConvSpec

__all__ = ["FrameworkCall", "channels_first", "channels_last"]


def channels_first(rank: int, *, batched: bool = True) -> tuple[int, ...]:
    """Positions of (batch,) channels and space in a channels-first array."""
    return tuple(range(rank + 1 + batched))


def channels_last(rank: int, *, batched: bool = True) -> tuple[int, ...]:
    """Positions of (batch,) channels and space in a channels-last array."""
    space = tuple(range(batched, rank + batched))
    return (0, rank + 1, *space) if batched else (rank, *space)


class FrameworkCall:
    """The arrays of one call, and its other arguments by name.

    Parameters
    ----------
    function : str
        The framework's name of the function, for messages.
    rule : KernelRule
        How the framework stores kernels.
    names : tuple of str
        The framework's names of the input, the kernel and the bias; the last is left out
        where there is none.
    arguments : mapping of str to object
        Every argument of the call, ``backend`` and ``algorithm`` included.
    order : tuple of int, optional
        Permutation that brings the kernel into the rule's order.
    rank : int, optional
        Number of spatial axes, where the function's name says it.
    """

    def __init__(
        self,
        function: str,
        rule: KernelRule,
        names: tuple[str, ...],
        arguments: Mapping[str, Any],
        *,
        order: tuple[int, ...] | None = None,
        rank: int | None = None,
    ) -> None:
        self.function, self.rule, self.names, self.arguments = (
            function,
            rule,
            names,
            arguments,
        )
        self.backend = arguments["backend"]
        arrays = {name: arguments[name] for name in names}
        engine = backend_for(function, self.backend, **arrays)
        arrays = {
            name: None
            if array is None and name in names[2:]
            else engine.asarray(function, name, array)
            for name, array in arrays.items()
        }
        self.x, self.kernel, self.bias = (*arrays.values(), None)[:3]
        if order is not None:
            self._check_dimensions(len(order))
            self.kernel = permute(self.kernel, order)
        if rank is not None:
            self._check_dimensions(rank + 2)
        self.rank = rule.rank(function, names[1], self.kernel)
        start = rule.order.index("*")
        self.taps = tuple(self.kernel.shape[start : start + self.rank])
        check_sizes(function, names[1], self.taps, axis_names(self.rank))

    def _check_dimensions(self, count: int) -> None:
        if self.kernel.ndim != count:
            rule = f"must have {count} dimensions"
            raise GeometryError(
                message(self.function, self.names[1], rule, self.kernel.ndim)
            )

    def read(self, read: Callable[[Arguments], Geometry]) -> Geometry:
        """Read the options of this call."""
        return read(Arguments(self.function, self.arguments, self.small, self.taps))

    def batched(self, order: str) -> bool:
        """Return whether x has a batch axis; ``order`` is its shape for the message."""
        extra = self.x.ndim - self.rank
        if extra not in (1, 2):
            self.refuse_dimensions(f"{self.rank + 2} dimensions {order}, or one fewer")
        return bool(extra == 2)

    def refuse_dimensions(self, wanted: str) -> None:
        """Raise for an x with the wrong number of dimensions."""
        msg = message(
            self.function, self.names[0], f"must have {wanted}", f"{self.x.ndim} dimensions"
        )
        raise GeometryError(msg)

    def arrange(
        self, order: tuple[int, ...], out_order: tuple[int, ...] | None = None
    ) -> None:
        """Say where x, and where the result, has its (batch,) channels and space."""
        if len(order) != self.x.ndim:
            self.refuse_dimensions(f"{len(order)} dimensions")
        self.out_order = order if out_order is None else out_order
        self.layout = _layout(order, self.rank) if self.out_order == order else None
        if self.layout is None:
            self.x = permute(self.x, order)
            self.channels = self.x.shape[-self.rank - 1]
            self.small = tuple(self.x.shape[-self.rank :])
        else:
            self.channels = self.x.shape[order[-self.rank - 1]]
            self.small = tuple(self.x.shape[axis] for axis in order[-self.rank :])
        check_sizes(self.function, self.names[0], self.small, axis_names(self.rank))

    def convert(self, argument: str, dtype: Any) -> None:
        """Convert input and kernel to a wider dtype before any product is taken."""
        try:
            self.x, self.kernel = cast(self.x, dtype), cast(self.kernel, dtype)
        except (TypeError, ValueError, AttributeError):
            msg = message(
                self.function,
                argument,
                "must be a dtype of the arrays' library",
                f"{shown(dtype)} of type {type(dtype).__name__}",
            )
            raise BackendError(msg) from None
        # A cast may lead to what cannot be multiplied, such as truth values.
        engine = backend_for(self.function, self.backend, x=self.x, kernel=self.kernel)
        self.x = engine.asarray(self.function, self.names[0], self.x)
        self.kernel = engine.asarray(self.function, self.names[1], self.kernel)

    def transposed(
        self,
        read: Callable[[Arguments], Geometry],
        *,
        cropping: str = "padding",
        grouping: str = "groups",
        bias_column: bool = False,
    ) -> Any:
        """Read the options and run the transposed convolution.

        ``cropping`` and ``grouping`` are the framework's names of the arguments that crop
        and that count groups; ``bias_column`` is for biases of shape (C_out, 1, ..., 1).
        """
        geometry = self.read(read)
        self.rule.check_groups(
            self.function, grouping, self.names[1], self.kernel, geometry.groups
        )
        kernel = self.rule.canonical(self.kernel, geometry.groups)
        if kernel.shape[0] != self.channels:
            self._refuse_channels(kernel.shape[0])
        self._check_results(cropping, geometry)
        big_channels = kernel.shape[1] * geometry.groups
        spec = ConvSpec(
            geometry.axes,
            geometry.groups,
            self.channels,
            big_channels,
            geometry.padding_mode,
            self.layout,
        )
        result = spec.conv_transpose(
            self.x,
            kernel,
            self._bias((big_channels,) + (1,) * self.rank * bias_column),
            algorithm=self.arguments["algorithm"],
            backend=self.backend,
            precision=self.arguments.get("precision"),
        )
        if self.layout is not None:
            return result
        inverse = tuple(self.out_order.index(axis) for axis in range(len(self.out_order)))
        return permute(result, inverse)

    def _check_results(self, cropping: str, geometry: Geometry) -> None:
        for name, axis in zip(axis_names(self.rank), geometry.axes, strict=True):
            if axis.big < 1:
                msg = message(
                    self.function,
                    cropping,
                    "must leave at least one element of the result",
                    f"a result of size {axis.big}",
                    axis=name,
                )
                raise GeometryError(msg)

    def _bias(self, wanted: tuple[int, ...]) -> Any:
        if self.bias is None:
            return None
        if tuple(self.bias.shape) != wanted:
            msg = message(
                self.function,
                self.names[2],
                f"must have one value per output channel, shape {wanted}",
                f"shape {tuple(self.bias.shape)}",
            )
            raise GeometryError(msg)
        return reshape(self.bias, wanted[:1])

    def _refuse_channels(self, wanted: int) -> None:
        msg = message(
            self.function,
            self.names[0],
            f"must have as many channels as `{self.names[1]}`, of shape "
            f"{self.rule.shape}, takes: {wanted}",
            f"{self.channels}",
        )
        raise GeometryError(msg)


def _layout(order: tuple[int, ...], rank: int) -> str | None:
    """Write an order of axes as a layout string; None where there is none."""
    space = order[-rank:]
    if rank not in SPATIAL or list(space) != sorted(space):
        return None
    letters = ("N" if len(order) == rank + 2 else "") + "C" + SPATIAL[rank][-1]
    return "".join(letters[order.index(axis)] for axis in range(len(order)))
