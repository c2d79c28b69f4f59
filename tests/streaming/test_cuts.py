"""Every relation of one axis and every way of cutting, against plain loops.

Strides up to 4, kernels up to 5, dilations up to 3, ``lo`` and ``hi`` from -2 to beyond the
kernel with every output padding, and signals of up to 7 elements. A relation has 127 ways
of cutting; what a step does depends on its state and its chunk alone, so it is enough to
take every step from every state, and to see that all ways to a state lead to the same one.

``MTCONV_EVERY_CUT=1`` takes all relations; otherwise a draw of each stride, kernel and
dilation.
"""

import os
from itertools import combinations, product

import numpy as np
import pytest

from mtconv.streaming import ConvStream, ConvTransposeStream

LONGEST = 7
CLASSES = {"conv": ConvStream, "conv_transpose": ConvTransposeStream}
STRIDES = range(1, 5)
SIZES = list(product(range(1, 6), range(1, 4)))  # kernels and dilations
EVERY = bool(os.environ.get("MTCONV_EVERY_CUT"))

# Numbers of 20 bits: sums of their products are exact, and none equals another.
NUMBERS = np.random.default_rng(7).integers(1, 2**20, LONGEST + 5)
SIGNAL, TAPS = NUMBERS[5:], NUMBERS[:5]


def relations(form, stride, kernel, dilation):
    """Paddings and output paddings of one stride, kernel size and dilation."""
    amounts = range(-2, dilation * (kernel - 1) + 3)
    extras = range(stride if form == "conv_transpose" else 1)
    return list(product(amounts, amounts, extras))


def drawn(form, stride, kernel, dilation):
    every = relations(form, stride, kernel, dilation)
    if EVERY:
        return every
    rng = np.random.default_rng([stride, kernel, dilation, form == "conv"])
    return [every[number] for number in rng.choice(len(every), 2)]


def by_loops(form, x, stride, kernel, dilation, lo, hi, extra):
    """The whole result of x, term by term; empty where no element is left."""
    extent = dilation * (kernel - 1) + 1
    if form == "conv":
        size = (len(x) + lo + hi - extent) // stride + 1
    else:
        size = stride * (len(x) - 1) + extent - lo - hi + extra
    result = [0] * max(size, 0)
    for a, j in product(range(max(len(x), size)), range(kernel)):
        b = stride * a + dilation * j - lo
        if form == "conv" and a < size and 0 <= b < len(x):
            result[a] += int(x[b] * TAPS[j])
        elif form == "conv_transpose" and a < len(x) and 0 <= b < size:
            result[b] += int(x[a] * TAPS[j])
    return result


def settled(form, count, relation):
    """How many elements are out of reach of later input and of any end of it."""
    stride, kernel, dilation, lo, *_ = relation
    size = len(by_loops(form, SIGNAL[:count], *relation))
    span = range(dilation * (kernel - 1) + 1)
    if form == "conv":
        late = {i for i in range(size) for t in span if stride * i + t - lo >= count}
    else:
        late = {stride * i + t - lo for i in range(count, count + 20) for t in span}
    return next((number for number in range(size) if number in late), size)


def stream_of(form, stride, kernel, dilation, lo, hi, extra):
    options = {"stride": stride, "dilation": dilation, "padding": ((lo, hi),)}
    if extra:
        options["output_padding"] = extra
    return CLASSES[form](TAPS[:kernel], **options)


def check_all_steps(form, relation):
    """Take every step from every state; return the number of steps."""
    stream = stream_of(form, *relation)
    wholes = [by_loops(form, SIGNAL[:n], *relation) for n in range(LONGEST + 1)]
    wholes[0] = []  # nothing comes of nothing
    known = [0] + [settled(form, n, relation) for n in range(1, LONGEST + 1)]
    states = {0: stream.start(dtype="int64")}
    steps = 0
    for begin in range(LONGEST + 1):
        rest = stream.flush(states[begin])
        assert rest.tolist() == wholes[begin][known[begin] :], (relation, begin)
        for end in range(begin, LONGEST + 1):
            state, output = stream.step(states[begin], SIGNAL[begin:end])
            expected = wholes[end][known[begin] : known[end]]
            assert output.tolist() == expected, (relation, begin, end)
            other = states.setdefault(end, state)
            assert (state.position, state.held) == (other.position, other.held)
            assert state.cells.tolist() == other.cells.tolist()
            steps += 1
    return steps


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("form", CLASSES)
def test_every_step_from_every_state(form, stride, record_property):
    steps = 0
    for sizes in SIZES:
        for padding in drawn(form, stride, *sizes):
            steps += check_all_steps(form, (stride, *sizes, *padding))
    record_property("cases", steps)
    assert steps >= 36 * 2 * len(SIZES)


def test_the_enumeration_is_as_large_as_it_says():
    steps = list(product(STRIDES, SIZES))
    counts = {
        form: sum(len(relations(form, stride, *sizes)) for stride, sizes in steps)
        for form in CLASSES
    }
    assert counts == {"conv": 5580, "conv_transpose": 13950}


def ways(size):
    """All ways to cut a signal, as the places of the cuts."""
    for count in range(size):
        yield from combinations(range(1, size), count)


@pytest.mark.parametrize(
    ("form", "relation"),
    [
        ("conv", (3, 2, 1, 1, 2, 0)),
        ("conv", (2, 3, 2, 6, -1, 0)),
        ("conv_transpose", (3, 2, 1, 1, 2, 2)),
        ("conv_transpose", (2, 4, 2, -2, 8, 1)),
    ],
)
def test_every_way_of_cutting_in_full(form, relation, streamed):
    stream = stream_of(form, *relation)
    for size in range(1, LONGEST + 1):
        x = SIGNAL[:size]
        for cuts in ways(size):
            assert streamed(stream, x, cuts).tolist() == by_loops(form, x, *relation)


def test_there_are_127_ways():
    assert sum(1 for size in range(1, LONGEST + 1) for _ in ways(size)) == 127
