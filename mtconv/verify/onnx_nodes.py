"""Nodes of ONNX's ConvTranspose and Conv: those of the core set, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.compat import convert
from mtconv.testing.reference import reference_conv, reference_conv_transpose
from mtconv.testing.values import random_values
from mtconv.verify.core import CoreCase, core_cases

__all__ = ["CONV", "TRANSPOSED", "Node", "core_nodes", "node_of", "options_of"]

TRANSPOSED, CONV = "ConvTranspose", "Conv"


@dataclass(frozen=True)
class Node:
    """A node with its inputs.

    Parameters
    ----------
    name : str
        What it is about: letters, digits and underscores.
    operator : str
        "ConvTranspose" or "Conv".
    arrays : tuple of numpy.ndarray
        X, W and, where there is a bias, B.
    attributes : dict
        Those that are written down; the others have their defaults.
    options : dict or None
        The same in the words of mtconv's call; None if a runtime has to refuse the node.
    """

    name: str
    operator: str
    arrays: tuple[NDArray[Any], ...]
    attributes: dict[str, Any]
    options: dict[str, Any] | None

    def result(self) -> NDArray[Any] | None:
        """Work out the output by plain loops; None if there is none."""
        if self.options is None:
            return None
        call = reference_conv_transpose if self.operator == TRANSPOSED else reference_conv
        return call(*self.arrays, **self.options)


@dataclass(frozen=True)
class _Outline:
    """A node without its values."""

    name: str
    operator: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    attributes: dict[str, Any]
    bias: int = 0  # number of its values; none for 0


# Nodes whose attributes leave paddings or sizes to the runtime, or are not there.
_BY_WORDS = (
    _Outline("defaults_1d", TRANSPOSED, (1, 2, 4), (2, 3, 3), {}),
    _Outline("defaults_2d", TRANSPOSED, (2, 2, 2, 3), (2, 1, 3, 2), {}, 1),
    _Outline(
        *("auto_pad_same_upper", TRANSPOSED, (1, 1, 4), (1, 2, 3)),
        {"auto_pad": "SAME_UPPER", "strides": [2]},
    ),
    _Outline(
        *("auto_pad_same_upper_2d", TRANSPOSED, (1, 2, 3, 2), (2, 1, 4, 3)),
        {"auto_pad": "SAME_UPPER", "strides": [1, 2]},
    ),
    _Outline(
        *("auto_pad_same_lower", TRANSPOSED, (1, 1, 4), (1, 2, 3)),
        {"auto_pad": "SAME_LOWER", "strides": [2]},
    ),
    _Outline(
        *("auto_pad_same_lower_2d", TRANSPOSED, (1, 2, 3, 2), (2, 1, 4, 3)),
        {"auto_pad": "SAME_LOWER", "strides": [1, 2]},
    ),
    _Outline(
        *("auto_pad_same_dilated", TRANSPOSED, (1, 1, 5), (1, 1, 2)),
        {"auto_pad": "SAME_UPPER", "strides": [1], "dilations": [3]},
    ),
    _Outline(
        *("auto_pad_same_output_padding", TRANSPOSED, (1, 1, 3), (1, 2, 4)),
        {"auto_pad": "SAME_LOWER", "strides": [3], "output_padding": [2]},
    ),
    _Outline(
        *("auto_pad_valid", TRANSPOSED, (1, 2, 4), (2, 1, 3)),
        {"auto_pad": "VALID", "strides": [2]},
    ),
    _Outline(
        *("output_shape", TRANSPOSED, (1, 2, 4), (2, 1, 4)),
        {"strides": [2], "output_shape": [7]},
    ),
    _Outline(
        *("output_shape_2d", TRANSPOSED, (1, 1, 2, 3), (1, 2, 4, 3)),
        {"strides": [3, 2], "output_shape": [6, 4]},
    ),
    _Outline(
        *("output_shape_same_upper", TRANSPOSED, (1, 2, 4), (2, 1, 4)),
        {"auto_pad": "SAME_UPPER", "strides": [2], "output_shape": [7]},
    ),
    _Outline(
        *("output_shape_same_lower", TRANSPOSED, (1, 1, 2, 3), (1, 2, 4, 3)),
        {"auto_pad": "SAME_LOWER", "strides": [3, 2], "output_shape": [6, 4]},
    ),
    _Outline(
        *("output_shape_output_padding", TRANSPOSED, (1, 1, 3), (1, 2, 3)),
        {"strides": [2], "output_shape": [5], "output_padding": [1]},
    ),
    _Outline("defaults_1d", CONV, (1, 2, 5), (3, 2, 3), {}),
    _Outline("defaults_2d", CONV, (2, 2, 4, 5), (1, 2, 3, 2), {}, 1),
    _Outline(
        *("auto_pad_same_upper", CONV, (1, 2, 6), (1, 2, 3)),
        {"auto_pad": "SAME_UPPER", "strides": [2]},
    ),
    _Outline(
        *("auto_pad_same_upper_2d", CONV, (1, 1, 5, 4), (2, 1, 4, 3)),
        {"auto_pad": "SAME_UPPER", "strides": [1, 2]},
    ),
    _Outline(
        *("auto_pad_same_lower", CONV, (1, 2, 6), (1, 2, 3)),
        {"auto_pad": "SAME_LOWER", "strides": [2]},
    ),
    _Outline(
        *("auto_pad_same_lower_2d", CONV, (1, 1, 5, 4), (2, 1, 4, 3)),
        {"auto_pad": "SAME_LOWER", "strides": [1, 2]},
    ),
    _Outline(
        *("auto_pad_same_dilated", CONV, (1, 1, 7), (1, 1, 2)),
        {"auto_pad": "SAME_UPPER", "dilations": [3]},
    ),
    _Outline(
        *("auto_pad_valid", CONV, (1, 2, 6), (1, 2, 3)),
        {"auto_pad": "VALID", "strides": [2]},
    ),
)

# Nodes that a runtime has to refuse.
_REFUSED = (
    _Outline("channels_of_x_and_w_differ", TRANSPOSED, (1, 3, 4), (2, 2, 3), {}),
    _Outline(
        "groups_do_not_divide_the_channels", TRANSPOSED, (1, 3, 4), (3, 2, 3), {"group": 2}
    ),
    _Outline(
        "one_stride_for_two_axes", TRANSPOSED, (1, 1, 4, 4), (1, 1, 3, 3), {"strides": [2]}
    ),
    _Outline("padding_leaves_nothing", TRANSPOSED, (1, 1, 2), (1, 1, 2), {"pads": [2, 2]}),
    _Outline("bias_of_the_wrong_length", TRANSPOSED, (1, 2, 4), (2, 3, 3), {}, 2),
    _Outline(
        "kernel_shape_is_not_w_s", TRANSPOSED, (1, 1, 4), (1, 1, 3), {"kernel_shape": [2]}
    ),
    _Outline("one_axis_and_two", TRANSPOSED, (1, 1, 4), (1, 1, 3, 3), {}),
    _Outline("channels_of_x_and_w_differ", CONV, (1, 3, 4), (2, 2, 3), {}),
    _Outline("groups_do_not_divide_the_outputs", CONV, (1, 4, 4), (3, 2, 3), {"group": 2}),
    _Outline("one_stride_for_two_axes", CONV, (1, 1, 4, 4), (1, 1, 3, 3), {"strides": [2]}),
    _Outline(
        "kernel_beyond_the_padded_input", CONV, (1, 1, 2), (1, 1, 7), {"pads": [1, 1]}
    ),
    _Outline("bias_of_the_wrong_length", CONV, (1, 2, 4), (3, 2, 3), {}, 2),
    _Outline("kernel_shape_is_not_w_s", CONV, (1, 1, 4), (1, 1, 3), {"kernel_shape": [2]}),
    _Outline("one_axis_and_two", CONV, (1, 1, 4), (1, 1, 3, 3), {}),
)


def core_nodes() -> Iterator[Node]:
    """Yield the nodes of the core set, always the same, and then what is refused.

    Negative paddings are left out, which ONNX does not have.
    """
    for core in core_cases():
        if min(end for pair in core.case.options["padding"] for end in pair) >= 0:
            yield _transposed(core)
            if not core.special:
                yield _plain(core)
    for rows, legal in ((_BY_WORDS, True), (_REFUSED, False)):
        for number, row in enumerate(rows):
            yield _built(row, number, legal)


def _transposed(core: CoreCase) -> Node:
    case = core.case
    arrays = [case.x, case.kernel]
    if core.bias is not None:
        arrays.append(core.bias)
    attributes = {**_attributes(core), "output_padding": list(core.extra)}
    return Node(
        *(f"convtranspose_{core.name}", TRANSPOSED, tuple(arrays), attributes),
        case.options,
    )


def _plain(core: CoreCase) -> Node:
    case = core.case
    arrays = [case.y, case.kernel]
    if core.bias is not None:
        arrays.append(1.0 + 2 * np.arange(case.x.shape[1]))
    return Node(
        *(f"conv_{core.name}", CONV, tuple(arrays), _attributes(core)), case.conv_options
    )


def _attributes(core: CoreCase) -> dict[str, Any]:
    """Write the attributes that both operators have."""
    options = core.case.options
    low, high = zip(*options["padding"], strict=True)
    return {
        "strides": list(options["stride"]),
        "dilations": list(options["dilation"]),
        "pads": [*low, *high],
        "group": options["groups"],
        "kernel_shape": list(core.case.spec.kernel_size),
    }


def _built(row: _Outline, number: int, legal: bool) -> Node:
    rng = np.random.default_rng((2027, number, legal))
    shapes = [row.x, row.w, *([(row.bias,)] if row.bias else [])]
    arrays = tuple(random_values(rng, shape, "float64", 4) for shape in shapes)
    name = f"{row.operator.lower()}_{row.name}"
    return node_of(name, row.operator, arrays, row.attributes, legal=legal)


def node_of(
    name: str,
    operator: str,
    arrays: tuple[NDArray[Any], ...],
    attributes: dict[str, Any],
    *,
    legal: bool = True,
) -> Node:
    """Make a node whose options follow from its attributes, if it is a legal one."""
    options = None
    if legal:
        options = options_of(operator, attributes, arrays[0].shape[2:], arrays[1].shape[2:])
    return Node(name, operator, arrays, attributes, options)


def options_of(
    operator: str,
    attributes: dict[str, Any],
    size: tuple[int, ...],
    taps: tuple[int, ...],
) -> dict[str, Any]:
    """Rewrite a node's attributes in the words of mtconv's call."""
    if operator == TRANSPOSED:
        return convert(attributes, "onnx", "mtconv", kernel_size=taps, input_size=size)
    rank = len(taps)
    words = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
    pads = attributes.get("pads", [0] * 2 * rank)
    ends = tuple(zip(pads[:rank], pads[rank:], strict=True))
    return {
        "stride": tuple(attributes.get("strides", [1] * rank)),
        "dilation": tuple(attributes.get("dilations", [1] * rank)),
        "padding": words.get(attributes.get("auto_pad", "NOTSET"), ends),
        "groups": attributes.get("group", 1),
    }
