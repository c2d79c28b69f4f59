"""A convolution in plain loops, for the files that have one; it uses nothing of mtconv."""

from itertools import product

import numpy as np


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
