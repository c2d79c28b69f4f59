"""Six wrong transposed convolutions, each with one classic defect, are all found out.

They are one plain implementation of its own, "scatter, then crop", with a switch for the
defect. Each is caught by `assert_matches_reference` within 200 examples, and what it
shrinks to can be worked out by hand.
"""

from itertools import product
from operator import mul

import numpy as np
import pytest

from mtconv.testing import assert_matches_reference


def each(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def scatter_and_crop(
    x,
    kernel,
    bias,
    stride=1,
    padding=0,
    output_padding=0,
    dilation=1,
    groups=1,
    *,
    defect=None,
):
    """Add the kernel times each element of x where it belongs, and crop the result."""
    rank, size = kernel.ndim - 2, x.shape[2:]
    taps = kernel.shape[2:]
    stride, dilation = each(stride, rank), each(dilation, rank)
    extra = each(output_padding, rank)
    crop = [each(p, 2) for p in each(padding, rank)]
    if defect == "missed flip":
        kernel = np.flip(kernel, -1)
    if defect == "asymmetric padding swapped":
        crop = [(hi, lo) for lo, hi in crop]
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, taps, strict=True)]
    if defect == "kernel below stride":
        spans = [max(span, s) for span, s in zip(spans, stride, strict=True)]
    full = [s * (n - 1) + span for s, n, span in zip(stride, size, spans, strict=True)]
    if defect == "dilation of one axis":
        dilation = (dilation[-1],) * rank
        full = [10 * cells for cells in full]  # room for what lands too far
    share = kernel.shape[1]
    inputs = np.split(x, groups, axis=1)
    y = np.zeros((x.shape[0], share * groups, *full), x.dtype)
    for g, (part, w) in enumerate(zip(inputs, np.split(kernel, groups), strict=True)):
        channels = slice(g * share, (g + 1) * share)
        if defect == "groups interleaved":
            channels = slice(g, None, groups)
        for j in product(*map(range, taps)):
            term = np.moveaxis(part, 1, -1) @ w[(..., *j)]
            starts = map(mul, j, dilation)
            o = (
                slice(o, o + s * n, s) for o, s, n in zip(starts, stride, size, strict=True)
            )
            y[(slice(None), channels, *o)] += np.moveaxis(term, -1, 1)
    if defect == "dilation of one axis":
        y = y[(..., *(slice(0, cells // 10) for cells in full))]
    late = (0,) * rank
    if defect == "zeros as output padding":
        extra, late = late, extra
    for axis, ((lo, hi), further) in enumerate(zip(crop, extra, strict=True), 2):
        y = window(y, axis, lo, y.shape[axis] - hi + further)
    if bias is not None:
        y = y + bias.reshape(-1, *(1 for _ in size))
    return np.pad(y, [(0, 0), (0, 0), *((0, e) for e in late)])


def window(y, axis, start, stop):
    """Cells start to stop of one axis, zeros where there are none."""
    stop = max(start, stop)
    pads = [(0, 0)] * y.ndim
    pads[axis] = (max(0, -start), max(0, stop - y.shape[axis]))
    start, stop = start + pads[axis][0], stop + pads[axis][0]
    return np.take(np.pad(y, pads), np.arange(start, stop), axis)


LIMITS = {"kinds": ("batched",), "paddings": ("ints", "pairs", "negative")}
DEFECTS = (
    "missed flip",
    "asymmetric padding swapped",
    "kernel below stride",
    "zeros as output padding",
    "groups interleaved",
    "dilation of one axis",
)


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_caught_and_shrunk(defect):
    calls = []

    def faulty(x, kernel, bias, **options):
        calls.append(x.shape)
        return scatter_and_crop(x, kernel, bias, **options, defect=defect)

    with pytest.raises(AssertionError, match=r"^conv_transpose\(x=") as caught:
        assert_matches_reference(faulty, max_examples=200, **LIMITS)
    assert max(calls[-1][2:]) <= 4  # Hypothesis ends with the smallest failing case
    assert "axis 0: o = " in str(caught.value)


def test_the_same_without_a_defect_passes():
    assert_matches_reference(scatter_and_crop, **LIMITS)


def test_the_message_names_what_is_wrong_and_the_taps_that_lead_there():
    def faulty(x, kernel, bias, **options):
        return scatter_and_crop(x, kernel, bias, **options, defect="missed flip")

    with pytest.raises(AssertionError) as caught:
        assert_matches_reference(faulty, options=(), bias=False, **LIMITS)
    assert str(caught.value).splitlines()[:6] == [
        "conv_transpose(x=[[[1]]], kernel=[[[1, 2]]]): 2 of 2 elements are wrong; "
        "the first is at index (0, 0, 0): got 2, expected 1",
        "geometry:",
        "  axis 0: o = 1*i + 1*j - 0, 0 <= i < 1, 0 <= j < 2, 0 <= o < 2",
        "  channels: 1 on the small side, 1 on the big side, groups=1",
        "taps that reach it (spatial indices, summed over channels and batch):",
        "  x[..., 0] * kernel[..., 0]",
    ]


def test_an_exception_of_the_function_passes_through():
    def broken(*_, **__):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        assert_matches_reference(broken)
