"""`polyphase`: one dense convolution of stride 1 per phase of the big side.

On the CPU it is one matrix product for all phases where they allow it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from mtconv.backends._jax import native, subpixel
from mtconv.backends._jax.arrays import accumulator, cells
from mtconv.backends._jax.columns import every_phase, interleave, split
from mtconv.geometry import Axis
from mtconv.planning.ladders.jax import stacked
from mtconv.spec import ConvSpec

__all__ = ["conv", "conv_transpose", "kernel_grad"]


class _Part(NamedTuple):
    """One phase: its own relation, its taps, and where its block is."""

    spec: ConvSpec
    taps: tuple[slice, ...]
    block: tuple[int, ...]
    live: bool


def conv_transpose(
    spec: ConvSpec, x: Array, w: Array, precision: Any, *, on_cpu: bool
) -> Array:
    """Compute every phase from the taps that feed it, then interleave."""
    if on_cpu and stacked(spec):
        return subpixel.conv_transpose(spec, x, w, precision)
    parts = []
    channels = spec.groups * w.shape[1]
    for part in _parts(spec):
        if part.live:
            y = native.conv_transpose(
                part.spec, x, w[(..., *part.taps)], precision, on_cpu=on_cpu
            )
            parts.append(jnp.moveaxis(y, 1, 0))
        else:
            size = part.spec.big
            parts.append(jnp.zeros((channels, x.shape[0], *size), x.dtype))
    blocks = jnp.stack(parts, axis=1)
    strides = (axis.stride for axis in spec.axes)
    return interleave(spec.axes, blocks.reshape(channels, *strides, *blocks.shape[2:]))


def conv(spec: ConvSpec, y: Array, w: Array, precision: Any, *, on_cpu: bool) -> Array:
    """Add up what every phase of y gives."""
    if on_cpu and stacked(spec):
        return subpixel.conv(spec, y, w, precision)
    blocks = split(spec.axes, y)
    total = None
    for part in _parts(spec):
        if part.live:
            x = native.conv(
                part.spec,
                _phase(blocks, part),
                w[(..., *part.taps)],
                precision,
                on_cpu=on_cpu,
            )
            total = x if total is None else total + x
    if total is None:  # every tap is cropped
        return jnp.zeros((y.shape[0], spec.kernel_shape[0], *spec.small), y.dtype)
    return total


def kernel_grad(
    spec: ConvSpec, x: Array, y: Array, precision: Any, *, on_cpu: bool
) -> Array:
    """Put together what every phase of y gives for its taps."""
    if on_cpu and stacked(spec):
        return subpixel.kernel_grad(spec, x, y, precision)
    blocks = split(spec.axes, y)
    w = jnp.zeros(spec.kernel_shape, accumulator(y.dtype) if on_cpu else y.dtype)
    for part in _parts(spec):
        if part.live:
            taps = native.kernel_grad(
                part.spec, x, _phase(blocks, part), precision, on_cpu=on_cpu
            )
            w = w.at[(..., *part.taps)].set(taps)
    return w


def _phase(blocks: Array, part: _Part) -> Array:
    """Take one phase of the blocks as (batch, channels, *cells)."""
    return blocks[(slice(None), *part.block)].swapaxes(0, 1)


def _parts(spec: ConvSpec) -> Iterator[_Part]:
    """List the phases in the order of the blocks."""
    for combination in product(*(every_phase(axis) for axis in spec.axes)):
        axes = (
            Axis(axis.small, cells(axis), phase.taps, 1, phase.shift_step, phase.shift)
            for axis, phase in zip(spec.axes, combination, strict=True)
        )
        yield _Part(
            replace(spec, axes=tuple(axes)),
            tuple(
                slice(phase.tap, phase.tap + phase.taps * phase.tap_step, phase.tap_step)
                for phase in combination
            ),
            tuple(phase.start for phase in combination),
            all(phase.taps for phase in combination),
        )
