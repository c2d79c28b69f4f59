"""Random nodes of ONNX's ConvTranspose and Conv from a seed, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.geometry import big_sizes, small_size
from mtconv.testing.values import random_values
from mtconv.verify.onnx_nodes import CONV, TRANSPOSED, Node, node_of

__all__ = ["random_nodes"]

# Largest size, kernel and stride by number of axes.
_LARGEST = {1: (9, 5), 2: (5, 4), 3: (3, 3)}

# How a node says its paddings, and how often a transposed convolution says it so.
_WORDS = ("SAME_UPPER", "SAME_LOWER", "VALID")
_KINDS = {
    "pads": 0.4,
    **dict(zip(_WORDS, (0.12, 0.12, 0.06), strict=True)),
    "output_shape": 0.3,
}
_REFUSED_SHARE = 1 / 12


class _Axis(NamedTuple):
    size: int
    taps: int
    stride: int
    dilation: int
    pads: tuple[int, int]
    extra: int
    wanted: int  # what output_shape asks for, where there is one


def random_nodes(seed: int = 0) -> Iterator[Node]:
    """Yield nodes without end, node number n being a function of the seed and n.

    Two of three are transposed convolutions. Paddings are explicit, by `auto_pad`, or by
    `output_shape`, which has every `auto_pad`. Attributes that have their defaults are
    often left out. One node in twelve has to be refused. Sizes beyond what the attributes
    reach are not among them, for which the operator's text leaves the ends open.

    Parameters
    ----------
    seed : int
        Another seed gives other nodes.
    """
    for number in count():
        rng = np.random.default_rng((seed, number))
        operator = TRANSPOSED if rng.integers(3) else CONV
        draw = _transposed if operator == TRANSPOSED else _plain
        arrays, attributes = draw(rng, int(rng.choice((1, 1, 2, 2, 3))))
        name = f"{operator.lower()}_random_{number:06}"
        legal = rng.random() >= _REFUSED_SHARE
        if not legal:
            kind, change = list(_CHANGES.items())[rng.integers(len(_CHANGES))]
            name = f"{name}_{kind}"
            arrays, attributes = change(arrays, attributes)
        yield node_of(name, operator, arrays, attributes, legal=legal)


_Drawn = tuple[tuple[NDArray[Any], ...], dict[str, Any]]


def _transposed(rng: np.random.Generator, rank: int) -> _Drawn:
    word = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
    axes = [_transposed_axis(rng, word, *_LARGEST[rank]) for _ in range(rank)]
    attributes = _attributes(axes)
    if word == "pads":
        attributes["pads"] = [a.pads[0] for a in axes] + [a.pads[1] for a in axes]
    elif word == "output_shape":
        attributes["output_shape"] = [a.wanted for a in axes]
        attributes["auto_pad"] = str(rng.choice(("NOTSET", *_WORDS)))
    else:
        attributes["auto_pad"] = word
    attributes["output_padding"] = [a.extra for a in axes]
    groups, share, outputs, batch = _channels(rng)
    x = (batch, groups * share, *(a.size for a in axes))
    w = (groups * share, outputs, *(a.taps for a in axes))
    return _drawn(rng, x, w, groups * outputs, attributes | {"group": groups})


def _transposed_axis(rng: np.random.Generator, word: str, most: int, steps: int) -> _Axis:
    size, taps, stride, dilation = (
        int(rng.integers(1, top + 1)) for top in (most, steps, steps, 3)
    )
    pads = (int(rng.integers(5)), int(rng.integers(5)))
    extra = int(rng.integers(stride))
    whole = big_sizes(size, taps, stride, dilation, 0, 0)[0]
    if word.startswith("SAME") and whole + extra < size * stride:
        stride, extra = 1, 0  # from here the whole is never below the size
    elif word == "pads" and whole + extra <= sum(pads):
        pads = (0, 0)
    wanted = int(rng.integers(1, whole + extra + 1))
    return _Axis(size, taps, stride, dilation, pads, extra, wanted)


def _plain(rng: np.random.Generator, rank: int) -> _Drawn:
    word = str(rng.choice(("pads", *_WORDS), p=(0.55, 0.18, 0.18, 0.09)))
    axes = [_plain_axis(rng, word, *_LARGEST[rank]) for _ in range(rank)]
    attributes = _attributes(axes)
    if word == "pads":
        attributes["pads"] = [a.pads[0] for a in axes] + [a.pads[1] for a in axes]
    else:
        attributes["auto_pad"] = word
    groups, share, outputs, batch = _channels(rng)
    x = (batch, groups * share, *(a.size for a in axes))
    w = (groups * outputs, share, *(a.taps for a in axes))
    return _drawn(rng, x, w, groups * outputs, attributes | {"group": groups})


def _plain_axis(rng: np.random.Generator, word: str, most: int, steps: int) -> _Axis:
    size, taps, stride, dilation = (
        int(rng.integers(1, top + 1)) for top in (2 * most, steps, steps, 3)
    )
    pads = (int(rng.integers(5)), int(rng.integers(5))) if word == "pads" else (0, 0)
    if not word.startswith("SAME") and small_size(size, taps, 1, dilation, *pads) < 1:
        taps = 1
    return _Axis(size, taps, stride, dilation, pads, 0, 0)


def _attributes(axes: list[_Axis]) -> dict[str, Any]:
    return {
        "strides": [a.stride for a in axes],
        "dilations": [a.dilation for a in axes],
        "kernel_shape": [a.taps for a in axes],
    }


def _channels(rng: np.random.Generator) -> tuple[int, ...]:
    """Draw groups, inputs and outputs of a group, and the batch."""
    groups = int(rng.choice((1, 1, 2, 3)))
    return groups, *(int(rng.integers(1, 4)) for _ in range(3))


def _drawn(
    rng: np.random.Generator,
    x: tuple[int, ...],
    w: tuple[int, ...],
    outputs: int,
    attributes: dict[str, Any],
) -> _Drawn:
    """Draw the values, and leave out some attributes that have their defaults."""
    shapes = [x, w, *([(outputs,)] if rng.integers(3) == 0 else [])]
    arrays = tuple(random_values(rng, shape, "float64", 4) for shape in shapes)
    rank = len(x) - 2
    defaults = {
        "strides": [1] * rank,
        "dilations": [1] * rank,
        "pads": [0] * 2 * rank,
        "output_padding": [0] * rank,
        "kernel_shape": list(w[2:]),
        "auto_pad": "NOTSET",
        "group": 1,
    }
    for name, default in defaults.items():
        if attributes.get(name) == default and rng.integers(2):
            del attributes[name]
    return arrays, attributes


def _one_channel_more(arrays: tuple[NDArray[Any], ...], attributes: Any) -> _Drawn:
    """Give X a channel that no tap of the kernel belongs to."""
    x = arrays[0]
    return (np.concatenate([x, x[:, :1]], axis=1), *arrays[1:]), attributes


def _other_groups(arrays: tuple[NDArray[Any], ...], attributes: Any) -> _Drawn:
    """Ask for more groups than there are channels."""
    groups = max(arrays[0].shape[1], arrays[1].shape[0]) + 1
    return arrays, attributes | {"group": groups}


def _one_stride_more(arrays: tuple[NDArray[Any], ...], attributes: Any) -> _Drawn:
    return arrays, attributes | {"strides": [1] * (arrays[0].ndim - 1)}


def _one_tap_more(arrays: tuple[NDArray[Any], ...], attributes: Any) -> _Drawn:
    taps = [size + 1 for size in arrays[1].shape[2:]]
    return arrays, attributes | {"kernel_shape": taps}


def _one_bias_more(arrays: tuple[NDArray[Any], ...], attributes: Any) -> _Drawn:
    outputs = arrays[1].shape[0] + arrays[1].shape[1] * attributes.get("group", 1)
    return (*arrays[:2], np.ones(outputs)), attributes


# What makes a node one that has to be refused.
_CHANGES: dict[str, Callable[[tuple[NDArray[Any], ...], Any], _Drawn]] = {
    "channels": _one_channel_more,
    "groups": _other_groups,
    "strides": _one_stride_more,
    "kernel_shape": _one_tap_more,
    "bias": _one_bias_more,
}
