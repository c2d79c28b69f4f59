"""The layers that are timed on a GPU: of public reports, of models, and random ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.harness import Layer, load_layers

__all__ = ["model_layers", "random_layers", "report_layers", "shrunk"]

# Work and memory of a random layer: enough to keep a card busy, and quick all the same.
LEAST, MOST = 2**27, 2**34
LARGEST_BYTES = 2**28


def report_layers() -> list[Layer]:
    """Load the layers whose slowness was reported in public."""
    rows = json.loads(Path(__file__).with_name("gpu_layers.json").read_text())
    return [
        Layer(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
        for row in rows
    ]


def model_layers() -> list[Layer]:
    """Load the layers of published models that are timed on CPUs too."""
    return load_layers()


def random_layers(count: int, seed: int) -> Iterator[Layer]:
    """Draw layers of all ranks, strides, dilations and channel numbers."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        layer = _drawn(rng)
        cells = (prod(layer.x_shape), prod(layer.kernel_shape), prod(layer.y_shape))
        if LEAST < layer.multiply_adds < MOST and 4 * max(cells) < LARGEST_BYTES:
            made += 1
            yield replace(layer, name=f"random_{made}_{_described(layer)}")


def _drawn(rng: np.random.Generator) -> Layer:
    rank = int(rng.integers(1, 4))
    most = {1: 16384, 2: 256, 3: 48}[rank]
    least = {1: 64, 2: 8, 3: 4}[rank]
    groups = int(rng.choice([1, 1, 1, 1, 4, 32]))
    size = [int(n) for n in np.exp(rng.uniform(np.log(least), np.log(most), rank))]
    kernel = [int(k) for k in rng.integers(2, 9 if rank < 3 else 5, rank)]
    stride = [int(rng.integers(1, 5))] * rank
    dilation = [int(rng.choice([1, 1, 1, 2]))] * rank
    padding = [int(rng.integers(0, min(kernel) // 2 + 1))] * rank
    small, share = (int(c) for c in 2 ** rng.integers(0, 10, 2))
    return Layer(
        name="",
        source="random",
        batch=int(rng.choice([1, 2, 4, 16])),
        in_channels=groups * small,
        out_channels=groups * share,
        input_size=tuple(size),
        kernel_size=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(padding),
        output_padding=tuple(int(rng.integers(0, s)) for s in stride),
        dilation=tuple(dilation),
        groups=groups,
        dtype="float32",
    )


def _described(layer: Layer) -> str:
    kernel = "x".join(map(str, layer.kernel_size))
    text = f"{layer.in_channels}_{layer.out_channels}_k{kernel}s{layer.stride[0]}"
    text += f"d{layer.dilation[0]}" * (layer.dilation[0] > 1)
    return text + f"g{layer.groups}" * (layer.groups > 1)


def shrunk(layer: Layer) -> Layer:
    """Make a layer small: for a run that only shows that the script works."""
    groups = min(layer.groups, 2)
    sizes: dict[str, Any] = {
        "in_channels": groups * min(layer.in_channels // layer.groups, 2),
        "out_channels": groups * min(layer.out_channels // layer.groups, 2),
        "input_size": tuple(min(n, 3) for n in layer.input_size),
    }
    return replace(layer, batch=1, groups=groups, **sizes)
