"""Exact rewrites of transposed convolutions, for targets that have none.

A transposed convolution is one convolution of stride 1 with its channels shuffled to space,
or a convolution for each phase, or a convolution of an input with zeros between its
elements. The results are the same sums in another order: equal on whole numbers.
"""

from mtconv.rewrite.phase_forms import PhaseConvs as PhaseConvs
from mtconv.rewrite.phase_forms import as_phases as as_phases
from mtconv.rewrite.shuffles import ConvAndShuffle as ConvAndShuffle
from mtconv.rewrite.shuffles import TransposedForm as TransposedForm
from mtconv.rewrite.shuffles import as_conv_and_shuffle as as_conv_and_shuffle
from mtconv.rewrite.shuffles import from_conv_and_shuffle as from_conv_and_shuffle
from mtconv.rewrite.zero_insertion import ZeroInsertion as ZeroInsertion
from mtconv.rewrite.zero_insertion import as_zero_insertion as as_zero_insertion

__all__ = [
    "ConvAndShuffle",
    "PhaseConvs",
    "TransposedForm",
    "ZeroInsertion",
    "as_conv_and_shuffle",
    "as_phases",
    "as_zero_insertion",
    "from_conv_and_shuffle",
]
