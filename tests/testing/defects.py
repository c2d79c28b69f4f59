"""Transposed convolutions with one defect each; what is not the defect is right.

Most of them are right unless a condition holds, and then damage one element: that is how
a branch for one dtype, kernel size or layout goes wrong. The others are mistakes in the
code of a right one.
"""

from typing import NamedTuple

import numpy as np

import mtconv
from tests.testing.styles import scatter

right = mtconv.conv_transpose


class Seen(NamedTuple):
    """What a condition looks at."""

    x: np.ndarray
    kernel: np.ndarray
    options: dict


def broken(condition, damage=None):
    """Return a function that damages the result where the condition holds."""

    def function(x, kernel, bias=None, **options):
        y = right(x, kernel, bias, **options)
        if y.size and condition(Seen(x, kernel, options)):
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


def memory(condition):
    return lambda c: condition(c.x.flags) and c.x.size > 1


BY_CONDITION = {
    **{f"dtype {name}": dtype(name) for name in ("int8", "int32", "uint8", "uint64")},
    **{f"dtype {name}": dtype(name) for name in ("float16", "float32", "float64")},
    **{f"dtype {name}": dtype(name) for name in ("complex64", "complex128", "int16")},
    **{f"dtype {name}": dtype(name) for name in ("bfloat16", "uint16", "uint32")},
    **{f"{n} taps": taps(n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16)},
    **{f"stride {n}": has("stride", n) for n in (2, 3, 4, 5, 6, 7, 8)},
    **{f"dilation {n}": has("dilation", n) for n in (2, 3, 4, 5)},
    **{f"more than {n} elements": longer(n) for n in (8, 16, 32, 64)},
    **{f"a batch above {n}": batch(lambda b, n=n: b > n) for n in (2, 4, 8)},
    "an odd batch": batch(lambda b: b % 2),
    **{f"above {n} channels of x": channels(0, n) for n in (2, 4, 8, 16, 32)},
    **{f"above {n} channels of the result": channels(1, n) for n in (2, 4, 8, 16, 32)},
    **{f"{n} groups": has("groups", n) for n in (2, 3, 4, 5, 6)},
    "more than 6 groups": lambda c: c.options.get("groups", 1) > 6,
    "depthwise": lambda c: c.options.get("groups", 1) == len(c.kernel) > 1,
    "not contiguous": memory(lambda f: not (f.c_contiguous or f.f_contiguous)),
    "Fortran order": memory(lambda f: f.f_contiguous and not f.c_contiguous),
    "read-only": memory(lambda f: not f.writeable),
    "negative strides": lambda c: min(c.x.strides) < 0 and c.x.size > 1,
    "big-endian": lambda c: not c.x.dtype.isnative,
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
    "zeros alone": lambda c: c.x.size > 0 and not c.x.any(),
    "circular": has("padding_mode", "circular"),
}


def missed_flip(x, kernel, bias, **options):
    return right(x, np.flip(kernel, -1), bias, **options)


def swapped_ends(x, kernel, bias, **options):
    padding = options.get("padding", 0)
    if isinstance(padding, tuple) and isinstance(padding[0], tuple):
        options["padding"] = tuple((hi, lo) for lo, hi in padding)
    return right(x, kernel, bias, **options)


def extra_at_the_low_end(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    extra = np.broadcast_to(options.get("output_padding", 0), rank(kernel))
    for axis, count in enumerate(extra, -rank(kernel)):
        y = np.roll(y, count, axis)
    return y


def extra_is_zero(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    extra = np.broadcast_to(options.get("output_padding", 0), rank(kernel))
    for axis, count in enumerate(extra, y.ndim - rank(kernel)):
        spot = [slice(None)] * y.ndim
        spot[axis] = slice(y.shape[axis] - count, None)
        y[tuple(spot)] = 0
    return y


def bias_twice(x, kernel, bias, **options):
    return right(x, kernel, None if bias is None else 2 * bias, **options)


def bias_left_out(x, kernel, _, **options):
    return right(x, kernel, None, **options)


def bias_of_the_first_group(x, kernel, bias, groups=1, **options):
    if bias is not None:
        bias = np.tile(bias[: len(bias) // groups], groups)
    return right(x, kernel, bias, groups=groups, **options)


def groups_interleaved(x, kernel, bias, groups=1, **options):
    y = right(x, kernel, None, groups=groups, **options)
    if groups > 1:
        axis = y.ndim - rank(kernel) - 1
        order = np.arange(y.shape[axis]).reshape(groups, -1).T.ravel()
        y = np.take(y, order, axis)
    return y if bias is None else y + bias.reshape(-1, *(1,) * rank(kernel))


def one_dilation(x, kernel, bias, **options):
    """Take the dilation of the last axis for all; the sizes stay."""
    size = mtconv.conv_transpose_shape(x.shape, kernel.shape, **options)
    if isinstance(options.get("dilation"), tuple):
        options["dilation"] = options["dilation"][-1]
    y = right(x, kernel, bias, **options)
    return y if y.shape == size else np.resize(y, size)


def integers_inside(x, kernel, bias, **options):
    """Lose fractions."""
    if x.dtype.kind == "f":
        x, kernel = np.trunc(x), np.trunc(kernel)
    return right(x, kernel, bias, **options)


def double_inside(x, kernel, bias, **options):
    """Round integers of more than 53 bits."""
    if x.dtype.kind not in "iu":
        return right(x, kernel, bias, **options)
    wide = [a if a is None else a.astype(float) for a in (x, kernel, bias)]
    y = right(*wide, **options)
    return np.clip(y, -(2.0**62), 2.0**62).astype(x.dtype.newbyteorder("="))


def imaginary_part_lost(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    return y.real.astype(y.dtype)


def conjugated(x, kernel, bias, **options):
    return right(x, np.conj(kernel), bias, **options)


def nan_is_zero(x, kernel, bias, **options):
    return right(np.nan_to_num(x) if x.dtype.kind == "f" else x, kernel, bias, **options)


def always_double(x, kernel, bias, **options):
    return right(x, kernel, bias, **options).astype(np.float64)


def wider_integers(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    return y.astype(np.int64) if y.dtype.kind == "i" else y


def overwrites_x(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    if x.flags.writeable:
        x *= x.dtype.type(0)
    return y


def overwrites_the_kernel(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    if kernel.flags.writeable:
        kernel[...] = np.flip(kernel).copy()
    return y


def overwrites_the_bias(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    if bias is not None and bias.flags.writeable:
        bias += bias.dtype.type(1)
    return y


def needs_writeable(x, kernel, bias, **options):
    x[...] = x  # raises where x is read-only
    return right(x, kernel, bias, **options)


def one_buffer():
    """Return the same buffer again and again where the size is the same."""
    buffers = {}

    def function(x, kernel, bias, **options):
        y = right(x, kernel, bias, **options)
        buffer = buffers.setdefault((y.shape, y.dtype), np.empty_like(y))
        buffer[...] = y
        return buffer

    return function


def returns_x(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    return x if y.shape == x.shape and y.dtype == x.dtype and (y == x).all() else y


def returns_the_cached():
    """Remember results by the bytes of the arguments."""
    results = {}

    def function(x, kernel, bias, **options):
        key = (x.tobytes(), x.shape, x.dtype, kernel.tobytes(), kernel.shape, str(options))
        if key not in results or bias is not None:
            results[key] = right(x, kernel, bias, **options)
        return results[key]

    return function


def kernel_by_identity():
    """Pack a kernel once, and find it by its place in memory afterwards."""
    packs = {}

    def function(x, kernel, bias, **options):
        key = (kernel.ctypes.data, kernel.shape, kernel.dtype)
        packs.setdefault(key, kernel.copy())
        return right(x, packs[key], bias, **options)

    return function


def geometry_by_shapes():
    """Remember the options by the shapes alone."""
    known = {}

    def function(x, kernel, bias, **options):
        key = (x.shape, kernel.shape)
        remembered = known.setdefault(key, options)
        try:
            return right(x, kernel, bias, **remembered)
        except ValueError:
            return right(x, kernel, bias, **options)

    return function


def wrong_the_second_time():
    calls = [None]

    def function(x, kernel, bias, **options):
        y = right(x, kernel, bias, **options)
        if y.size and calls[0] == (x.shape, kernel.shape):
            y.flat[0] += 1
        calls[0] = (x.shape, kernel.shape)
        return y

    return function


def wrong_after_a_larger_call():
    """Leave what is left of a larger call in a buffer."""
    largest = [0]

    def function(x, kernel, bias, **options):
        y = right(x, kernel, bias, **options)
        if 0 < y.size < largest[0]:
            y.flat[-1] += 1
        largest[0] = max(largest[0], y.size)
        return y

    return function


def strides_ignored(x, kernel, bias, **options):
    """Read x as if it were contiguous, from the start of its memory."""
    if x.base is not None and not x.flags.c_contiguous and min(x.strides) >= 0:
        x = np.ravel(x.base, order="K")[: x.size].reshape(x.shape)
    return right(x, kernel, bias, **options)


def bytes_ignored(x, kernel, bias, **options):
    """Take big-endian arrays for native ones."""
    return right(x.view(x.dtype.newbyteorder("=")), kernel, bias, **options)


def swallows_errors(x, kernel, bias, **options):
    """Return zeros where anything goes wrong: a kernel of 3-D is not known."""
    y = right(x, kernel, bias, **options)
    try:
        return {1: y, 2: y}[rank(kernel)]
    except KeyError:
        return np.zeros_like(y)


def scatter_without_the_last_tap(x, kernel, bias, **options):
    if kernel.shape[-1] > 8:
        kernel = kernel.copy()
        kernel[..., 8:] = 0
    return scatter(x, kernel, bias, **options)


def small_results_only(x, kernel, bias, **options):
    """Process tiles of 32, and forget the rest of the last axis."""
    y = right(x, kernel, bias, **options)
    if y.shape[-1] > 32:
        y[..., y.shape[-1] // 32 * 32 :] = 0
    return y


def kernel_below_the_stride(x, kernel, bias, **options):
    """Forget the elements between kernels: the last tap is repeated there."""
    y = right(x, kernel, bias, **options)
    stride = np.broadcast_to(options.get("stride", 1), rank(kernel))
    if y.size and (stride > kernel.shape[-rank(kernel) :]).any():
        y.flat[-1] += 1
    return y


MISTAKES = {
    function.__name__.replace("_", " "): function
    for function in (
        *(missed_flip, swapped_ends, extra_at_the_low_end, extra_is_zero, bias_twice),
        *(bias_left_out, bias_of_the_first_group, groups_interleaved, one_dilation),
        *(integers_inside, double_inside, imaginary_part_lost, conjugated, nan_is_zero),
        *(always_double, wider_integers, overwrites_x, overwrites_the_kernel),
        *(overwrites_the_bias, returns_x, strides_ignored, bytes_ignored),
        *(swallows_errors, scatter_without_the_last_tap, small_results_only),
        kernel_below_the_stride,
    )
}
# Made anew for each test, since they remember.
WITH_STATE = {
    function.__name__.replace("_", " "): function
    for function in (
        *(one_buffer, returns_the_cached, kernel_by_identity, geometry_by_shapes),
        *(wrong_the_second_time, wrong_after_a_larger_call),
    )
}


def all_defects():
    """Return every faulty implementation by the name of its defect."""
    return {
        **{name: broken(condition) for name, condition in BY_CONDITION.items()},
        **MISTAKES,
        **{name: make() for name, make in WITH_STATE.items()},
    }
