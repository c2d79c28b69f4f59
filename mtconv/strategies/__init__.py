"""Hypothesis strategies for transposed convolutions: specs, and whole cases with arrays.

Cases are built, never filtered: the big size N, the padding, dilation, kernel and stride
of every axis are drawn within what earlier draws leave, and the small size follows. That
reaches kernels smaller than the stride, padding beyond the kernel, zero extension, every
legal output size (natural sizes of zero and less included), groups with unequal
channels, and empty batches.
"""

from mtconv.strategies.build import problems as problems
from mtconv.strategies.build import specs as specs
from mtconv.strategies.frameworks import options_for as options_for
from mtconv.testing.case import Case as Case

__all__ = ["Case", "options_for", "problems", "specs"]
