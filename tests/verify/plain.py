"""Convolutions in plain loops, for the files that have them; nothing of mtconv is used."""

import re
from itertools import product

import numpy as np

from tests.verify.readers import stablehlo_arrays, stablehlo_window


def correlate(x, kernel, bias, *, stride, dilation, padding, groups):
    """Sum the kernel times what is below it; kernels are (outputs, inputs / groups, *k)."""
    size = [
        (n + lo + hi - d * (k - 1) - 1) // s + 1
        for n, k, s, d, (lo, hi) in zip(
            *(x.shape[2:], kernel.shape[2:], stride, dilation, padding), strict=True
        )
    ]
    y = np.zeros((len(x), len(kernel), *size))
    share = len(kernel) // groups
    for output, i in product(range(len(kernel)), product(*map(range, size))):
        first = output // share * kernel.shape[1]
        inputs = x[:, first : first + kernel.shape[1]]
        for j in product(*map(range, kernel.shape[2:])):
            rows = zip(stride, i, dilation, j, padding, strict=True)
            o = tuple(s * a + d * b - lo for s, a, d, b, (lo, _) in rows)
            if all(0 <= a < n for a, n in zip(o, x.shape[2:], strict=True)):
                y[(slice(None), output, *i)] += (
                    inputs[(..., *o)] @ kernel[(output, slice(None), *j)]
                )
    return y if bias is None else y + bias.reshape(-1, *(1 for _ in size))


def as_stablehlo_says(text):
    """Run a module's convolution by its definition; return that and what it expects."""
    (lhs, rhs, expected), window = stablehlo_arrays(text), stablehlo_window(text)
    groups, batches = (
        int(re.search(rf"{name}_group_count = (\d+)", text)[1])
        for name in ("feature", "batch")
    )
    inputs, outputs = rhs.shape[:2]
    result = np.zeros_like(expected)
    samples = np.arange(len(expected))
    for o, p in product(range(outputs), product(*map(range, expected.shape[2:]))):
        features = o // (outputs // groups) * inputs + np.arange(inputs)
        rows = o // (outputs // batches) * len(expected) + samples
        for j in product(*map(range, rhs.shape[2:])):
            q = position(window, p, j, lhs.shape[2:])
            if q is not None:
                turned = zip(j, rhs.shape[2:], window["reverse"], strict=True)
                tap = tuple(k - 1 - a if turn else a for a, k, turn in turned)
                part = lhs[(slice(None), slice(None), *q)][np.ix_(rows, features)]
                result[(samples, o, *p)] += part @ rhs[(slice(None), o, *tap)]
    return result, expected


def position(window, p, j, size):
    """Where the left side is read, or None between its elements and beyond them."""
    names = ("stride", "rhs_dilate", "pad", "lhs_dilate")
    rows = zip(p, j, size, *(window[name] for name in names), strict=True)
    spots = [
        (a * stride + b * dilation - low, spread, n)
        for a, b, n, stride, dilation, (low, _), spread in rows
    ]
    if any(a % spread or not 0 <= a // spread < n for a, spread, n in spots):
        return None
    return tuple(a // spread for a, spread, _ in spots)
