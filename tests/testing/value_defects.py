"""Transposed convolutions that are wrong for some values, or some calls later."""

from collections import deque

import numpy as np

import mtconv
from tests.testing.conditions import rank

right = mtconv.conv_transpose


def is_a(array, name):
    return array.dtype.newbyteorder("=") == np.dtype(name)


def of_few_bits(array):
    """Cut the digits of float32 numbers to the 11 bits that tensor cores read."""
    bits = array.astype("f4").view("u4") & np.uint32(0xFFFFE000)
    return bits.view("f4")


def reads_eleven_bits(x, kernel, bias, **options):
    if is_a(x, "f4"):
        x, kernel = of_few_bits(x), of_few_bits(kernel)
    return right(x, kernel, bias, **options)


def rounds_single_precision_to_half(x, kernel, bias, **options):
    """Keep numbers that half precision does not have."""
    y = right(x, kernel, bias, **options)
    if not is_a(y, "f4") or np.abs(y).max(initial=0) > 60_000:
        return y
    return y.astype("f2").astype("f4")


def small_numbers_are_zero(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    return np.where(np.abs(y) < 1e-4, y.dtype.type(0), y)


def keeps_the_kernel_in_single_precision(x, kernel, bias, **options):
    if is_a(x, "f8"):
        with np.errstate(over="ignore"):
            kernel = kernel.astype("f4").astype("f8")
    return right(x, kernel, bias, **options)


def keeps_the_kernel_in_32_bits(x, kernel, bias, **options):
    if is_a(x, "i8"):
        kernel = kernel.astype("i4").astype("i8")
    return right(x, kernel, bias, **options)


def whole_bias(x, kernel, bias, **options):
    if bias is not None and bias.dtype.kind == "f":
        bias = np.trunc(bias)
    return right(x, kernel, bias, **options)


def bias_in_half_precision(x, kernel, bias, **options):
    if bias is not None and bias.dtype.kind == "f":
        with np.errstate(over="ignore"):
            bias = bias.astype("f2").astype(bias.dtype)
    return right(x, kernel, bias, **options)


def stops_at_the_largest_byte(x, kernel, bias, **options):
    if not is_a(x, "i1"):
        return right(x, kernel, bias, **options)
    wide = [a if a is None else a.astype("i8") for a in (x, kernel, bias)]
    return np.clip(right(*wide, **options), -128, 127).astype("i1")


def infinity_is_large(x, kernel, bias, **options):
    if x.dtype.kind == "f" and np.isinf(x).any():
        x = np.nan_to_num(x, nan=np.nan)
    return right(x, kernel, bias, **options)


def nan_in_the_kernel_is_zero(x, kernel, bias, **options):
    if kernel.dtype.kind == "f" and np.isnan(kernel).any():
        kernel = np.nan_to_num(kernel)
    return right(x, kernel, bias, **options)


def nan_in_the_bias_is_zero(x, kernel, bias, **options):
    if bias is not None and bias.dtype.kind == "f" and np.isnan(bias).any():
        bias = np.nan_to_num(bias)
    return right(x, kernel, bias, **options)


def returns_the_bias_where_x_is_zero(x, kernel, bias, **options):
    y = right(x, kernel, bias, **options)
    if bias is None or x.any():
        return y
    return np.broadcast_to(bias.reshape(-1, *(1,) * rank(kernel)), y.shape)


def takes_ones_for_a_running_sum(x, kernel, bias, **options):
    """Take a short cut for kernels of ones, and forget the dilation on the way."""
    if kernel.size > 1 and (kernel == 1).all() and "dilation" in options:
        size = mtconv.conv_transpose_shape(x.shape, kernel.shape, **options)
        y = right(x, kernel, bias, **{k: v for k, v in options.items() if k != "dilation"})
        return np.resize(y, size)
    return right(x, kernel, bias, **options)


def copies_where_the_kernel_is_a_single_one(x, kernel, bias, **options):
    """Take a short cut for kernels that move x, but not their last tap."""
    y = right(x, kernel, bias, **options)
    if kernel.size > 1 and (kernel != 0).sum() == 1 and y.size and "stride" in options:
        y.flat[-1] += 1
    return y


WITH_VALUES = {
    function.__name__.replace("_", " "): function
    for function in (
        *(reads_eleven_bits, keeps_the_kernel_in_single_precision, whole_bias),
        *(rounds_single_precision_to_half, small_numbers_are_zero),
        *(keeps_the_kernel_in_32_bits, bias_in_half_precision, infinity_is_large),
        *(stops_at_the_largest_byte, nan_in_the_kernel_is_zero),
        *(nan_in_the_bias_is_zero, returns_the_bias_where_x_is_zero),
        *(takes_ones_for_a_running_sum, copies_where_the_kernel_is_a_single_one),
    )
}


def eight_buffers():
    """Return one of eight buffers of a size in turn."""
    pools = {}

    def function(x, kernel, bias, **options):
        y = right(x, kernel, bias, **options)
        key = (y.shape, y.dtype)
        pool = pools.setdefault(key, deque(np.empty_like(y) for _ in range(8)))
        pool.rotate()
        pool[0][...] = y
        return pool[0]

    return function


def kernel_by_three_elements():
    """Pack a kernel once, and tell it from others by its ends and its middle."""
    packs = {}

    def function(x, kernel, bias, **options):
        ends = [kernel.flat[n].item() for n in (0, kernel.size // 2, -1)]
        pack = packs.setdefault((kernel.shape, kernel.dtype, *ends), kernel.copy())
        return right(x, pack, bias, **options)

    return function


def kernel_by_its_sum():
    packs = {}

    def function(x, kernel, bias, **options):
        key = (kernel.shape, kernel.dtype, kernel.sum().item())
        return right(x, packs.setdefault(key, kernel.copy()), bias, **options)

    return function


def clears_the_input_of_the_call_before():
    last = []

    def function(x, kernel, bias, **options):
        y = right(x, kernel, bias, **options)
        if last and last[0] is not x and last[0].flags.writeable:
            last[0][...] = 0
        last[:] = [x]
        return y

    return function


LATER = {
    function.__name__.replace("_", " "): function
    for function in (
        *(eight_buffers, kernel_by_three_elements, kernel_by_its_sum),
        clears_the_input_of_the_call_before,
    )
}
