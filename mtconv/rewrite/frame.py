"""What all rewrites share: arrays in canonical order, kernels by tables, depth to space."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

from mtconv.backends._array_api.library import Library
from mtconv.backends.arrange import arranged, canonical
from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import library_of
from mtconv.errors import GeometryError, message, renamed
from mtconv.problem.build import match
from mtconv.problem.layout import Arrangement, resolve_layouts
from mtconv.spec import ConvSpec

__all__ = ["Rewritten", "checked_arrays", "filled", "rearranged", "shuffled", "widened"]


def checked_arrays(function: str, spec: ConvSpec, kernel: Any, bias: Any) -> Any:
    """Check kernel and bias against a spec; return them with the functions for them.

    The kernel comes in canonical order, with channels.
    """
    if spec.padding_mode != "zeros":
        rule = "must have padding_mode='zeros'"
        fix = "Pad the input of the convolution beforehand."
        msg = message(function, "spec", rule, repr(spec.padding_mode), fix=fix)
        raise GeometryError(msg)
    engine = backend_for(function, None, kernel=kernel, bias=bias)
    kernel = engine.asarray(function, "kernel", kernel)
    wanted = spec.big_channels
    if bias is not None:
        bias = engine.asarray(function, "bias", bias)
        if wanted is None or tuple(bias.shape) != (wanted,):
            rule = "must have one value per output channel of a kernel with channels"
            msg = message(function, "bias", rule, f"shape {tuple(bias.shape)}")
            raise GeometryError(msg)
    functions = library_of(engine, kernel, bias)
    with renamed("conv_transpose", function):
        problem = match("conv_transpose", spec, _shapes(spec)[0], tuple(kernel.shape))
    place = problem.kernel
    kernel = canonical(kernel, place, functions.permute)
    return functions.reshape(kernel, spec.kernel_shape), bias, functions


def _shapes(spec: ConvSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of an input, with one item in its batch, and of the kernel."""
    with_channels = spec.small_channels is not None
    layout = spec.layout
    if layout is None and not with_channels and spec.rank > 2:
        layout = "DHW"
    kernel_ndim = spec.rank + 2 * with_channels
    data, kernel, _ = resolve_layouts(
        "rewrite", "x", None, kernel_ndim, layout, spec.kernel_layout, "I"
    )
    x = (1,) * data.batch + spec.kernel_shape[:1] * data.channels + spec.small
    w = spec.kernel_shape[:2] * with_channels + spec.kernel_size
    return _written(x, data), _written(w, kernel)


def _written(shape: tuple[int, ...], place: Arrangement) -> tuple[int, ...]:
    """Return a canonical shape in the user's order."""
    order = place.inverse
    return shape if order is None else tuple(shape[axis] for axis in order)


def filled(functions: Library, array: Any, table: NDArray[Any]) -> Any:
    """Look up the elements of an array by their numbers; those behind the end are zero."""
    flat = functions.reshape(array, (prod(array.shape),))
    flat = functions.concat([flat, functions.zeros((1,), flat)], 0)
    index = functions.native(table.reshape(-1), flat)
    return functions.reshape(functions.take(flat, index, 0), table.shape)


def rearranged(functions: Library, y: Any, block: tuple[int, ...]) -> Any:
    """Shuffle channels to space: (N, C * prod(block), *t) to (N, C, *(t * block)).

    Among the channels, those of the result come first and the phases second.
    """
    batch, channels, *space = y.shape
    rank = len(block)
    y = functions.reshape(y, (batch, channels // prod(block), *block, *space))
    pairs = (axis for a in range(rank) for axis in (2 + rank + a, 2 + a))
    y = functions.permute(y, (0, 1, *pairs))
    sizes = (size * step for size, step in zip(space, block, strict=True))
    return functions.reshape(y, (batch, channels // prod(block), *sizes))


def shuffled(functions: Library, y: Any, spec: ConvSpec) -> Any:
    """Shuffle phases to space and crop what is beyond the result."""
    y = rearranged(functions, y, tuple(axis.stride for axis in spec.axes))
    return y[(..., *(slice(0, size) for size in spec.big))]


def widened(functions: Library, x: Any, axis: int, step: int) -> Any:
    """Put ``step - 1`` zeros between the elements of an axis."""
    shape = tuple(x.shape)
    if step == 1:
        return x
    x = functions.reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    gap = (*shape[: axis + 1], step - 1, *shape[axis + 1 :])
    x = functions.concat([x, functions.zeros(gap, x)], axis + 1)
    x = functions.reshape(x, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
    last = (shape[axis] - 1) * step + 1
    return x[(*(slice(None),) * axis, slice(0, last))]


@dataclass(frozen=True, eq=False)
class Rewritten:
    """A transposed convolution in another form; calling it applies it.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution.
    """

    spec: ConvSpec

    def __call__(self, x: Any) -> Any:
        """Apply the rewritten form.

        Parameters
        ----------
        x : array
            As ``spec.conv_transpose`` takes it.

        Returns
        -------
        array
            What ``spec.conv_transpose(x, kernel, bias)`` returns.
        """
        function = type(self).__name__
        kernel = self._kernel()
        engine = backend_for(function, None, x=x, kernel=kernel)
        x = engine.asarray(function, "x", x)
        functions = library_of(engine, x, kernel)
        shape = _shapes(self.spec)[1]
        with renamed("conv_transpose", function):
            place = match("conv_transpose", self.spec, tuple(x.shape), shape).data
        x = functions.native(x, kernel)
        result = self._apply(functions, canonical(x, place, functions.permute))
        return arranged(result, place, functions.permute)

    def _kernel(self) -> Any:
        """Return an array whose library is that of the form."""
        raise NotImplementedError

    def _apply(self, functions: Library, x: Any) -> Any:
        """Apply the form to x of shape (N, C, *small)."""
        raise NotImplementedError
