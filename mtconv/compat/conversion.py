"""Kernels and options of one framework, rewritten for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from mtconv.backends.dispatch import backend_for
from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.conventions.framework import Framework, Options
from mtconv.conventions.kernel import depthwise_kernel, plain_kernel
from mtconv.errors import GeometryError, message, shown
from mtconv.geometry import Axis
from mtconv.problem.layout import axis_names
from mtconv.problem.options import check_word, freeze_sizes

__all__ = ["FORMS", "convert", "convert_kernel", "framework"]

FORMS = ("conv_transpose", "conv", "depthwise", "linear")

# Sizes only matter where an option names one; elsewhere any size gives the same options.
_ANY_SIZE = 1 << 20


def framework(function: str, argument: str, name: Any) -> Framework:
    """Look up a framework by the name that an argument has."""
    return FRAMEWORKS[check_word(function, argument, name, tuple(FRAMEWORKS))]


def convert_kernel(
    kernel: Any,
    src: str,
    dst: str,
    groups: int = 1,
    *,
    form: str = "conv_transpose",
    multiplier: int = 1,
) -> Any:
    """Rearrange a kernel for another framework.

    The converted kernel in ``dst``'s call gives what the kernel in ``src``'s call gave,
    for the same geometry; see `convert` for the options.

    Parameters
    ----------
    kernel : array
        The kernel as ``src`` stores it, of any array library.
    src, dst : str
        Names of frameworks, as in the first table of the page on conventions: "torch",
        "jax", "flax", ... "matlab" is two-dimensional, without channels.
    groups : int
        Number of groups; only transposed kernels depend on it.
    form : str
        What the kernel belongs to: "conv_transpose", "conv" for a plain convolution,
        "depthwise" for a convolution with as many groups as channels, which "keras" and
        "tensorflow" store as ``(*k, C, M)``, or "linear" for a layer without space.
    multiplier : int
        With "depthwise", the results ``M`` of each channel, where ``src`` does not store
        them apart.

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
    >>> convert_kernel(np.array([[[1, 2, 3]]]), "torch", "jax", form="conv")[:, 0, 0]
    array([1, 2, 3])
    """
    function = "convert_kernel"
    source, target = framework(function, "src", src), framework(function, "dst", dst)
    engine = backend_for(function, None, kernel=kernel)
    kernel = engine.asarray(function, "kernel", kernel)
    form = check_word(function, "form", form, FORMS)
    return rearranged(function, kernel, source, target, groups, form, multiplier)


def rearranged(
    function: str,
    kernel: Any,
    source: Framework,
    target: Framework,
    groups: int,
    form: str,
    multiplier: int,
) -> Any:
    """Rearrange a kernel of any dtype, as `convert_kernel` does."""
    call = Arguments(function, {"groups": groups, "multiplier": multiplier}, (), ())
    groups, multiplier = call.count("groups"), call.count("multiplier")
    if form != "conv_transpose":
        for argument, row in (("src", source), ("dst", target)):
            if not row.order(form):
                call.refuse(argument, f"must have kernels of the form {form!r}", row.name)
        orders = source.order(form), target.order(form)
        if form == "depthwise":
            return depthwise_kernel(function, kernel, *orders, multiplier)
        return plain_kernel(function, kernel, *orders)
    if groups != 1 and not target.kernel.divided:
        fix = "Convert and run one group at a time."
        call.refuse("groups", f"must be 1: {target.name} has no groups", groups, fix=fix)
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
        defaults. Leave out data formats, except TensorFlow's, which determines what
        ``output_shape`` means.
    src, dst : str
        As in `convert_kernel`.
    kernel_size : sequence of int
        Number of taps along each spatial axis.
    input_size : sequence of int, optional
        Spatial size of the input; needed where the meaning of the options depends on
        it: with an output size or shape, and with padding words that depend on the size.

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
    convert_kernel : converts the kernel that goes with the options.

    Examples
    --------
    >>> convert({"stride": 2, "padding": 1}, "torch", "jax", kernel_size=(3,))
    {'strides': (2,), 'padding': ((1, 1),), 'rhs_dilation': (1,)}
    """
    source, target = framework("convert", "src", src), framework("convert", "dst", dst)
    taps = _sizes("kernel_size", kernel_size)
    if not isinstance(options, Mapping):
        rule, got = "must be a mapping of names to values", type(options).__name__
        raise GeometryError(message("convert", "options", rule, got))
    for name in options:
        if name not in source.options:
            rule = f"must be options of {source.name}: {', '.join(source.options)}"
            raise GeometryError(message("convert", "options", rule, shown(name)))
    small = None if input_size is None else _sizes("input_size", input_size)
    if small is not None and len(small) != len(taps):
        rule = f"must have as many sizes as kernel_size, {len(taps)}"
        raise GeometryError(message("convert", "input_size", rule, small))
    if small is None and source.needs_size(options):
        _need_size(source)
    geometry = source.geometry("convert", options, small or (_ANY_SIZE,) * len(taps), taps)
    rewritten = target.options_for(geometry, sized=small is not None)
    for reason, fix in target.refusals(geometry):
        _refuse(target, geometry, reason, fix or _slices(target, geometry))
    if rewritten is not None:
        return rewritten
    if small is None and target.options_for(geometry, sized=True) is not None:
        _need_size(target)
    return _refuse(target, geometry, target.file.LIMIT, _slices(target, geometry))


def _need_size(row: Framework) -> NoReturn:
    msg = message(
        "convert",
        "input_size",
        f"must be given: what these options mean in {row.name} depends on it",
        None,
        fix="Give the spatial size of the input, one integer per axis.",
    )
    raise GeometryError(msg)


def _refuse(target: Framework, geometry: Geometry, reason: str, fix: str) -> NoReturn:
    """Raise what a conversion says where the target cannot express a geometry."""
    if not fix and geometry.padding_mode not in target.padding_modes:
        names = [
            row.name
            for row in FRAMEWORKS.values()
            if geometry.padding_mode in row.padding_modes
        ]
        fix = f"padding_mode={geometry.padding_mode!r} is known to {', '.join(names)}."
    steps = "".join(
        f"{field}={geometry.per_axis(field)}, "
        for field, option in (("stride", target.stride), ("dilation", target.dilation))
        if not option
    )
    msg = message(
        "convert",
        "options",
        f"cannot be said in {target.name}: {reason}",
        f"crops (lo, hi) = {geometry.crops}, {steps}groups={geometry.groups}, "
        f"padding_mode={geometry.padding_mode!r}",
        fix=fix,
    )
    raise GeometryError(msg)


def _slices(target: Framework, geometry: Geometry) -> str:
    """Write what the target can run instead, and what to slice afterwards."""
    if geometry.padding_mode != "zeros":
        return ""
    whole = geometry._replace(axes=tuple(map(_uncropped, geometry.axes)))
    options: Options | None = target.options_for(whole, sized=True)
    if options is None:
        return ""
    steps = []
    for name, axis in zip(axis_names(len(geometry.axes)), geometry.axes, strict=True):
        ends = [
            f"{'drop' if amount > 0 else 'add'} {abs(amount)} at the {end} end"
            for amount, end in ((axis.lo, "low"), (axis.hi, "high"))
            if amount
        ]
        steps.append(f"axis {name}: {' and '.join(ends) or 'keep all'}")
    call = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return f"Run {target.name} with {call} and then, before any bias, {'; '.join(steps)}."


def _uncropped(axis: Axis) -> Axis:
    return Axis(axis.small, axis.full, axis.kernel, axis.stride, axis.dilation, 0)


def _sizes(argument: str, value: Any) -> tuple[int, ...]:
    """Read one size for each spatial axis, each at least 1."""
    sizes = freeze_sizes("convert", argument, value)
    if isinstance(sizes, int) or not sizes or min(sizes) < 1:
        rule = "must be a sequence of sizes, each at least 1"
        fix = "One integer per spatial axis, for example (3,)."
        raise GeometryError(message("convert", argument, rule, shown(sizes), fix=fix))
    return sizes
