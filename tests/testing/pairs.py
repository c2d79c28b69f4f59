"""Transposed convolutions that are wrong only where two features meet."""

import numpy as np

from tests.testing.conditions import rank


def steps(c, name):
    return np.broadcast_to(c.options.get(name, 1), rank(c.kernel)).tolist()


def taps(c):
    return c.kernel.shape[-rank(c.kernel) :]


def groups(c):
    return c.options.get("groups", 1)


def samples(c):
    return len(c.x) if c.x.ndim == c.kernel.ndim > 2 else 1


def is_a(c, name):
    return c.x.dtype.newbyteorder("=").name == name


def fortran(c):
    return c.x.flags.f_contiguous and not c.x.flags.c_contiguous


def numbers(c):
    """Padding as a flat list of integers."""
    padding = c.options.get("padding", 0)
    return [0] if isinstance(padding, str) else np.ravel(padding).tolist()


def channels(c):
    """Channels of a group, on both sides."""
    if c.kernel.ndim < 3:
        return 1, 1
    return c.kernel.shape[0] // groups(c), c.kernel.shape[1]


def size(c, axis):
    return c.x.shape[axis] if rank(c.kernel) >= -axis else 0


BY_PAIR = {
    "float32 and 7 taps": lambda c: is_a(c, "float32") and max(taps(c)) >= 7,
    "float16 and 5 taps": lambda c: is_a(c, "float16") and max(taps(c)) >= 5,
    "uint16 and 6 taps": lambda c: is_a(c, "uint16") and 6 in taps(c),
    "int8 and Fortran order": lambda c: is_a(c, "int8") and fortran(c),
    "uint8 and 3 groups": lambda c: is_a(c, "uint8") and groups(c) == 3,
    "int16 and dilation 3": lambda c: is_a(c, "int16") and 3 in steps(c, "dilation"),
    "uint8 and same": lambda c: is_a(c, "uint8") and c.options.get("padding") == "same",
    "bfloat16 and negative padding": lambda c: is_a(c, "bfloat16") and min(numbers(c)) < 0,
    "bfloat16 and 5 samples": lambda c: is_a(c, "bfloat16") and samples(c) == 5,
    "complex64 and unaligned": lambda c: is_a(c, "complex64") and not c.x.flags.aligned,
    "int8 and a bias": lambda c: is_a(c, "int8") and c.bias is not None,
    "float32 and read-only in 3-D": lambda c: (
        is_a(c, "float32") and not c.x.flags.writeable and rank(c.kernel) == 3
    ),
    "4 samples and groups": lambda c: samples(c) >= 4 and groups(c) > 1,
    "4 samples in 3-D": lambda c: samples(c) >= 4 and rank(c.kernel) == 3,
    "7 taps and groups": lambda c: max(taps(c)) >= 7 and groups(c) > 1,
    "7 taps and a stride of 3": lambda c: 7 in taps(c) and 3 in steps(c, "stride"),
    "5 taps and a dilation of 3": lambda c: 5 in taps(c) and 3 in steps(c, "dilation"),
    "3 taps, stride 2 and dilation 2 of images": lambda c: (
        (taps(c), steps(c, "stride"), steps(c, "dilation")) == ((3, 3), [2, 2], [2, 2])
    ),
    "a layer with output_padding and groups": lambda c: (
        (taps(c), steps(c, "stride"), np.any(c.options.get("output_padding", 0)))
        == ((3, 3), [2, 2], True)
        and groups(c) > 1
    ),
    "a layer of volumes with output_padding and a bias": lambda c: (
        (taps(c), steps(c, "stride"), np.any(c.options.get("output_padding", 0)))
        == ((3, 3, 3), [2, 2, 2], True)
        and c.bias is not None
    ),
    "8 taps in 3-D": lambda c: rank(c.kernel) == 3 and 8 in taps(c),
    "33 elements and a bias": lambda c: size(c, -1) >= 33 and c.bias is not None,
    "33 rows and groups": lambda c: size(c, -2) >= 33 and groups(c) > 1,
    "17 columns of an image and a stride of 3": lambda c: (
        rank(c.kernel) == 2 and size(c, -1) >= 17 and 3 in steps(c, "stride")
    ),
    "17 layers and samples": lambda c: size(c, -3) >= 17 and samples(c) > 1,
    "5 channels and a stride": lambda c: channels(c)[0] > 4 and max(steps(c, "stride")) > 1,
    "8 channels of the result of an image": lambda c: (
        rank(c.kernel) == 2 and channels(c)[1] >= 8
    ),
    "9 channels of the result and groups": lambda c: (
        channels(c)[1] % 8 == 1 < channels(c)[1] and groups(c) > 1
    ),
    "17 channels and a bias": lambda c: channels(c)[1] >= 17 and c.bias is not None,
    "8 channels and 4 groups": lambda c: channels(c)[0] >= 8 and groups(c) >= 4,
    "negative padding and groups": lambda c: min(numbers(c)) < 0 and groups(c) > 1,
    "reversed and groups": lambda c: min(c.x.strides) < 0 < c.x.size - 1 and groups(c) > 1,
    "big-endian in 3-D": lambda c: not c.x.dtype.isnative and rank(c.kernel) == 3,
    "stride 5 of images": lambda c: rank(c.kernel) == 2 and min(steps(c, "stride")) >= 5,
    "circular and a stride": lambda c: (
        c.options.get("padding_mode") == "circular" and max(steps(c, "stride")) > 2
    ),
    "reflect in 3-D": lambda c: (
        c.options.get("padding_mode") == "reflect" and rank(c.kernel) == 3
    ),
}
