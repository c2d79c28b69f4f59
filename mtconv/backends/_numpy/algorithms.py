"""The algorithms of the NumPy backend, by their public names."""

from __future__ import annotations

from typing import cast

from mtconv.backends._numpy import direct, fft, gemm, polyphase, subpixel
from mtconv.backends._numpy.algorithm import Algorithm

__all__ = ["ALGORITHMS"]

_MODULES = (gemm, polyphase, subpixel, direct, fft)
ALGORITHMS: dict[str, Algorithm] = {
    module.NAME: cast("Algorithm", module) for module in _MODULES
}
