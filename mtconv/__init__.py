"""Transposed convolution and its exact adjoint, with one API on many array libraries."""

from typing import TYPE_CHECKING, Any

from mtconv.errors import BackendError as BackendError
from mtconv.errors import GeometryError as GeometryError
from mtconv.functional import apply_spec
from mtconv.functional import conv as conv
from mtconv.functional import conv_transpose as conv_transpose
from mtconv.functional import kernel_grad as kernel_grad
from mtconv.importing import imported
from mtconv.problem.shapes import conv_shape as conv_shape
from mtconv.problem.shapes import conv_transpose_shape as conv_transpose_shape
from mtconv.problem.shapes import input_sizes as input_sizes
from mtconv.problem.shapes import spec_from_shapes
from mtconv.spec import ConvSpec as ConvSpec

if TYPE_CHECKING:
    from mtconv.backends.host.threads import workers as workers
    from mtconv.explaining.checkerboard import overlap_count as overlap_count
    from mtconv.explaining.explain import explain as explain
    from mtconv.operators import Conv as Conv
    from mtconv.operators import ConvTranspose as ConvTranspose
    from mtconv.operators import KernelConv as KernelConv
    from mtconv.operators import KernelConvTranspose as KernelConvTranspose
    from mtconv.operators import hstack as hstack
    from mtconv.operators import vstack as vstack

__version__ = "0.1.0"

# The conveniences of a spec, which the flow below it does not know.
ConvSpec._apply = staticmethod(apply_spec)
ConvSpec._from_shapes = staticmethod(spec_from_shapes)

__all__ = [
    "BackendError",
    "Conv",
    "ConvSpec",
    "ConvTranspose",
    "GeometryError",
    "KernelConv",
    "KernelConvTranspose",
    "conv",
    "conv_shape",
    "conv_transpose",
    "conv_transpose_shape",
    "explain",
    "hstack",
    "input_sizes",
    "kernel_grad",
    "overlap_count",
    "vstack",
    "workers",
]

# What stands on the three maps is imported when it is first asked for.
_LATER = {
    "Conv": "mtconv.operators",
    "ConvTranspose": "mtconv.operators",
    "KernelConv": "mtconv.operators",
    "KernelConvTranspose": "mtconv.operators",
    "explain": "mtconv.explaining.explain",
    "hstack": "mtconv.operators",
    "overlap_count": "mtconv.explaining.checkerboard",
    "vstack": "mtconv.operators",
    "workers": "mtconv.backends.host.threads",
}

# Folders that pages write as attributes; they too are imported when they are asked for.
_MODULES = (
    *("compat", "drawing", "explorer", "kernels", "nn", "sharding", "strategies"),
    *("streaming", "testing", "verify"),
)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        try:
            return imported(f"mtconv.{name}")
        except ImportError as error:  # so that `hasattr` answers
            msg = f"mtconv.{name} cannot be imported here: {error}"
            raise AttributeError(msg) from error
    if name not in _LATER:
        msg = f"module 'mtconv' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(imported(_LATER[name], f"mtconv.{name}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
