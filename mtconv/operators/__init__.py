"""The adjoint pair as linear operators, and what is made of them.

An operator is a kernel, a spec and the way to compute. Its arrays keep their dimensions
and may have a batch axis; its matrix acts on their C-order ravel. Sums, multiples, products
and stacks of operators are operators too.
"""

from mtconv.operators import algebra
from mtconv.operators.algebra import hstack as hstack
from mtconv.operators.algebra import vstack as vstack
from mtconv.operators.kernel_pair import KernelConv as KernelConv
from mtconv.operators.kernel_pair import KernelConvTranspose as KernelConvTranspose
from mtconv.operators.linear import LinearMap
from mtconv.operators.pair import Conv as Conv
from mtconv.operators.pair import ConvTranspose as ConvTranspose

__all__ = [
    "Conv",
    "ConvTranspose",
    "KernelConv",
    "KernelConvTranspose",
    "hstack",
    "vstack",
]

# What operators are combined to stands above what all of them are.
LinearMap.combine = algebra
