"""Pairs of maps that are transposes but for one defect."""

import numpy as np

import mtconv

KERNEL = np.array([[1, -2, 3], [4, 5, -7]])
OPTIONS = {"stride": 2, "padding": ((1, 0), (0, 2))}
POINT = np.arange(6).reshape(2, 3)


def f(x):
    return mtconv.conv_transpose(x, KERNEL, **OPTIONS)


def transposed(y):
    return mtconv.conv(y, KERNEL, **OPTIONS)


def zeroes_its_argument():
    def wrong(y):
        result = transposed(y)
        y[...] = 0
        return result

    return f, wrong


def returns_zeros_and_zeroes_its_argument():
    """Pass any dot test on the arrays themselves: 0 == 0."""

    def nothing(x):
        x[...] = 0
        return np.zeros((3, 5), x.dtype)

    def nothing_back(y):
        y[...] = 0
        return np.zeros((2, 3), y.dtype)

    return nothing, nothing_back


def adds_what_is_orthogonal():
    """Add (1, 0, ...) where x begins with 0."""
    return f, lambda y: transposed(y) + (np.arange(6).reshape(2, 3) == 0)


def misses_the_flip():
    return f, lambda y: mtconv.conv(y, KERNEL[:, ::-1], **OPTIONS)


def swaps_the_ends():
    options = {"stride": 2, "padding": ((0, 1), (2, 0))}
    return f, lambda y: mtconv.conv(y, KERNEL, **options)


def changes_the_sign():
    return f, lambda y: -transposed(y)


def changes_one_entry():
    def wrong(y):
        result = transposed(y)
        result[1, 2] += y[0, 0]
        return result

    return f, wrong


def is_wrong_for_negative_numbers():
    return f, lambda y: transposed(np.abs(y))


def is_wrong_for_large_numbers():
    return lambda x: f(np.clip(x, -100, 100)), transposed


def returns_one_buffer():
    buffer = np.zeros((2, 3), np.int64)

    def wrong(y):
        buffer[...] += transposed(y)  # what was there stays
        return buffer

    return f, wrong


def is_wrong_from_the_third_call_on():
    calls = []

    def wrong(x):
        calls.append(x)
        return f(x) + (len(calls) > 2) * (np.arange(15).reshape(3, 5) == 7)

    return wrong, transposed


def adds_a_bias():
    return lambda x: f(x) + 1, lambda y: transposed(y) + 1


def forgets_the_first_row():
    def wrong(y):
        result = transposed(y)
        result[0] = 0
        return result

    return f, wrong


def forgets_to_conjugate():
    """Be the transpose of a complex map with a complex kernel turned round."""
    kernel = KERNEL + 1j

    def apply(x):
        return mtconv.conv_transpose(x, kernel, **OPTIONS)

    return apply, lambda y: mtconv.conv(y, kernel.conj(), **OPTIONS)


def loses_the_imaginary_part():
    return lambda x: f(x * 1j), lambda y: transposed(y) * 1j * 0


def scales_by_a_little():
    return f, lambda y: transposed(y) * (1 + 1e-9)


DEFECTS = {
    function.__name__.replace("_", " "): function
    for function in (
        *(zeroes_its_argument, returns_zeros_and_zeroes_its_argument),
        *(adds_what_is_orthogonal, misses_the_flip, swaps_the_ends, changes_the_sign),
        *(changes_one_entry, is_wrong_for_negative_numbers, is_wrong_for_large_numbers),
        *(returns_one_buffer, is_wrong_from_the_third_call_on, adds_a_bias),
        *(forgets_the_first_row, forgets_to_conjugate, loses_the_imaginary_part),
        scales_by_a_little,
    )
}
