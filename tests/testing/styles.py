"""Three transposed convolutions of their own, in different styles, with every option.

None of them uses mtconv: what they are compared with is not what they are made of.
"""

from itertools import product
from typing import NamedTuple

import numpy as np


class Call(NamedTuple):
    """A call with a batch and channels, and one integer an axis for every option."""

    x: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray | None
    stride: tuple
    dilation: tuple
    crop: tuple  # what is cut off at both ends of an axis
    extra: tuple
    groups: int

    @property
    def rank(self):
        return self.kernel.ndim - 2

    @property
    def sizes(self):
        """Sizes of the result."""
        rows = zip(
            *(self.x.shape[2:], self.kernel.shape[2:], self.stride, self.dilation),
            *(self.crop, self.extra),
            strict=True,
        )
        return tuple(
            s * (n - 1) + d * (k - 1) + 1 - lo - hi + extra
            for n, k, s, d, (lo, hi), extra in rows
        )


def each(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def written_out(
    x,
    kernel,
    bias,
    *,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
):
    """Write a call out in full."""
    bare = x.ndim == kernel.ndim < 3
    if bare:
        x, kernel = x[None, None], kernel[None, None]
    elif x.ndim < kernel.ndim:
        x = x[None]
    rank = kernel.ndim - 2
    stride, dilation = each(stride, rank), each(dilation, rank)
    extra = each(output_padding, rank)
    if padding == "valid":
        padding = 0
    if padding in ("same", "same_lower"):
        totals = [
            max(s * (n - 1) + d * (k - 1) + 1 - s * n, 0)
            for n, k, s, d in zip(
                x.shape[2:], kernel.shape[2:], stride, dilation, strict=True
            )
        ]
        low = [t - t // 2 if padding == "same_lower" else t // 2 for t in totals]
        # Where the kernel is shorter than the stride, zeros fill the size up.
        fill = [
            max(s - d * (k - 1) - 1, 0)
            for k, s, d in zip(kernel.shape[2:], stride, dilation, strict=True)
        ]
        crop = tuple((lo, t - lo - f) for lo, t, f in zip(low, totals, fill, strict=True))
    else:
        crop = tuple(each(p, 2) for p in each(padding, rank))
    return Call(x, kernel, bias, stride, dilation, crop, extra, groups)


def finished(call, y, like):
    """Add the bias, and leave out the axes that the caller's array does not have."""
    if call.bias is not None:
        y = y + call.bias.reshape(-1, *(1 for _ in range(call.rank)))
    return y.reshape(y.shape[y.ndim - like.ndim :])


def scatter(x, kernel, bias, **options):
    """Add the kernel times each element where it belongs."""
    call = written_out(x, kernel, bias, **options)
    share = call.kernel.shape[1]
    sizes = call.sizes
    y = np.zeros((len(call.x), call.groups * share, *sizes), x.dtype.newbyteorder("="))
    inputs = np.split(call.x, call.groups, axis=1)
    kernels = np.split(call.kernel, call.groups)
    joins = joined(call)
    for g, (part, w) in enumerate(zip(inputs, kernels, strict=True)):
        channels = slice(g * share, (g + 1) * share)
        for i, j, o in joins:
            y[(slice(None), channels, *o)] += part[(..., *i)] @ w[(..., *j)]
    return finished(call, y, x)


def joined(call):
    """List where every element of x lands through every tap, if that is inside."""
    rows = zip(
        *(call.x.shape[2:], call.kernel.shape[2:], call.sizes, call.stride),
        *(call.dilation, call.crop),
        strict=True,
    )
    axes = [landings(*row) for row in rows]
    return [tuple(zip(*triples, strict=True)) for triples in product(*axes)]


def landings(n, k, size, stride, dilation, crop):
    pairs = product(range(n), range(k))
    joins = ((i, j, stride * i + dilation * j - crop[0]) for i, j in pairs)
    return [(i, j, o) for i, j, o in joins if 0 <= o < size]


def zero_insertion(x, kernel, bias, **options):
    """Put zeros between the elements, pad, and correlate with the flipped kernel."""
    call = written_out(x, kernel, bias, **options)
    taps, share = call.kernel.shape[2:], call.kernel.shape[1]
    spans = [d * (k - 1) + 1 for d, k in zip(call.dilation, taps, strict=True)]
    spread = [s * (n - 1) + 1 for s, n in zip(call.stride, call.x.shape[2:], strict=True)]
    z = np.zeros((*call.x.shape[:2], *spread), call.x.dtype.newbyteorder("="))
    z[(..., *(slice(None, None, s) for s in call.stride))] = call.x
    for axis, (span, (lo, _), size) in enumerate(
        zip(spans, call.crop, call.sizes, strict=True), 2
    ):
        # Element o of the result sums z[o + lo - (span - 1) .. o + lo].
        z = window(z, axis, lo - (span - 1), lo + size)
    flipped = np.flip(call.kernel, tuple(range(2, call.kernel.ndim)))
    y = np.zeros((len(z), call.groups * share, *call.sizes), z.dtype)
    grouped = z.reshape(len(z), call.groups, z.shape[1] // call.groups, *z.shape[2:])
    weights = flipped.reshape(call.groups, -1, *flipped.shape[1:])
    for j in product(*map(range, taps)):
        spots = zip(j, call.dilation, call.sizes, strict=True)
        part = grouped[(..., *(slice(b * d, b * d + size) for b, d, size in spots))]
        term = np.einsum("ngs...,gsc->ngc...", part, weights[(..., *j)])
        y += term.reshape(y.shape)
    return finished(call, y, x)


def window(y, axis, start, stop):
    """Elements start to stop of one axis, zeros where there are none."""
    stop = max(start, stop)
    pads = [(0, 0)] * y.ndim
    pads[axis] = (max(0, -start), max(0, stop - y.shape[axis]))
    start, stop = start + pads[axis][0], stop + pads[axis][0]
    return np.take(np.pad(y, pads), np.arange(start, stop), axis)


def matrices(x, kernel, bias, **options):
    """Multiply by a table of zeros and ones for each axis; NaN spreads."""
    call = written_out(x, kernel, bias, **options)
    dtype, share = x.dtype.newbyteorder("="), call.kernel.shape[1]
    shape = (len(call.x), call.groups, call.x.shape[1] // call.groups, *call.x.shape[2:])
    y = call.x.astype(dtype).reshape(shape)
    weights = call.kernel.astype(dtype).reshape(call.groups, -1, *call.kernel.shape[1:])
    small, taps, big = "ijk"[: call.rank], "abd"[: call.rank], "opq"[: call.rank]
    tables = [
        table(*row).astype(dtype)
        for row in zip(
            *(call.x.shape[2:], call.kernel.shape[2:], call.sizes, call.stride),
            *(call.dilation, call.crop),
            strict=True,
        )
    ]
    lines = ",".join(i + j + o for i, j, o in zip(small, taps, big, strict=True))
    rule = f"ngs{small},gsc{taps},{lines}->ngc{big}"
    y = np.einsum(rule, y, weights, *tables, optimize=["einsum_path", *path(call.rank)])
    return finished(call, y.reshape(len(y), call.groups * share, *call.sizes), x)


def path(rank):
    """Put the tables together with the kernel first, then with x."""
    return [(1, 2)] + [(1, n) for n in range(rank, 1, -1)] + [(0, 1)]


def table(n, k, size, stride, dilation, crop):
    i, j, o = np.ogrid[:n, :k, :size]
    return o == stride * i + dilation * j - crop[0]


STYLES = {"scatter": scatter, "zero insertion": zero_insertion, "matrices": matrices}
