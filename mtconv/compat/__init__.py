"""The calls of other frameworks, with their names, defaults and quirks, on any array.

None of these modules imports the framework whose call it has. Each one is a translation
of arguments into mtconv's own relation and a rule for the order of the kernel's axes.
"""

from mtconv.compat import (
    equinox,
    flax,
    haiku,
    jax,
    keras,
    matlab,
    mlx,
    onnx,
    tensorflow,
    tinygrad,
    torch,
)
from mtconv.compat.conversion import convert as convert
from mtconv.compat.conversion import convert_kernel as convert_kernel

__all__ = [
    "convert",
    "convert_kernel",
    "equinox",
    "flax",
    "haiku",
    "jax",
    "keras",
    "matlab",
    "mlx",
    "onnx",
    "tensorflow",
    "tinygrad",
    "torch",
]
