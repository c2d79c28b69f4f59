"""`fft`: lengths of transforms, places of taps, and which cells are read back.

Three cells, five taps and a stride of 2: even cells ``y[2t] = sum x[t-m] * w[2m]`` have
three taps, odd ones two.
"""

from __future__ import annotations

import numpy as np
import pytest

import mtconv
from mtconv.backends._numpy import fft
from mtconv.backends._numpy.weights import Packs, Weights
from mtconv.backends._numpy.workspace import Workspace
from mtconv.geometry import Axis, live_phases

AXIS = Axis(3, 9, 5, 2)


@pytest.mark.parametrize(
    ("least", "length"),
    [
        (1, 1),
        (2, 2),
        (7, 8),
        (11, 12),
        (13, 15),
        (17, 18),
        (19, 20),
        (21, 24),
        (31, 32),
        (33, 36),
        (49, 50),
        (65, 72),
        (76, 80),
        (91, 96),
        (121, 125),
        (217, 225),
        (1025, 1080),
        (4097, 4320),
    ],
)
def test_lengths_are_products_of_2_3_and_5(least, length):
    assert fft._fast_length(least) == length


@pytest.mark.parametrize(
    ("axis", "length"),
    [
        (AXIS, 5),  # 3 cells and two taps more
        (Axis(4, 12, 6, 2), 6),
        (Axis(4, 12, 5, 2, 3), 10),  # two taps of a phase are three cells apart
        (Axis(9, 9, 1), 9),
        (Axis(3, 1, 2, 4, 1, -1), 3),  # no taps
    ],
)
def test_a_transform_is_as_long_as_no_phase_wraps(axis, length):
    assert fft._lengths((axis,)) == (length,)
    assert fft._lengths((axis, AXIS)) == (length, 5)


def test_taps_of_a_phase_stand_where_they_reach():
    even, odd = live_phases(AXIS)
    assert fft._tap_places(even) == [(0, 0), (2, 1), (4, 2)]
    assert fft._tap_places(odd) == [(1, 0), (3, 1)]
    # Two cells of padding: phases begin one cell of x later.
    even, odd = live_phases(Axis(3, 7, 5, 2, 1, 2))
    assert fft._tap_places(even) == [(0, -1), (2, 0), (4, 1)]
    assert fft._reach(Axis(3, 7, 5, 2, 1, 2), even) == (-1, 3)
    assert fft._reach(AXIS, live_phases(AXIS)[0]) == (0, 4)
    assert fft._reach(AXIS, live_phases(AXIS)[1]) == (0, 3)


@pytest.mark.parametrize(
    ("axis", "starts"),
    [
        (AXIS, [0, 1]),
        (Axis(3, 9, 1, 2), [0]),
        # Taps of phase 0 that land before the result, and behind it.
        (Axis(1, 2, 2, 2, 1, 1), [0]),
        (Axis(2, 3, 2, 1, 4, -4), []),
    ],
)
def test_phases_that_no_tap_reaches_are_left_out(axis, starts):
    assert [phase.start for phase in fft._reached(axis)] == starts


def test_elements_go_to_places_of_a_circle():
    source = np.array([[1, 2, 3], [4, 5, 6]])
    places = [[(2, 0), (0, -1)]]
    assert fft._place(source, places, (4,), sign=1).tolist() == [[3, 0, 0, 1], [6, 0, 0, 4]]
    assert fft._place(source, places, (4,), sign=-1).tolist() == [
        [3, 1, 0, 0],
        [6, 4, 0, 0],
    ]
    image = np.array([[1, 2], [3, 4]])
    both = [[(0, 1), (1, 2)], [(1, 0)]]
    assert fft._place(image, both, (3, 2), sign=1).tolist() == [[0, 0], [2, 0], [4, 0]]


@pytest.mark.parametrize(
    ("reach", "count", "read"),
    [
        ((0, 3), 4, [10, 11, 12, 13]),
        ((-2, 9), 6, [10, 11, 12, 13, 10, 11]),  # the circle goes on
        ((1, 2), 4, [0, 11, 12, 0]),
        ((2, 1), 3, [0, 0, 0]),
    ],
)
def test_cells_out_of_reach_are_zero(reach, count, read):
    circle = np.array([[10, 11, 12, 13]])
    assert fft._read(circle, 1, reach, 4, count).tolist() == [read]
    assert fft._read(circle.T, 0, reach, 4, count).T.tolist() == [read]


def test_a_phase_of_y_has_the_cells_that_taps_reach():
    axis = Axis(2, 9, 2, 3, 1, -1)  # y[3i + j + 1]
    y = np.arange(9).reshape(1, 9) + 1
    first, second = fft._reached(axis)
    assert fft._phase((axis,), (first,), y, (4,)).tolist() == [[2, 5, 0, 0]]
    assert fft._phase((axis,), (second,), y, (4,)).tolist() == [[3, 6, 0, 0]]


@pytest.mark.parametrize(
    ("dtype", "kind", "shape"),
    [
        ("float32", "complex64", (1, 2, 3, 5, 3)),
        ("float64", "complex128", (1, 2, 3, 5, 3)),
        ("complex64", "complex64", (1, 2, 3, 5, 5)),
    ],
)
def test_spectra_of_taps_are_packed_in_their_precision(dtype, kind, shape):
    """Of real arrays half of the last axis is enough."""
    packs: Packs = {}
    phase = live_phases(AXIS)[0]
    w = np.ones((1, 2, 3, 5, 5), dtype)
    for times in (1, 1):
        found = fft._tap_spectrum((phase, phase), Weights(w, packs), (5, 5), Workspace())
        assert found.shape == shape
        assert found.dtype == kind
        assert len(packs) == times
    other = (phase, live_phases(AXIS)[1])
    fft._tap_spectrum(other, Weights(w, packs), (5, 5), Workspace())
    assert len(packs) == 2


@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (1, 3), (2, 3), (4, 6)])
def test_the_last_cells_that_dilated_taps_reach_are_read(stride, dilation):
    rng = np.random.default_rng(dilation)
    x, kernel = rng.standard_normal((1, 2, 9)), rng.standard_normal((2, 3, 4))
    options = {"stride": stride, "dilation": dilation}
    got = mtconv.conv_transpose(x, kernel, algorithm="fft", **options)
    exact = mtconv.conv_transpose(x, kernel, algorithm="direct", **options)
    assert abs(got - exact).max() < 1e-12
    assert abs(exact[..., -1]).min() > 0
