"""Transposed convolutions with one mistake in the code of a right one."""

import numpy as np

import mtconv
from tests.testing.conditions import BY_CONDITION, broken, rank
from tests.testing.pairs import BY_PAIR
from tests.testing.styles import scatter
from tests.testing.value_defects import LATER, WITH_VALUES

right = mtconv.conv_transpose


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
        **{name: broken(condition) for name, condition in (BY_CONDITION | BY_PAIR).items()},
        **MISTAKES,
        **WITH_VALUES,
        **{name: make() for name, make in (WITH_STATE | LATER).items()},
    }
