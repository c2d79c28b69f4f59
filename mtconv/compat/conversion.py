"""Kernels and options of one framework, rewritten for another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from mtconv.backends.dispatch import backend_for
from mtconv.compat import (
    equinox,
    flax,
    haiku,
    jax,
    keras,
    matlab,
    mlx,
    onnx,
    tensorflow,
    tinygrad,
    torch,
)
from mtconv.compat._geometry import Geometry, group_count, refuse, word
from mtconv.compat._kernel import KernelRule
from mtconv.errors import GeometryError, message, shown
from mtconv.problem.options import freeze_sizes
from mtconv.spec import ConvSpec

__all__ = ["CONVENTIONS", "convert", "convert_kernel"]

# Sizes only matter where an option names one; elsewhere any size gives the same options.
_ANY_SIZE = 1 << 20


class Convention(NamedTuple):
    """The kernel rule of a framework, and its options read and written."""

    kernel: KernelRule
    read: Callable[..., Geometry]
    write: Callable[[Geometry], dict[str, Any]]


def _read_mtconv(
    function: str,
    small: tuple[int, ...],
    taps: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    output_size: Any = None,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Geometry:
    """Read the options of `mtconv.conv_transpose`."""
    spec = ConvSpec.from_shapes(
        (1, 1, *small),
        (1, 1, *taps),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        output_size=output_size,
        dilation=dilation,
        padding_mode=padding_mode,
    )
    return Geometry(spec.axes, group_count(function, "groups", groups), padding_mode)


def _write_mtconv(found: Geometry) -> dict[str, Any]:
    """Write a geometry in the options of `mtconv.conv_transpose`."""
    extra = tuple(min(max(-axis.hi, 0), axis.stride - 1) for axis in found.axes)
    pads = tuple((axis.lo, axis.hi + q) for axis, q in zip(found.axes, extra, strict=True))
    if found.padding_mode != "zeros" and min(map(min, pads)) < 0:
        refuse("mtconv", found, "only padding_mode='zeros' has negative padding")
    return {
        "stride": tuple(axis.stride for axis in found.axes),
        "padding": pads,
        "output_padding": extra,
        "dilation": tuple(axis.dilation for axis in found.axes),
        "groups": found.groups,
        "padding_mode": found.padding_mode,
    }


CONVENTIONS = {
    "mtconv": Convention(torch.KERNEL, _read_mtconv, _write_mtconv),
    "torch": Convention(torch.KERNEL, torch.geometry, torch.options),
    "jax": Convention(jax.KERNEL, jax.geometry, jax.options),
    "jax_transpose_kernel": Convention(
        jax.KERNEL_TRANSPOSED,
        jax.geometry,
        lambda found: jax.options(found) | {"transpose_kernel": True},
    ),
    "flax": Convention(flax.KERNEL, flax.geometry, flax.options),
    "flax_transpose_kernel": Convention(
        flax.KERNEL_TRANSPOSED,
        partial(flax.geometry, transpose_kernel=True),
        partial(flax.options, transpose_kernel=True),
    ),
    "haiku": Convention(haiku.KERNEL, haiku.geometry, haiku.options),
    "equinox": Convention(equinox.KERNEL, equinox.geometry, equinox.options),
    "keras": Convention(keras.KERNEL, keras.geometry, keras.options),
    "tensorflow": Convention(tensorflow.KERNEL, tensorflow.geometry, tensorflow.options),
    "onnx": Convention(onnx.KERNEL, onnx.geometry, onnx.options),
    "tinygrad": Convention(tinygrad.KERNEL, tinygrad.geometry, tinygrad.options),
    "mlx": Convention(mlx.KERNEL, mlx.geometry, mlx.options),
    "matlab": Convention(matlab.KERNEL, matlab.geometry, matlab.options),
}


def convert_kernel(kernel: Any, src: str, dst: str, groups: int = 1) -> Any:
    """Rearrange the kernel of a transposed convolution for another framework.

    The converted kernel in ``dst``'s call gives what the kernel in ``src``'s call gave,
    for the same geometry; see `convert` for the options.

    Parameters
    ----------
    kernel : array
        The kernel as ``src`` stores it, of any array library.
    src, dst : str
        "mtconv", "torch", "jax", "flax", "haiku", "equinox", "keras", "tensorflow",
        "onnx", "tinygrad", "mlx", "matlab" (two-dimensional, without channels),
        "jax_transpose_kernel" or "flax_transpose_kernel".
    groups : int
        Number of groups.

    Returns
    -------
    array
        The kernel as ``dst`` stores it: a view where that is possible.

    Raises
    ------
    GeometryError
        If a name is unknown, or if the kernel and groups do not fit either convention.

    Examples
    --------
    >>> import numpy as np
    >>> convert_kernel(np.array([[[1, 2, 3]]]), "torch", "jax")[:, 0, 0]
    array([3, 2, 1])
    """
    function = "convert_kernel"
    source, target = _convention("src", src, function), _convention("dst", dst, function)
    engine = backend_for(function, None, kernel=kernel)
    kernel = engine.asarray(function, "kernel", kernel)
    groups = group_count(function, "groups", groups)
    if groups != 1 and not target.kernel.divided:
        msg = message(
            function,
            "groups",
            f"must be 1: {dst} has no groups",
            groups,
            fix="Convert and run one group at a time.",
        )
        raise GeometryError(msg)
    source.kernel.rank(function, "kernel", kernel)
    source.kernel.check_groups(function, "groups", "kernel", kernel, groups)
    canonical = source.kernel.canonical(kernel, groups)
    return target.kernel.from_canonical(function, canonical, groups)


def convert(
    options: Mapping[str, Any],
    src: str,
    dst: str,
    *,
    kernel_size: Sequence[int],
    input_size: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Rewrite the options of a transposed convolution for another framework.

    Parameters
    ----------
    options : mapping
        Options of ``src``'s call by name, groups included; those left out have their
        defaults. Data formats are left out, but for TensorFlow's, which says what
        ``output_shape`` means.
    src, dst : str
        As in `convert_kernel`.
    kernel_size : sequence of int
        Number of taps along each spatial axis.
    input_size : sequence of int, optional
        Spatial size of the input; needed where either framework's options name sizes:
        always for "tensorflow" and "matlab", otherwise with an output size or shape.

    Returns
    -------
    dict
        Options of ``dst``'s call. TensorFlow's ``output_shape`` has None for batch and
        channels; groups are not among its options, so from there they are always 1.

    Raises
    ------
    GeometryError
        If ``dst`` cannot express the geometry; the message says what to run and slice
        instead.

    See Also
    --------
    convert_kernel : the kernel that goes with them.

    Examples
    --------
    >>> convert({"stride": 2, "padding": 1}, "torch", "jax", kernel_size=(3,))
    {'strides': (2,), 'padding': ((1, 1),), 'rhs_dilation': (1,)}
    """
    source, target = _convention("src", src, "convert"), _convention("dst", dst, "convert")
    taps = _sizes("kernel_size", kernel_size)
    if not isinstance(options, Mapping):
        rule, got = "must be a mapping of names to values", type(options).__name__
        raise GeometryError(message("convert", "options", rule, got))
    known = list(inspect.signature(source.read).parameters)[3:]
    for name in options:
        if name not in known:
            rule = f"must be options of {src}: {', '.join(known)}"
            raise GeometryError(message("convert", "options", rule, shown(name)))
    names_sizes = {"output_shape", "output_size", "m", "n"}
    sized = src in ("tensorflow", "matlab") or any(
        options.get(name) is not None for name in names_sizes & set(known)
    )
    if input_size is None and (sized or dst in ("tensorflow", "matlab")):
        msg = message(
            "convert",
            "input_size",
            "must be given where options name sizes",
            None,
            fix="Give the spatial size of the input, one integer per axis.",
        )
        raise GeometryError(msg)
    small = (_ANY_SIZE,) * len(taps)
    if input_size is not None:
        small = _sizes("input_size", input_size)
        if len(small) != len(taps):
            rule = f"must have as many sizes as kernel_size, {len(taps)}"
            raise GeometryError(message("convert", "input_size", rule, small))
    return target.write(source.read("convert", small, taps, **options))


def _sizes(argument: str, value: Any) -> tuple[int, ...]:
    """Read one size for each spatial axis, each at least 1."""
    sizes = freeze_sizes("convert", argument, value)
    if isinstance(sizes, int) or not sizes or min(sizes) < 1:
        rule = "must be a sequence of sizes, each at least 1"
        fix = "One integer per spatial axis, for example (3,)."
        raise GeometryError(message("convert", argument, rule, shown(sizes), fix=fix))
    return sizes


def _convention(argument: str, name: str, function: str) -> Convention:
    return CONVENTIONS[word(function, argument, name, tuple(CONVENTIONS))]
