"""What the ways of kernel gradients multiply, move and call: counts worked out by hand."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.planning import gradients, tuning
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.gradients import WEIGHTS, counts, estimate
from mtconv.planning.ladders.numpy import gradient_way
from mtconv.planning.work import Rates

ALL = float("inf")  # all columns are made at once


def spec_of(x_shape, kernel_shape, **options):
    return ConvSpec.from_shapes(x_shape, kernel_shape, **options)


def test_columns_of_two_axes_and_groups(monkeypatch):
    """Two samples of 2 groups of 3 channels, 5 by 7 elements; 3 by 4 taps to 4 channels."""
    monkeypatch.setattr(tuning, "FEW_COLUMNS", 0)
    spec = spec_of((2, 6, 5, 7), (6, 4, 3, 4), stride=(2, 3), groups=2)
    columns = 2 * 2 * 4 * 12 * 35
    strided = tuning.STRIDED_MOVES + 3 * tuning.WIDE_MOVES + tuning.RUN_MOVES / 7
    assert counts("columns", spec, 2, columns / 2) == {
        "kernel": 2 * 3 * 4 * 12,
        "products": 3 * columns,
        "few_rows": columns,
        "few_columns": 3 * columns / 48,
        "moved": pytest.approx(columns * strided),
        "x": 2 * 6 * 35,
        "chunks": 3,
        "look_ups": 0,
        "copied": columns,
    }


def test_few_columns_are_looked_up(monkeypatch):
    monkeypatch.setattr(tuning, "FEW_COLUMNS", 2**12)
    spec = spec_of((1, 2, 2**9), (2, 2, 4))  # 2**12 columns
    counted = counts("columns", spec, 1, ALL)
    assert (counted["chunks"], counted["look_ups"]) == (0, 1)
    counted = counts("columns", spec, 2, ALL)
    assert (counted["chunks"], counted["look_ups"]) == (1, 0)


@pytest.mark.parametrize(("few", "looked_up"), [(288, 1), (287, 0)])
def test_y_has_to_be_small_to_be_looked_up_in(few, looked_up, monkeypatch):
    """Two samples of two groups of three channels have 288 elements, and 96 columns."""
    monkeypatch.setattr(tuning, "FEW_COLUMNS", few)
    spec = spec_of((2, 2, 2), (2, 3, 4), stride=20, groups=2)
    assert counts("columns", spec, 2, ALL)["look_ups"] == looked_up


def test_shifts_of_two_phases():
    """Two phases of four taps: three elements more than x."""
    spec = spec_of((1, 4, 100), (4, 4, 8), stride=2)
    placed = 4 * 2 * 103
    assert counts("shifts", spec, 1, ALL) == {
        "kernel": 128,
        "products": 100 * 128,
        "few_rows": 100 * 32,
        "few_columns": 100 * 32,
        "vectors": 0,
        "x": 0,
        "placed": placed,
        "placed_again": placed,
        "phases": 2,
        "copied": placed,
    }


def test_shifts_along_two_axes_extend_the_rows_of_x():
    """x has three rows, of four elements for two taps; y has a row more."""
    counted = counts("shifts", spec_of((1, 1, 3, 3), (1, 1, 2, 2)), 1, ALL)
    assert counted["x"] == pytest.approx(3 * 4)
    assert counted["copied"] == pytest.approx(3 * 4 + 4 * 4)
    assert counted["products"] == counted["vectors"] == pytest.approx(3 * 4 * 4)
    assert (counted["placed"], counted["placed_again"]) == (pytest.approx(4 * 4), 0)


def test_windows_serve_all_phases_of_as_many_taps():
    """Both phases have 103 elements and four taps."""
    spec = spec_of((1, 4, 100), (4, 5, 8), stride=2)
    rows, columns = 4 * 4, 5 * 2
    assert counts("windows", spec, 1, ALL) == {
        "kernel": 160,
        "products": 103 * rows * columns,
        "few_rows": 103 * columns,
        "few_columns": 103 * rows,
        "windows": 103 * rows,
        "runs": rows,
        "placed": 103 * columns,
        "placed_runs": columns,
        "phases": 1,
        "copied": 103 * (rows + columns),
    }


def test_windows_of_phases_with_two_taps_and_with_one():
    """Five elements meet taps 0 and 2, and four meet tap 1."""
    counted = counts("windows", spec_of((1, 2, 4), (2, 3, 3), stride=2), 1, ALL)
    assert counted["products"] == 5 * 4 * 3 + 4 * 2 * 3
    assert counted["windows"] == 5 * 4 + 4 * 2
    assert counted["placed"] == 5 * 3 + 4 * 3
    assert counted["copied"] == 5 * (4 + 3) + 4 * (2 + 3)
    assert (counted["runs"], counted["placed_runs"]) == (4 + 2, 3 + 3)
    assert counted["phases"] == 2


@pytest.mark.parametrize(
    ("batch", "small", "copied"),
    [(1, 3, False), (2, 510, True), (2, 511, False), (1, 600, False)],
)
def test_one_phase_is_read_in_place_unless_samples_lie_side_by_side(batch, small, copied):
    """y has one element more than x, and samples of 512 elements are apart."""
    counted = counts("windows", spec_of((batch, 2, small), (2, 3, 2)), batch, ALL)
    assert counted["placed"] == copied * batch * 3 * (small + 1)


@pytest.mark.parametrize("way", list(WEIGHTS))
def test_an_estimate_is_a_sum_of_weighted_counts(way, monkeypatch):
    """Products take seconds of products, calls those of calls, all else those of moves."""
    spec = spec_of((2, 6, 50, 7), (6, 4, 3, 4), stride=(2, 3), groups=2)
    counted = counts(way, spec, 2, 1000.0)
    weights = {name: float(n) for n, name in enumerate(WEIGHTS[way], 1)}
    monkeypatch.setitem(WEIGHTS, way, weights)
    multiplied = {"products", "few_rows", "few_columns", "vectors"}
    called = {"chunks", "look_ups", "phases"}
    each = dict.fromkeys(multiplied, 0.5) | dict.fromkeys(called, 100.0)
    expected = sum(w * counted[name] * each.get(name, 10.0) for name, w in weights.items())
    rates = Rates(gemm=2.0, element=10.0, strided=0.0, call=100.0, block=4000.0)
    cost = estimate(way, spec, 2, 4, rates)
    assert cost.seconds == pytest.approx(expected)
    assert cost.multiply_adds == int(counted["products"])
    calls = sum(w * counted[name] for name, w in weights.items() if name in called)
    assert cost.operations == int(calls)
    # 2 samples of 6 channels of 50 by 7 elements, and of 8 of 101 by 22.
    arrays = 2 * 6 * 50 * 7 + 2 * 8 * 101 * 22
    assert cost.bytes_moved == int(4 * (arrays + 2 * counted["copied"]))


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "options", "way"),
    [
        ((8, 8, 79, 47), (8, 120, 4, 4), {"stride": 2}, "windows"),
        ((8, 24, 51, 56), (24, 208, 2, 2), {}, "windows"),
        ((8, 120, 79, 47), (120, 8, 4, 4), {"stride": 2}, "shifts"),
        ((8, 256, 20, 20), (256, 256, 3, 3), {}, "shifts"),
    ],
)
def test_windows_are_for_few_channels_of_x(x_shape, kernel_shape, options, way):
    spec = spec_of(x_shape, kernel_shape, **options)
    assert gradient_way(spec, x_shape[0], "float32") == way


def test_polyphase_costs_what_its_cheaper_way_does(monkeypatch):
    spec = spec_of((8, 8, 79, 47), (8, 120, 4, 4), stride=2)
    for cheap in ("shifts", "windows"):
        costs = {"shifts": 2e-3, "windows": 2e-3, "columns": 3e-3, cheap: 1e-3}
        monkeypatch.setattr(
            gradients,
            "estimate",
            lambda way, *problem, costs=costs: estimate(way, *problem)._replace(
                seconds=costs[way]
            ),
        )
        ranked = choose_algorithm(spec, "kernel_grad", 8, "float32", "numpy")
        seconds = {candidate.algorithm: candidate.cost.seconds for candidate in ranked}
        assert (seconds["polyphase"], seconds["gemm"]) == (1e-3, 3e-3)
        assert gradient_way(spec, 8, "float32") == cheap


def test_a_depthwise_gradient_is_shifted():
    spec = ConvSpec.from_shapes(
        (8, 64, 40, 40), (64, 1, 6, 6), stride=2, groups=64, padding=2
    )
    taken = choose_algorithm(spec, "kernel_grad", 8, "float32", "numpy")[0]
    assert taken.algorithm == "polyphase"
    assert gradient_way(spec, 8, "float32") == "shifts"
