"""Transposed convolutions that are right unless a condition holds: one element is damaged.

That is how a branch for one dtype, kernel size or layout goes wrong.
"""

from typing import NamedTuple

import numpy as np

import mtconv

right = mtconv.conv_transpose


class Seen(NamedTuple):
    """What a condition looks at."""

    x: np.ndarray
    kernel: np.ndarray
    options: dict
    bias: np.ndarray | None = None


def broken(condition, damage=None):
    """Return a function that damages the result where the condition holds."""

    def function(x, kernel, bias=None, **options):
        y = right(x, kernel, bias, **options)
        if y.size and condition(Seen(x, kernel, options, bias)):
            if damage is not None:
                return damage(y)
            y.flat[y.size // 2] += 1
        return y

    return function


def rank(kernel):
    return kernel.ndim - 2 if kernel.ndim > 2 else kernel.ndim


def has(name, value):
    """Whether any axis has this value of an option."""
    return lambda c: value in np.ravel(c.options.get(name, 1)).tolist()


def taps(number):
    return lambda c: number in c.kernel.shape[-rank(c.kernel) :]


def size(number):
    return lambda c: number in c.x.shape[-rank(c.kernel) :]


def longer(number):
    return lambda c: max(c.x.shape[-rank(c.kernel) :]) > number


def batch(condition):
    return lambda c: c.x.ndim == c.kernel.ndim > 2 and condition(len(c.x))


def channels(side, number):
    """More channels of a group than a number, on the side of x (0) or of the result (1)."""

    def condition(c):
        sizes = (
            (c.kernel.shape[0] // c.options.get("groups", 1), c.kernel.shape[1])
            if c.kernel.ndim > 2
            else (1, 1)
        )
        return sizes[side] > number

    return condition


def dtype(name):
    return lambda c: c.x.dtype.name == name and c.x.dtype.isnative


def last(c):
    """Size of the result along its last axis."""
    return mtconv.conv_transpose_shape(c.x.shape, c.kernel.shape, **c.options)[-1]


def square(c, number, stride):
    steps = {*np.ravel(c.options.get("stride", 1)).tolist()}
    return c.kernel.shape[2:] == (number, number) and steps == {stride}


def memory(condition):
    return lambda c: condition(c.x.flags) and c.x.size > 1


def kernel_alone(condition):
    """The kernel lies in an unusual way, and x does not."""

    def holds(c):
        plain = c.x.flags.c_contiguous and c.x.flags.writeable and c.x.dtype.isnative
        return plain and condition(c.kernel)

    return holds


def permuted(array):
    """The last axis comes first in memory, as channels-last arrays have it."""
    turned = np.moveaxis(array, -1, 0).flags.c_contiguous
    return turned and not (array.flags.c_contiguous or array.flags.f_contiguous)


BY_CONDITION = {
    **{f"dtype {name}": dtype(name) for name in ("int8", "int32", "uint8", "uint64")},
    **{f"dtype {name}": dtype(name) for name in ("float16", "float32", "float64")},
    **{f"dtype {name}": dtype(name) for name in ("complex64", "complex128", "int16")},
    **{f"dtype {name}": dtype(name) for name in ("bfloat16", "uint16", "uint32")},
    **{f"{n} taps": taps(n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16)},
    **{f"stride {n}": has("stride", n) for n in (2, 3, 4, 5, 6, 7, 8, 11)},
    **{f"dilation {n}": has("dilation", n) for n in (2, 3, 4, 5, 7, 9)},
    **{f"more than {n} elements": longer(n) for n in (8, 16, 32, 64, 128, 512, 1024)},
    **{f"{n} elements": size(n) for n in (10, 29, 63, 100, 128)},
    **{f"a batch above {n}": batch(lambda b, n=n: b > n) for n in (2, 4, 8, 32)},
    "an odd batch": batch(lambda b: b % 2),
    **{f"above {n} channels of x": channels(0, n) for n in (2, 4, 8, 16, 32, 128)},
    **{f"above {n} channels of the result": channels(1, n) for n in (2, 4, 8, 16, 32, 128)},
    **{f"{n} groups": has("groups", n) for n in (2, 3, 4, 5, 6, 11, 16)},
    "more than 6 groups": lambda c: c.options.get("groups", 1) > 6,
    "depthwise": lambda c: c.options.get("groups", 1) == len(c.kernel) > 1,
    "not contiguous": memory(lambda f: not (f.c_contiguous or f.f_contiguous)),
    "Fortran order": memory(lambda f: f.f_contiguous and not f.c_contiguous),
    "read-only": memory(lambda f: not f.writeable),
    "negative strides": lambda c: min(c.x.strides) < 0 and c.x.size > 1,
    "big-endian": lambda c: not c.x.dtype.isnative,
    "permuted": lambda c: permuted(c.x),
    "unaligned": lambda c: not c.x.flags.aligned,
    "the same sample again": lambda c: c.x.ndim > 2 and c.x.strides[0] == 0,
    "a kernel alone that is not contiguous": kernel_alone(
        lambda kernel: not (kernel.flags.c_contiguous or kernel.flags.f_contiguous)
    ),
    "a kernel alone that is read-only": kernel_alone(lambda k: not k.flags.writeable),
    "a kernel alone that is big-endian": kernel_alone(lambda k: not k.dtype.isnative),
    "a kernel not contiguous": lambda c: not c.kernel.flags.c_contiguous,
    **{f"{n} axes": (lambda c, n=n: rank(c.kernel) == n) for n in (1, 2, 3)},
    "unbatched": lambda c: c.x.ndim == c.kernel.ndim - 1,
    "bare": lambda c: c.kernel.ndim < 3,
    "asymmetric padding": lambda c: np.ndim(c.options.get("padding", 0)) == 2,
    "negative padding": lambda c: (
        not isinstance(c.options.get("padding", 0), str)
        and np.min(c.options.get("padding", 0)) < 0
    ),
    "padding same_lower": has("padding", "same_lower"),
    "output padding": lambda c: np.any(c.options.get("output_padding", 0)),
    "stride and dilation": lambda c: {"stride", "dilation"} <= set(c.options),
    "axes of two strides": lambda c: len(set(np.ravel(c.options.get("stride", 1)))) > 1,
    "large values": lambda c: bool((np.abs(c.x.astype("c16")) > 1000).any()),
    "negative values": lambda c: bool((c.x.real < 0).any()),
    "no negative values": lambda c: bool((c.x.real > 0).any() and (c.x.real >= 0).all()),
    "fractions": lambda c: bool((c.x.real % 1 != 0).any()),
    "imaginary numbers alone": lambda c: (
        c.x.dtype.kind == "c" and bool(c.x.any() and (c.x.real == 0).all())
    ),
    "zeros alone": lambda c: c.x.size > 0 and not c.x.any(),
    "stride on the last axis of three": lambda c: c.options.get("stride") == (1, 1, 2),
    "groups of float16 on three axes": lambda c: (
        rank(c.kernel) == 3 and c.x.dtype.name == "float16" and "groups" in c.options
    ),
    "a flat kernel": lambda c: rank(c.kernel) == 2 and c.kernel.shape[2:] == (1, 3),
    "a tall kernel": lambda c: rank(c.kernel) == 2 and c.kernel.shape[2:] == (3, 1),
    "same with dilation": lambda c: (
        str(c.options.get("padding"))[:4] == "same" and "dilation" in c.options
    ),
    "7x7 with stride 2": lambda c: square(c, 7, 2),
    "5x5 with stride 3": lambda c: square(c, 5, 3),
    "a result of 100": lambda c: last(c) == 100,
    "a single element left of many": lambda c: c.x.shape[-1] > 2 and last(c) == 1,
    "a result of whole vectors": lambda c: last(c) > 64 and last(c) % 8 == 0,
    "circular": has("padding_mode", "circular"),
}
