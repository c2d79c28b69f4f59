"""Kernels that people use: for enlarging, smoothing, and as the blur of a lens.

They are arrays of NumPy, so they follow the arrays of any other library. Sizes and widths
are one number, which means a picture of two axes, or one number for each axis. With
``channels=C`` a kernel has the shape (C, 1, *k) of a depthwise one, for ``groups=C``; with
``depthwise=False`` too it is (C, C, *k), zero between different channels.
"""

from mtconv.kernels.smoothing import binomial as binomial
from mtconv.kernels.smoothing import disk as disk
from mtconv.kernels.smoothing import gaussian as gaussian
from mtconv.kernels.upsampling import bilinear as bilinear
from mtconv.kernels.upsampling import nearest as nearest

__all__ = ["bilinear", "binomial", "disk", "gaussian", "nearest"]
