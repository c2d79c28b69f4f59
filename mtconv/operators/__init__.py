"""The adjoint pair as linear operators.

An operator is a kernel, a spec and the way to compute. Its arrays keep their dimensions
and may have a batch axis; its matrix acts on their C-order ravel.
"""

from mtconv.operators.pair import Conv as Conv
from mtconv.operators.pair import ConvTranspose as ConvTranspose

__all__ = ["Conv", "ConvTranspose"]
