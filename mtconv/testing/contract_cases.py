"""The problems on which the contract of backends is checked, with what loops give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.planning.support import Support
from mtconv.problem.shapes import conv_transpose_shape
from mtconv.spec import ConvSpec
from mtconv.testing.case import Case
from mtconv.testing.reference import (
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)

__all__ = [
    "GEOMETRIES",
    "LAYOUTS",
    "MapCall",
    "calls",
    "declared",
    "long_sums",
    "make_case",
]

Geometry = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]

# Shapes of x and kernel, and the options of `conv_transpose`. No two sizes that could be
# taken for one another are equal.
GEOMETRIES: dict[str, Geometry] = {
    "stride and padding": (
        (2, 3, 5, 4),
        (3, 2, 3, 2),
        {"stride": (2, 3), "padding": ((1, 0), (0, 1)), "output_padding": (1, 2)},
    ),
    "gaps between taps": (
        (1, 2, 4, 3),
        (2, 3, 2, 3),
        {"stride": (3, 2), "dilation": (2, 4), "padding": ((2, 1), (0, 3))},
    ),
    "negative padding": ((2, 1, 5), (1, 2, 3), {"stride": 2, "padding": ((-2, -1),)}),
    "no channels": ((4, 5), (3, 2), {"stride": (1, 2)}),
    "no batch, kernel beyond the result": ((2, 3), (2, 3, 7), {"padding": 3}),
    "depthwise, stride beyond the kernel": (
        (2, 4, 5),
        (4, 1, 3),
        {"stride": 5, "groups": 4, "padding": ((0, 1),)},
    ),
    "groups": (
        (1, 4, 3, 4),
        (4, 3, 2, 3),
        {"stride": (2, 1), "groups": 2, "padding": ((0, 1), (1, 1))},
    ),
    "one element": ((1, 2, 1), (2, 3, 1), {"stride": 3, "output_size": 2}),
    "volume": (
        (1, 2, 3, 2, 4),
        (2, 1, 2, 1, 3),
        {"stride": (2, 1, 2), "padding": ((1, 0), (0, 0), (1, 1))},
    ),
    "four axes": ((1, 1, 2, 3, 2, 2), (1, 2, 2, 1, 1, 2), {"stride": (1, 2, 1, 3)}),
}

LAYOUTS: dict[str, Geometry] = {
    "channels last": (
        (2, 5, 4, 3),
        (3, 2, 2, 3),
        {"layout": "NHWC", "kernel_layout": "HWOI", "stride": (2, 1)},
    ),
    "batch last": (
        (3, 4, 5, 2),
        (2, 3, 2, 3),
        {"layout": "CWHN", "kernel_layout": "OIWH", "stride": (1, 2)},
    ),
    "no batch": ((5, 2), (3, 2, 4), {"layout": "LC", "kernel_layout": "LIO", "stride": 2}),
    "no channels": ((2, 4, 3), (2, 3), {"layout": "NHW", "kernel_layout": "HW"}),
}


class MapCall(NamedTuple):
    """One call of a map, and the values that plain loops give."""

    form: str
    arrays: tuple[NDArray[Any], ...]
    options: dict[str, Any]
    expected: NDArray[Any]


def declared(geometries: dict[str, Geometry], support: Support) -> Iterator[Geometry]:
    """Yield the geometries that a backend declares."""
    for geometry in geometries.values():
        x_shape, kernel_shape, options = geometry
        spec = ConvSpec.from_shapes(x_shape, kernel_shape, **options)
        few_axes = support.most_axes is None or spec.rank <= support.most_axes
        if few_axes and (spec.groups == 1 or support.groups):
            yield geometry


def make_case(geometry: Geometry, *, imaginary: bool = False) -> Case:
    """Make a case of integers from -4 to 4, as int64 or complex128."""
    x_shape, kernel_shape, options = geometry
    y_shape = conv_transpose_shape(x_shape, kernel_shape, **options)
    rng = np.random.default_rng(5)

    def integers(shape: tuple[int, ...]) -> NDArray[Any]:
        values = rng.integers(-4, 5, shape)
        return values + 1j * rng.integers(-4, 5, shape) if imaginary else values

    x, kernel, y = map(integers, (x_shape, kernel_shape, y_shape))
    return Case(x, kernel, y, None, options)


def calls(case: Case, maps: tuple[str, ...], *, bias: bool = False) -> Iterator[MapCall]:
    """Yield a call of each of these maps, with a bias where the map can have one."""
    x, kernel, y = case.x, case.kernel, case.y
    if "conv_transpose" in maps:
        values = _bias(case.spec.big_channels) if bias else ()
        expected = reference_conv_transpose(x, kernel, *values, **case.options)
        yield MapCall("conv_transpose", (x, kernel, *values), case.options, expected)
    options = case.conv_options
    if "conv" in maps:
        values = _bias(case.spec.small_channels) if bias else ()
        expected = reference_conv(y, kernel, *values, **options)
        yield MapCall("conv", (y, kernel, *values), options, expected)
    options = case.grad_options
    if "kernel_grad" in maps and not bias:
        expected = reference_kernel_grad(x, y, **options)
        yield MapCall("kernel_grad", (x, y), options, expected)


def _bias(channels: int | None) -> tuple[NDArray[Any], ...]:
    """Return another number for each channel; nothing where there are no channels."""
    return () if channels is None else (np.arange(channels) * 5 - 3,)


def long_sums(large: int) -> Iterator[MapCall]:
    """Yield a sum of 32 ones, a large number and 32 ones, over what each map sums over.

    Where one more than the large number is no number of the dtype, sums in that dtype lose
    ones, whichever end they begin at.
    """
    terms, ones = np.ones(65), np.ones((1, 1, 65))
    terms[32] = large
    expected = np.full((1, 1, 1), large + 64)
    channels = terms.reshape(1, 65, 1), ones.reshape(65, 1, 1)
    yield MapCall("conv_transpose", channels, {}, expected)
    yield MapCall("conv", (terms.reshape(1, 1, 65), ones), {}, expected)
    elements = terms.reshape(1, 1, 65), ones
    yield MapCall("kernel_grad", elements, {"kernel_size": (1,)}, expected)
