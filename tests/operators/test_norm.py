"""The largest singular value, against the singular values of the dense matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtconv
from mtconv.operators import spectrum

MODES = ("zeros", "reflect", "replicate", "symmetric", "circular")


def dense_norm(A):
    return np.linalg.norm(np.asarray(A.to_dense()).astype(complex), 2)


def test_by_hand():
    # Differences of neighbours on a ring of four: alternating signs double.
    A = mtconv.Conv([1, -1], 4, padding=((0, 1),), padding_mode="circular")
    assert A.norm() == 2.0


@given(
    size=st.integers(1, 6),
    k=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 2),
    seed=st.integers(0, 2**32),
)
def test_circular_is_exact(size, k, stride, dilation, groups, seed):
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-9, 10, (2, 2 // groups, k, 2)) * (1 + 1j) ** rng.integers(2)
    extent = dilation * (k - 1) + 1
    # As much padding as gives one output for each stride, some of it before.
    total = max(extent - stride, 0)
    lo = int(rng.integers(total + 1))
    A = mtconv.Conv(
        kernel,
        (size * stride, 3),
        stride=(stride, 1),
        padding=((lo, total - lo), (1, 0)),
        dilation=(dilation, 1),
        groups=groups,
        padding_mode="circular",
    )
    expected = dense_norm(A)
    assert abs(A.norm() - expected) <= 1e-12 * max(expected, 1)
    assert A.T.norm() == A.norm()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("factor", [1, 1j])
def test_other_operators_iterate(mode, stride, factor, backend):
    kernel = np.random.default_rng(5).standard_normal((2, 3, 3, 3)) * factor
    A = mtconv.Conv(
        kernel, (6, 7), stride=stride, padding=1, padding_mode=mode, backend=backend
    )
    expected = dense_norm(A)
    assert abs(A.norm() - expected) <= 1e-7 * expected
    assert abs(A.T.norm() - expected) <= 1e-7 * expected


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_bare_signals(size):
    A = mtconv.ConvTranspose([1.0, 2.0, -3.0], size, stride=2)
    assert abs(A.norm() - dense_norm(A)) <= 1e-7 * dense_norm(A)


def test_layouts_change_nothing():
    kernel = np.random.default_rng(6).standard_normal((3, 3, 2, 4))
    A = mtconv.Conv(kernel, (5, 5), layout="HWC", kernel_layout="HWIO")
    assert abs(A.norm() - dense_norm(A)) <= 1e-7 * dense_norm(A)


def test_integers_and_single_precision_are_computed_in_double():
    A = mtconv.Conv(np.array([100, 100], np.int8), 4)
    assert abs(A.norm() - dense_norm(mtconv.Conv([100.0, 100.0], 4))) < 1e-5


def test_no_channels_no_norm():
    assert mtconv.Conv(np.zeros((0, 2, 3)), 5).norm() == 0.0


@pytest.mark.parametrize("size", [4, 20])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_kernels_of_zeros(size, mode):
    A = mtconv.Conv([0.0, 0.0, 0.0], size, padding=1, padding_mode=mode)
    assert A.norm() == 0.0


def test_taps_that_meet_no_cell():
    # Nine results of cells 18 and 19 and of zeros behind them: none reaches the third tap.
    A = mtconv.Conv([0.0, 0.0, 5.0], 20, padding=((-18, 9),))
    assert A.output_shape == (9,)
    assert A.norm() == 0.0


@pytest.mark.parametrize("size", [4, 20])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
@pytest.mark.parametrize("unit", [1, 1j])
def test_squares_neither_vanish_nor_overflow(size, mode, unit):
    kernel = np.array([1.0, -2.0, 4.0]) * unit
    options = {"padding": 1, "padding_mode": mode}
    norm = mtconv.Conv(kernel, size, **options).norm()
    for scale in (2.0**-1000, 2.0**1021):  # 4 * 2**1021 has the largest exponent
        assert mtconv.Conv(kernel * scale, size, **options).norm() == scale * norm


def test_a_tolerance_is_named_and_kept():
    A = mtconv.Conv(np.random.default_rng(7).standard_normal(5), 60)
    expected = dense_norm(A)
    assert abs(A.norm(tol=0.3) - expected) <= 0.3 * expected
    with pytest.raises(TypeError):
        A.norm(0.3)


def test_the_tolerance_by_default_is_the_documented_one(monkeypatch):
    import scipy.sparse.linalg

    tolerances = []
    eigsh = scipy.sparse.linalg.eigsh
    monkeypatch.setattr(
        scipy.sparse.linalg,
        "eigsh",
        lambda *a, **k: tolerances.append(k["tol"]) or eigsh(*a, **k),
    )
    A = mtconv.Conv([1.0, 2.0], 20)
    A.norm()
    A.norm(tol=1e-3)
    assert tolerances == [1e-8, 1e-3]


def test_symbols_beyond_the_limit_are_iterated(monkeypatch):
    # 3 channels on the small side, 2 on the big one, 8 cells.
    A = mtconv.Conv(
        np.ones((3, 2, 3)), 8, stride=2, padding=((1, 0),), padding_mode="circular"
    )
    iterated = []
    monkeypatch.setattr(spectrum, "_iterated_norm", lambda *_: iterated.append(1) or 0.0)
    for limit, times in ((3 * 2 * 8, 0), (3 * 2 * 8 - 1, 1)):
        monkeypatch.setattr(spectrum, "_SYMBOL_ELEMENTS", limit)
        A.norm()
        assert len(iterated) == times


def test_tiny_matrices_are_decomposed(monkeypatch):
    import scipy.sparse.linalg

    iterated = []
    eigsh = scipy.sparse.linalg.eigsh
    monkeypatch.setattr(
        scipy.sparse.linalg, "eigsh", lambda *a, **k: iterated.append(1) or eigsh(*a, **k)
    )
    for size, times in ((8, 0), (9, 1)):
        A = mtconv.Conv([0.1, -0.2], size + 1)
        assert abs(A.norm() - dense_norm(A)) <= 1e-8  # also below 1
        assert len(iterated) == times


@pytest.mark.parametrize("cells", [4, 300])
def test_rings_of_any_length_are_not_iterated(cells, monkeypatch):
    monkeypatch.setattr(spectrum, "_iterated_norm", lambda *_: 0.0)
    A = mtconv.Conv([1, -1], cells, padding=((0, 1),), padding_mode="circular")
    assert abs(A.norm() - 2) <= 1e-14


def test_more_groups_than_cells():
    # Two cells and four groups, the third of which has the largest kernel.
    kernel = np.array([[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, -6.0]], [[1.0, 0.0]]])
    options = {"groups": 4, "padding": ((0, 1),), "padding_mode": "circular"}
    A = mtconv.Conv(kernel, 2, **options)
    assert abs(A.norm() - 11) <= 1e-14


@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    padding=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    groups=st.integers(1, 2),
    factor=st.sampled_from([1, 1 - 2j]),
    seed=st.integers(0, 99),
)
def test_circles_of_any_stride_are_exact(sizes, strides, padding, groups, factor, seed):
    kernel = np.random.default_rng(seed).integers(-9, 10, (2, 2, 3, 2)) * factor
    options = {"stride": strides, "groups": groups, "padding_mode": "circular"}
    A = mtconv.Conv(kernel, sizes, padding=padding, **options)
    expected = dense_norm(A)
    # Nothing is iterated that the tolerance could spoil.
    assert abs(A.norm(tol=10) - expected) <= 1e-12 * max(expected, 1)
    assert A.T.norm(tol=10) == A.norm(tol=10)


def test_large_circles_that_the_stride_does_not_divide_are_iterated(monkeypatch):
    iterated = []
    monkeypatch.setattr(spectrum, "_iterated_norm", lambda *_: iterated.append(1) or 0.0)
    options = {"stride": 3, "padding": ((1, 1),), "padding_mode": "circular"}
    for size, times in ((901, 0), (3001, 1)):
        mtconv.Conv([1.0, 2.0, 4.0], size, **options).norm()
        assert len(iterated) == times


@pytest.mark.parametrize(
    ("shape", "big", "options", "decomposed"),
    [
        # One channel on either side: as many elements as a symbol may have, and one more.
        ((1,), 2**26, {}, True),
        ((1,), 2**26 + 1, {}, False),
        # 512 cells that do not go round, in one matrix with 4096 elements: 2**30 products.
        ((3,), 2**12, {"stride": 9, "padding": ((0, 506),)}, True),
        ((3,), 2**12 + 1, {"stride": 9, "padding": ((0, 505),)}, False),
        # Two groups of two channels: eight times as many for each element.
        ((4, 1, 3), 2**9, {"stride": 9, "padding": ((0, 4090),), "groups": 2}, True),
        ((4, 1, 3), 2**9 + 1, {"stride": 9, "padding": ((0, 4089),), "groups": 2}, False),
    ],
)
def test_what_is_decomposed(shape, big, options, decomposed, monkeypatch):
    calls = []
    for name in ("_block_circulant_norm", "_iterated_norm"):
        monkeypatch.setattr(spectrum, name, lambda *_, name=name: calls.append(name) or 0.0)
    mtconv.Conv(np.ones(shape), big, padding_mode="circular", **options).norm()
    assert calls == ["_block_circulant_norm" if decomposed else "_iterated_norm"]


def test_circular_volumes_and_paddings_that_do_not_go_round():
    kernel = np.random.default_rng(8).standard_normal((2, 1, 2, 1, 2))
    options = {"padding": ((0, 1), (0, 0), (1, 0)), "padding_mode": "circular"}
    A = mtconv.Conv(kernel, (3, 2, 4), **options)
    assert abs(A.norm() - dense_norm(A)) <= 1e-12 * dense_norm(A)
    B = mtconv.Conv([1.0, 2.0, 4.0], 6, padding_mode="circular")
    assert abs(B.norm() - dense_norm(B)) <= 1e-8 * dense_norm(B)
