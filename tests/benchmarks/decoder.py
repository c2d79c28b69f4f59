"""A decoder of audio in the shape of DAC's: as a stream, and as a function of the whole.

A convolution, four blocks of a transposed convolution (strides 8, 8, 4, 2) and three
dilated residual units, and a convolution to one channel. The weights are random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

import mtconv
from mtconv.streaming import ConvStream, ConvTransposeStream, Stream, chain, residual

__all__ = ["FEATURES", "HOP", "decoder", "whole"]

FEATURES = 32
STRIDES = (8, 8, 4, 2)
DILATIONS = (1, 3, 9)
HOP = prod(STRIDES)

CLASSES = {"conv": ConvStream, "conv_transpose": ConvTransposeStream}
MAPS = {"conv": mtconv.conv, "conv_transpose": mtconv.conv_transpose}


def activation(x: Any) -> Any:
    """Bend each element by itself."""
    return x / (1 + abs(x))


def layers(channels: int) -> Iterator[Any]:
    """List the layers: functions, (map, arrays, options), and lists of those to add."""
    rng = np.random.default_rng(channels)

    def layer(form: str, *shape: int, **options: Any) -> Any:
        fan = prod(shape[1:]) if form == "conv" else shape[0] * 2
        after = shape[0] if form == "conv" else shape[1]
        kernel = rng.normal(size=shape) / fan**0.5
        bias = rng.normal(size=after) / 10
        return form, kernel.astype("float32"), bias.astype("float32"), options

    yield layer("conv", channels, FEATURES, 7, padding=3)
    for stride in STRIDES:
        half = channels // 2
        shape = channels, half, 2 * stride
        yield activation
        yield layer("conv_transpose", *shape, stride=stride, padding=stride // 2)
        for dilation in DILATIONS:
            wide = layer("conv", half, half, 7, padding=3 * dilation, dilation=dilation)
            yield [activation, wide, activation, layer("conv", half, half, 1)]
        channels = half
    yield from (activation, layer("conv", 1, channels, 7, padding=3), np.tanh)


def decoder(channels: int) -> Stream:
    """Make the stream of a decoder that begins with so many channels."""
    return chain(*map(_stream, layers(channels)))


def _stream(layer: Any) -> Any:
    if callable(layer):
        return layer
    if isinstance(layer, list):
        return residual(*map(_stream, layer))
    form, kernel, bias, options = layer
    return CLASSES[form](kernel, bias, **options)


def whole(channels: int) -> Callable[[Any], Any]:
    """Make the function that decodes all frames at once."""
    listed = list(layers(channels))

    def decode(x: Any) -> Any:
        for layer in listed:
            x = _applied(layer, x)
        return x

    return decode


def _applied(layer: Any, x: Any) -> Any:
    if callable(layer):
        return layer(x)
    if isinstance(layer, list):
        y = x
        for inner in layer:
            y = _applied(inner, y)
        return x + y
    form, kernel, bias, options = layer
    return MAPS[form](x, kernel, bias, **options)
