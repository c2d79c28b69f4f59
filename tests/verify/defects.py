"""Classic defects, for any implementation: what is wrong with the call that it is given."""

import numpy as np


def missed_flip(call, x, kernel, bias, **options):
    return call(x, np.flip(kernel, tuple(range(2, kernel.ndim))), bias, **options)


def missed_flip_of_one_axis(call, x, kernel, bias, **options):
    return call(x, np.flip(kernel, -1), bias, **options)


def swapped_ends(call, x, kernel, bias, padding, **options):
    padding = tuple((hi, lo) for lo, hi in padding)
    return call(x, kernel, bias, padding=padding, **options)


def padding_of_the_first_axis(call, x, kernel, bias, padding, **options):
    return call(x, kernel, bias, padding=padding[:1] * len(padding), **options)


def padding_at_the_low_end_alone(call, x, kernel, bias, padding, **options):
    padding = tuple((lo + hi, 0) for lo, hi in padding)
    return call(x, kernel, bias, padding=padding, **options)


def crops_symmetrically(call, x, kernel, bias, padding, **options):
    padding = tuple(((lo + hi) // 2, (lo + hi + 1) // 2) for lo, hi in padding)
    return call(x, kernel, bias, padding=padding, **options)


def extra_at_the_low_end(call, x, kernel, bias, padding, output_padding=None, **options):
    extra = output_padding or (0,) * len(padding)
    padding = tuple((lo - e, hi) for (lo, hi), e in zip(padding, extra, strict=True))
    return call(x, kernel, bias, padding=padding, **options)


def groups_interleaved(call, x, kernel, bias, groups=1, **options):
    y = call(x, kernel, bias, groups=groups, **options)
    order = np.arange(y.shape[1]).reshape(groups, -1).T.ravel()
    return y[:, order]


def inputs_of_groups_interleaved(call, x, kernel, bias, groups=1, **options):
    order = np.arange(x.shape[1]).reshape(-1, groups).T.ravel()
    return call(x[:, order], kernel, bias, groups=groups, **options)


def dilation_ignored(call, x, kernel, bias, dilation, **options):
    y = call(x, kernel, bias, dilation=dilation, **options)
    other = call(x, kernel, bias, dilation=(1,) * len(dilation), **options)
    return padded_like(other, y)


def dilation_of_the_last_axis(call, x, kernel, bias, dilation, **options):
    y = call(x, kernel, bias, dilation=dilation, **options)
    other = call(x, kernel, bias, dilation=dilation[-1:] * len(dilation), **options)
    return padded_like(other, y)


def strides_swapped(call, x, kernel, bias, stride, **options):
    y = call(x, kernel, bias, stride=stride, **options)
    return padded_like(call(x, kernel, bias, stride=stride[::-1], **options), y)


def kernel_at_least_the_stride(call, x, kernel, bias, stride, **options):
    """Fill the gaps between kernels that are shorter than the stride."""
    y = call(x, kernel, bias, stride=stride, **options)
    if any(k < s for k, s in zip(kernel.shape[2:], stride, strict=True)):
        y = np.where(y == 0, 1, y)
    return y


def first_sample_for_all(call, x, kernel, bias, **options):
    return call(np.repeat(x[:1], len(x), 0), kernel, bias, **options)


def last_element_lost(call, x, kernel, bias, **options):
    x = x.copy()
    x[..., 16:] = 0
    x[..., -1] *= x.shape[-1] < 3
    return call(x, kernel, bias, **options)


def channels_past_eight_lost(call, x, kernel, bias, **options):
    y = call(x, kernel, bias, **options).copy()
    y[:, 6:] = 0
    return y


def space_transposed(call, x, kernel, bias, **options):
    """Flip both kernel axes of a square kernel with one another."""
    if len(set(kernel.shape[2:])) == 1 and kernel.ndim > 3:
        kernel = kernel.swapaxes(2, 3)
    return call(x, kernel, bias, **options)


def padded_like(array, model):
    """Cut or fill an array to a shape, as a buffer of the right size would be."""
    result = np.zeros_like(model)
    spot = tuple(map(slice, np.minimum(array.shape, model.shape)))
    result[spot] = array[spot]
    return result


DEFECTS = {
    function.__name__: function
    for function in (
        *(missed_flip, missed_flip_of_one_axis, swapped_ends, padding_of_the_first_axis),
        *(padding_at_the_low_end_alone, crops_symmetrically, extra_at_the_low_end),
        *(groups_interleaved, inputs_of_groups_interleaved, dilation_ignored),
        *(dilation_of_the_last_axis, strides_swapped, kernel_at_least_the_stride),
        *(first_sample_for_all, last_element_lost, channels_past_eight_lost),
        space_transposed,
    )
}
