"""Every small relation in each rewritten form, against plain loops.

Strides up to 4, kernels up to 5, dilations up to 3, ``lo`` from -2 to beyond the kernel and
result sizes from 1 to beyond the natural one. `MTCONV_EVERY_REWRITE=1` takes all 40,050
relations; otherwise one in forty.
"""

import os
from itertools import product

import numpy as np
import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.rewrite import as_conv_and_shuffle, as_phases, as_zero_insertion

FORMS = [as_conv_and_shuffle, as_phases, as_zero_insertion]
NUMBERS = np.random.default_rng(7).integers(1, 2**20, 10)
EVERY = 1 if os.environ.get("MTCONV_EVERY_REWRITE") else 40


def relations():
    for n, k, stride, dilation in product(
        range(1, 6), range(1, 6), range(1, 5), range(1, 4)
    ):
        extent = dilation * (k - 1) + 1
        natural = stride * (n - 1) + extent
        for lo in range(-2, extent + 2):
            for big in range(1, natural + stride + 2):
                yield Axis(n, big, k, stride, dilation, lo)


def by_loops(axis, x, w):
    y = [0] * axis.big
    for i, j in product(range(axis.small), range(axis.kernel)):
        o = axis.stride * i + axis.dilation * j - axis.lo
        if 0 <= o < axis.big:
            y[o] += int(x[i] * w[j])
    return y


@pytest.mark.parametrize("form", FORMS)
def test_a_relation_in_another_form(form, record_property):
    cases = 0
    for number, axis in enumerate(relations()):
        if number % EVERY:
            continue
        x, w = NUMBERS[: axis.small], NUMBERS[5 : 5 + axis.kernel]
        rewritten = form(ConvSpec((axis,)), w)
        assert rewritten(x).tolist() == by_loops(axis, x, w), axis
        cases += 1
    record_property("cases", cases)
    assert cases == -(-40050 // EVERY)
