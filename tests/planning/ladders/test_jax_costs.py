"""What the estimates of JAX count, on problems small enough to count by hand."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.ladders import jax_costs
from mtconv.planning.ladders.jax_costs import COUNTS, PICOSECONDS, counts, seconds

# Five taps of stride 2: one phase has three of them, the other two. With the padding of two
# both read from the same place on, the blocks are 4 long.
AXIS = Axis(small=4, big=7, kernel=5, stride=2, lo=2)
# Three taps of stride 3, one for each phase; 5 and 15 elements.
PLAIN = Axis(small=5, big=15, kernel=3, stride=3)


def counted(algorithm, spec, form="conv_transpose", batch=1):
    got = counts(algorithm, spec, form, batch)
    return {name: got[name] for name in COUNTS[algorithm]}


def test_columns_have_an_element_for_each_cell_tap_and_channel():
    spec = ConvSpec((AXIS, PLAIN), 2, 6, 14)  # groups of three channels in, seven out
    expected = {
        "x": 3 * 20 * 6,
        "y": 3 * 105 * 14,
        "kernel": 6 * 7 * 15,
        "products": 3 * 20 * 6 * 7 * 15,
        "columns": 3 * 20 * 15 * 14,
        "rows": 3 * 4 * 15 * 14,
        "large": 0,
        "call": 1,
        "dots": 2,  # a product for each group
        "x_of_samples": 3 * 20 * 6,
        "y_of_samples": 3 * 105 * 14,
        "columns_of_samples": 3 * 20 * 15 * 14,
    }
    assert counted("gemm", spec, batch=3) == expected


def test_phases_of_as_many_taps_are_one_product():
    spec = ConvSpec((AXIS,), 1, 3, 5)
    # One phase of three taps and one of two, at four places each.
    expected = {
        "x": 12,
        "y": 35,
        "kernel": 75,
        "products": 4 * (3 + 2) * 3 * 5,
        "windows": 4 * (3 + 2) * 3,
        "rows": (3 + 2) * 3,
        "placed": 4 * (1 + 1) * 5,
        "large": 0,
        "call": 1,
        "dots": 2,
        "windows_of_samples": 0,
        "placed_of_samples": 0,
    }
    assert counted("polyphase", spec) == expected
    got = counted("polyphase", ConvSpec((AXIS, PLAIN), 2, 6, 10), batch=2)
    # On the second axis three phases of one tap at five places, in two groups.
    assert got["products"] == 2 * 2 * 20 * 15 * (3 * 5)
    assert got["windows"] == 2 * 2 * 20 * 5 * 3
    assert got["rows"] == 2 * 2 * 20 * 1 * 3
    assert got["placed"] == 2 * 2 * 8 * 15 * 5
    assert got["dots"] == 2 * 2 * 1
    for name in ("windows", "placed"):
        assert got[f"{name}_of_samples"] == got[name]


def test_windows_reach_as_far_as_the_phases_that_take_them():
    # Without padding both phases of four taps begin at one place, with one they do not.
    for lo, places in ((0, 5), (1, 6)):
        spec = ConvSpec((Axis(4, 10, 4, 2, 1, lo),), 1, 3, 5)
        assert counted("polyphase", spec)["placed"] == places * 2 * 5


def test_runs_of_taps_are_products_of_their_own():
    spec = ConvSpec((AXIS,), 1, 6, 8)
    # Taps 0 and 1, 2 and 3, and 4 alone.
    got = counted("direct", spec)
    assert (got["products"], got["few"]) == (4 * 5 * 48, 0)
    assert got["sums"] == 56 * 2.5
    for form in ("conv", "kernel_grad"):
        assert counted("direct", spec, form)["sums"] == 24 * 3
    for groups in (1, 2):
        for form in ("conv_transpose", "conv", "kernel_grad"):
            spec = ConvSpec((AXIS,), groups, 6 * groups, 8 * groups)
            assert counted("direct", spec, form)["dots"] == 3 * groups
    # More than 64 runs are a loop over single taps: 5 * 65 of them, in 3 * 22 runs.
    long = Axis(small=4, big=76, kernel=65, stride=3)
    spec = ConvSpec((AXIS, long), 1, 6, 8)
    assert counted("direct", spec)["dots"] == 5 * 65
    assert counted("direct", spec)["looped"] == counted("direct", spec)["sums"]
    assert counted("direct", ConvSpec((long,), 1, 6, 8))["looped"] == 0


def test_the_library_packs_columns_of_a_dilated_input_and_windows_of_another():
    for axis, columns, windows in ((PLAIN, 5 * 3 * 8, 0), (Axis(5, 7, 3), 0, 7 * 3 * 6)):
        spec = ConvSpec((axis,), 1, 6, 8)
        got = counted("native", spec, batch=2)
        assert (got["columns"], got["windows"]) == (2 * columns, 2 * windows)
        got = counted("native", spec, "conv", batch=2)
        assert (got["columns"], got["windows"]) == (2 * 5 * 3 * 8, 0)


def test_memory_of_large_arrays_is_new_to_the_library_in_every_call(monkeypatch):
    spec = ConvSpec((AXIS,), 1, 3, 5)  # 12, 35 and 75 elements
    for limit, moved in ((75, 0), (74, 75), (34, 110), (11, 122)):
        monkeypatch.setattr(jax_costs, "LARGE", limit)
        assert counted("native", spec, "conv")["moved"] == moved


@pytest.mark.parametrize(
    ("form", "small", "share", "few"),
    [
        ("conv_transpose", 4, 9, True),
        ("conv_transpose", 5, 1, False),
        ("conv", 9, 2, True),  # two channels of two taps
        ("conv", 1, 3, False),
        ("kernel_grad", 1, 5, False),
    ],
)
def test_four_products_are_summed_element_by_element(form, small, share, few):
    got = counted("direct", ConvSpec((AXIS,), 1, small, share), form)
    products = 4 * 5 * small * share
    assert (got["few"], got["products"]) == ((products, 0) if few else (0, products))
    assert bool(got["columns"]) != few


def test_an_estimate_is_a_sum_of_counts():
    spec = ConvSpec((AXIS,), 1, 6, 8)
    for (form, algorithm), each in PICOSECONDS.items():
        assert set(each) <= set(COUNTS[algorithm])
        assert all(time > 0 for time in each.values())
        got = counts(algorithm, spec, form, 2)
        total = sum(each[name] * got[name] for name in each)
        assert seconds(algorithm, spec, form, 2) == pytest.approx(1e-12 * total)


def test_every_map_has_an_estimate_of_every_algorithm():
    forms = ("conv_transpose", "conv", "kernel_grad")
    assert set(PICOSECONDS) == {(form, name) for form in forms for name in COUNTS}


def test_memory_of_large_copies_is_new_in_every_call(monkeypatch):
    spec = ConvSpec((AXIS,), 1, 3, 5)  # 60 elements of windows, 100 of columns
    for algorithm, copied in (("polyphase", 60), ("gemm", 100)):
        monkeypatch.setattr(jax_costs, "LARGE", copied)
        assert counted(algorithm, spec)["large"] == 0
        monkeypatch.setattr(jax_costs, "LARGE", copied - 1)
        assert counted(algorithm, spec)["large"] == copied
