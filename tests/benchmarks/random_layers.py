"""Layers that nobody tuned for: transposed convolutions drawn from a seed.

Every draw takes, in this order: a kind (dense, depthwise, grouped or few output channels),
one to three axes, a stride from 1 to 8, a kernel from the stride to twice it and more, a
padding that keeps the big side near stride times the small one, a dilation, a batch from 1
to 16, channels and sizes. A draw whose work lies outside of 0.05 to 50 ms on a core of
5e10 multiply-adds a second, or whose arrays are larger than 128 MiB, is thrown away and
drawn again. Kinds and numbers of axes take turns, so that every seed has them all.
"""

from __future__ import annotations

from math import prod

import numpy as np

from tests.benchmarks.harness import Layer

__all__ = ["KINDS", "draw_layers"]

KINDS = ("dense", "depthwise", "grouped", "few")

# Multiply-adds of 0.05 ms and of 50 ms.
LEAST, MOST = 2.5e6, 2.5e9
MOST_BYTES = 2**27

_SIZES = {1: (64, 16384), 2: (4, 192), 3: (3, 40)}
_STRIDES = (1, 2, 2, 2, 3, 4, 4, 5, 8)


def draw_layers(seed: int, count: int = 66) -> list[Layer]:
    """Draw layers; equal seeds give equal layers."""
    rng = np.random.default_rng(seed)
    # Dense layers come twice: they are what most models have.
    kinds = ("dense", "dense", *KINDS[1:])
    return [
        _draw(rng, f"{number:02d}", kinds[number % len(kinds)], 1 + number // 5 % 3)
        for number in range(count)
    ]


def _draw(rng: np.random.Generator, name: str, kind: str, rank: int) -> Layer:
    while True:
        layer = _candidate(rng, name, kind, rank)
        arrays = (layer.x_shape, layer.kernel_shape, layer.y_shape)
        if min(layer.y_shape) < 1 or 4 * max(prod(shape) for shape in arrays) > MOST_BYTES:
            continue
        if LEAST <= layer.multiply_adds <= MOST:
            return layer


def _candidate(rng: np.random.Generator, name: str, kind: str, rank: int) -> Layer:
    strides = [int(rng.choice(_STRIDES if rank < 3 else _STRIDES[:6]))] * rank
    if rng.random() < 0.15:  # axes of different strides
        strides[0] = 1
    stride = strides[-1]
    kernels = [_kernel(rng, stride)] * rank
    kernels[0] = kernels[0] if strides[0] == stride else int(rng.choice((1, 3)))
    dilation = int(rng.choice((1, 1, 1, 1, 1, 2)))
    padding = [max(0, (k - s + 1) // 2) for k, s in zip(kernels, strides, strict=True)]
    if rng.random() < 0.25:
        padding = [0] * rank
    low, high = _SIZES[rank]
    size = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    sizes = [max(2, int(size * rng.uniform(0.7, 1.4))) for _ in range(rank)]
    small, big, groups = _channels(rng, kind)
    spread = [dilation] * rank
    return Layer(
        f"{name}_{kind}_{small}_{big}_k{kernels[-1]}s{stride}d{dilation}_{rank}d",
        "drawn at random",
        int(rng.choice((1, 1, 2, 4, 8, 16))),
        small,
        big,
        tuple(sizes),
        tuple(kernels),
        tuple(strides),
        tuple(padding),
        (0,) * rank,
        tuple(spread),
        groups,
        "float32",
    )


def _kernel(rng: np.random.Generator, stride: int) -> int:
    choices = (stride, stride + 1, 2 * stride, 2 * stride, 2 * stride + 1, 3, 5)
    return int(max(stride, rng.choice(choices)))


def _channels(rng: np.random.Generator, kind: str) -> tuple[int, int, int]:
    """Draw channels of the small and of the big side, and the number of groups."""

    def number(low: int, high: int, multiple: int = 1) -> int:
        drawn = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
        return max(multiple, drawn // multiple * multiple)

    if kind == "depthwise":
        channels = number(8, 512)
        return channels, channels, channels
    if kind == "grouped":
        groups = int(rng.choice((2, 4, 8, 16, 32)))
        return groups * number(2, 32), groups * number(2, 32), groups
    if kind == "few":
        return number(4, 256, 4), number(1, 4), 1
    return number(8, 512, 4), number(8, 512, 4), 1
