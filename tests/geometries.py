"""Forty geometries whose sizes vary, with what they give by plain loops."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import mtconv
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad

Array = np.ndarray

# Batch and spatial sizes of five calls; a call takes as many as it has axes.
SIZES = ((3, 7, 6, 5), (4, 9, 7, 4), (2, 12, 5, 6), (5, 6, 9, 5), (3, 11, 6, 7))


_SWAPPED = str.maketrans("IO", "OI")


class Geometry(NamedTuple):
    """A kernel, options, and how far the result is above the least size with such x."""

    form: str
    kernel_shape: tuple[int, ...]
    options: dict[str, Any]
    above: tuple[int, ...] | None = None

    @property
    def rank(self) -> int:
        return len(self.kernel_shape) - 2

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the input and of the result."""
        small, share = self.kernel_shape[:2]
        big = share * self.options.get("groups", 1)
        return (small, big) if self.form == "conv_transpose" else (big, small)

    def sizes_for(self, space: Any) -> dict[str, Any]:
        """Return the options of a call whose input has this space."""
        if self.above is None:
            return self.options
        stride = self.options.get("stride", 1)
        taps = self.kernel_shape[2:]
        if self.options.get("padding") == "same":
            taps = (1,) * self.rank
        size = tuple(
            stride * (n - 1) + k + above
            for n, k, above in zip(space, taps, self.above, strict=True)
        )
        return {**self.options, "output_size": size}

    def call(self, x: Any, kernel: Any, bias: Any = None) -> Any:
        """Apply the map; sizes are taken from x, whatever library it is of."""
        function = getattr(mtconv, self.form)
        space = x.shape[1:-1] if self.options.get("layout") else x.shape[2:]
        return function(x, kernel, bias, **self.sizes_for(space))

    def expected(self, x: Array, kernel: Array, bias: Array | None = None) -> Array:
        """Compute the same by plain loops."""
        loops = reference_conv if self.form == "conv" else reference_conv_transpose
        space = x.shape[1:-1] if self.options.get("layout") else x.shape[2:]
        result: Array = loops(x, kernel, bias, **self.sizes_for(space))
        return result

    def gradients(self, x: Array, kernel: Array, y: Array) -> tuple[Array, Array]:
        """Compute both gradients of the dot product with y by plain loops."""
        options = {k: v for k, v in self.options.items() if k != "output_padding"}
        pair = (y, x) if self.form == "conv" else (x, y)
        if self.form == "conv":
            size = x.shape[2:]
            by_x = reference_conv_transpose(y, kernel, output_size=size, **options)
        else:
            adjoint = dict(options)
            if "kernel_layout" in options:  # I and O are those of the call
                adjoint["kernel_layout"] = options["kernel_layout"].translate(_SWAPPED)
            by_x = reference_conv(y, kernel, **adjoint)
        taps = self.kernel_shape[2:]
        return by_x, reference_kernel_grad(*pair, kernel_size=taps, **options)

    def arrays(self, seed: int, size: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """Draw input, kernel and bias: whole numbers in single precision."""
        rng = np.random.default_rng(seed)
        first, last = self.channels
        shape = (size[0], first, *size[1 : 1 + self.rank])
        if self.options.get("layout"):
            shape = (shape[0], *shape[2:], shape[1])
        shapes = (shape, self.kernel_shape, (last,))
        x, kernel, bias = (rng.integers(-4, 5, s).astype(np.float32) for s in shapes)
        return x, kernel, bias

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in self.options.items()]
        text = "-".join((self.form, "x".join(map(str, self.kernel_shape)), *words))
        return text.replace(" ", "") + ("-output_size" if self.above else "")


def up(
    *kernel_shape: int, above: tuple[int, ...] | None = None, **options: Any
) -> Geometry:
    return Geometry("conv_transpose", kernel_shape, options, above)


def down(*kernel_shape: int, **options: Any) -> Geometry:
    return Geometry("conv", kernel_shape, options)


GEOMETRIES = (
    up(4, 3, 3),
    up(4, 3, 4, stride=2, padding=1),
    up(4, 3, 3, stride=2, padding=1, output_padding=1),
    up(4, 3, 3, stride=3, dilation=2),
    up(4, 2, 3, stride=2, groups=2),
    up(4, 3, 2, stride=4, output_padding=3),
    up(4, 3, 5, padding="same"),
    up(4, 3, 3, stride=2, padding="same"),
    up(4, 3, 3, stride=2, padding="same_lower"),
    up(4, 3, 3, stride=2, above=(1,)),
    up(4, 3, 3, stride=3, padding="same", above=(1,)),
    up(4, 3, 3, stride=2, padding=1, padding_mode="circular"),
    up(4, 3, 5, padding=2, padding_mode="reflect"),
    up(4, 3, 4, stride=2, padding=((2, 1),), padding_mode="replicate"),
    up(4, 3, 4, padding=2, padding_mode="symmetric"),
    up(4, 3, 3, padding=((0, 2),)),
    up(4, 3, 3, stride=2, padding=((-2, -1),)),
    up(4, 3, 3, stride=2, padding=((2, 0),), output_padding=1),
    up(4, 3, 4, stride=2, layout="NLC"),
    up(4, 3, 3, 4, stride=2, padding=1),
    up(4, 3, 3, 3, stride=(2, 1), padding=(1, 0), output_padding=(1, 0)),
    up(4, 1, 3, 3, stride=2, groups=4),
    up(4, 3, 2, 3, stride=(3, 2), dilation=(1, 2)),
    up(4, 3, 4, 4, stride=2, padding="same"),
    up(4, 3, 3, 3, padding=1, padding_mode="circular"),
    up(4, 3, 3, 3, stride=2, padding=((0, 1), (2, 0)), padding_mode="replicate"),
    up(4, 3, 3, 3, stride=2, padding=1, layout="NHWC", kernel_layout="IOHW"),
    up(4, 3, 3, 2, stride=2, above=(1, 0)),
    up(4, 3, 3, 3, 3, stride=2, padding=1, output_padding=1),
    up(4, 2, 2, 3, 1, stride=(1, 2, 2), groups=2),
    up(4, 3, 3, 2, 2, stride=(2, 1, 1), padding="same"),
    up(4, 3, 2, 2, 2, padding=1, padding_mode="reflect"),
    down(3, 4, 3),
    down(3, 4, 4, stride=2, padding=1),
    down(3, 4, 3, stride=2, padding="same"),
    down(3, 4, 3, stride=2, padding=((1, 2),)),
    down(3, 4, 3, stride=2, padding=1, padding_mode="circular"),
    down(4, 2, 3, 3, stride=(2, 3), padding=1, groups=2),
    down(3, 4, 3, 3, stride=2, padding="same"),
    down(3, 4, 2, 3, 2, padding=1, dilation=(1, 1, 2)),
)
