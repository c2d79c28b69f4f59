"""What a `ConvTranspose` node of ONNX says, as a spec, and what cannot be rewritten."""

from __future__ import annotations

from math import prod
from types import NoneType
from typing import Any, NoReturn

from numpy.typing import NDArray

from mtconv.compat import onnx as convention
from mtconv.conventions.arguments import Arguments, Geometry
from mtconv.errors import GeometryError, message
from mtconv.rewrite.onnx_sizes import Size, attributes_of
from mtconv.rewrite.taps import dense_axis
from mtconv.spec import ConvSpec

__all__ = ["MOST_BYTES", "check_bias", "node_spec", "refuse"]

_DEFAULTS: dict[str, Any] = {
    "auto_pad": "NOTSET",
    "dilations": None,
    "group": 1,
    "kernel_shape": None,
    "output_padding": None,
    "output_shape": None,
    "pads": None,
    "strides": None,
}
_LISTS = ("dilations", "kernel_shape", "output_padding", "output_shape", "pads", "strides")
_NUMBERS = ("dilations", "output_padding", "pads", "strides")
_LARGEST = 2**31 - 1
_MOST_PHASES = 2**16
MOST_BYTES = 2**31  # that a file of ONNX can have


def refuse(rule: str, got: str, fix: str = "") -> NoReturn:
    """Raise for a model that cannot be rewritten."""
    raise GeometryError(message("rewrite", "source", rule, got, fix=fix))


def node_spec(name: str, node: Any, kernel: NDArray[Any], known: Size | None) -> ConvSpec:
    """Return the geometry of a node, with sizes that stand for all where some are unknown.

    What is cropped at both ends does not depend on the size, unless one is asked for.
    """
    if kernel.ndim < 3 or 0 in kernel.shape:
        rule = "must have kernels with at least one spatial axis, and not empty"
        refuse(rule, f"node {name!r} with a kernel of shape {kernel.shape}")
    options, taps = {**_DEFAULTS, **attributes_of(node)}, kernel.shape[2:]
    for word in _LISTS:
        if not isinstance(options[word], (list, tuple, NoneType)):
            refuse(f"must have nodes whose {word} are lists", f"node {name!r}")
    if known is not None and (len(known) != kernel.ndim or _differ(known[1], len(kernel))):
        rule = "must have inputs with as many axes and channels as their kernels"
        refuse(rule, f"node {name!r} with shapes {known} and {kernel.shape}")
    space = tuple(n for n in (known or ())[2:] if n is not None)
    if len(space) < len(taps):
        if options["output_shape"]:
            rule = "must have known sizes where a node asks for an output_shape"
            fix = "State the sizes of the model's inputs, or pads in place of output_shape."
            refuse(
                rule, f"node {name!r} with sizes that do not follow from the inputs", fix
            )
        space = _stand_in(options, taps)
    arguments = Arguments(f"node {name!r}", options, space, taps)
    geometry = convention.read(arguments)
    _check_magnitude(name, options, geometry)
    _check_reach(name, options, geometry)
    small, share = kernel.shape[:2]
    if any(axis.big < 1 for axis in geometry.axes) or small % geometry.groups:
        rule = "must have nodes with results, whose groups divide their channels"
        refuse(rule, f"node {name!r}")
    spec = ConvSpec(geometry.axes, geometry.groups, small, share * geometry.groups)
    _check_bytes(name, spec, kernel.itemsize)
    return spec


def check_bias(name: str, spec: ConvSpec, bias: NDArray[Any]) -> None:
    """Refuse a bias that does not have one value for each output channel."""
    if bias.shape != (spec.big_channels,):
        rule = f"must have biases with one value per output channel, {spec.big_channels}"
        refuse(rule, f"node {name!r} with a bias of shape {bias.shape}")


def _differ(size: int | None, other: int) -> bool:
    return size is not None and size != other


def _stand_in(options: dict[str, Any], taps: tuple[int, ...]) -> tuple[int, ...]:
    """Return sizes that are large enough for any crop."""
    pads = options["pads"] or (0,)
    return (max(options["dilations"] or (1,)) * max(taps) + 2 * sum(pads) + 2,) * len(taps)


def _check_magnitude(name: str, options: dict[str, Any], geometry: Geometry) -> None:
    """Refuse numbers whose sums a node might not be able to hold."""
    numbers = {word: options[word] or (0,) for word in _NUMBERS}
    numbers["sizes"] = (*geometry.per_axis("small"), *geometry.per_axis("big"))
    for word, row in numbers.items():
        if max(row) > _LARGEST:
            rule = f"must have nodes whose {word} are at most {_LARGEST}"
            refuse(rule, f"node {name!r} with {max(row)}")


def _check_reach(name: str, options: dict[str, Any], geometry: Geometry) -> None:
    """Refuse a size that is asked for by a word and that the kernel does not reach.

    The standard has n*stride elements with SAME, and onnxruntime as many as are reached.
    """
    extra = options["output_padding"] or (0,) * len(geometry.axes)
    word = options["auto_pad"]
    if options["output_shape"] or word[:4] not in (b"SAME", "SAME"):
        return
    if any(axis.full + q < axis.big for axis, q in zip(geometry.axes, extra, strict=True)):
        rule = "must have nodes whose sizes are the same in the standard and in onnxruntime"
        got = (
            f"node {name!r} with auto_pad={word.decode()!r}, where kernel and "
            "output_padding are shorter than the stride"
        )
        refuse(rule, got, "State pads and output_padding in place of auto_pad.")


def _check_bytes(name: str, spec: ConvSpec, itemsize: int) -> None:
    """Refuse a kernel that no file holds, before it is made."""
    block = tuple(axis.stride for axis in spec.axes)
    if prod(block) > _MOST_PHASES:
        rule = f"must have nodes whose strides have a product of at most {_MOST_PHASES}"
        refuse(rule, f"node {name!r} with strides {block}")
    taps = (dense_axis(axis).kernel for axis in spec.axes)
    channels = prod(spec.kernel_shape[:2]) * prod(block)
    size = channels * prod(taps) * itemsize
    if size >= MOST_BYTES:
        rule = "must have nodes whose rewritten kernels have less than 2 GiB"
        refuse(rule, f"node {name!r}, which would need {size} bytes")
