"""The algorithms of the NumPy backend, by their public names, and the ways of one."""

from __future__ import annotations

from typing import cast

from mtconv.backends._numpy import direct, fft, gemm, polyphase, subpixel, windows
from mtconv.backends._numpy.algorithm import Algorithm

__all__ = ["ALGORITHMS", "BY_NAME", "WINDOWS"]

_MODULES = (gemm, polyphase, subpixel, direct, fft)
ALGORITHMS: dict[str, Algorithm] = {
    module.NAME: cast("Algorithm", module) for module in _MODULES
}

# The other way of `polyphase` to compute a kernel gradient. It has no other map, so it
# keeps only a part of the protocol.
WINDOWS = cast("Algorithm", windows)

# Everything that pieces are cut for, and that has a footprint.
BY_NAME: dict[str, Algorithm] = {**ALGORITHMS, WINDOWS.NAME: WINDOWS}
