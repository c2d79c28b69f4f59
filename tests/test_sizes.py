"""Sizes that are symbols: what differs from integers, and that the rest does not."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from mtconv import sizes


@pytest.fixture
def t(jax_numpy):
    """A symbolic dimension of JAX, at least 1."""
    assert jax_numpy
    export = pytest.importorskip("jax.export")
    (symbol,) = export.symbolic_shape("t")
    return symbol


def test_integers_are_sizes_and_no_symbols():
    assert sizes.is_size(3)
    assert not sizes.is_symbol(3)
    for value in (True, 2.0, float("nan"), None, "3"):
        assert not sizes.is_size(value)
        assert not sizes.is_symbol(value)
    assert not sizes.traced((1, 2), (3,))
    assert not sizes.compiling()


def test_integers_are_compared_as_they_are():
    assert sizes.larger(2, 5) == 5
    assert sizes.smaller(2, 5) == 2
    assert sizes.at_least(5, 5) is True
    assert sizes.at_least(4, 5) is False


def test_symbols_are_sizes(t):
    assert sizes.is_open(t)
    assert not sizes.is_open(3)
    assert sizes.is_size(t)
    assert sizes.is_symbol(2 * t + 1)
    assert sizes.traced((1, 2), (3, t))
    assert sizes.symbols((t, 2, 2 * t), (t,)) == ("t", "2*t")
    assert sizes.symbols((1, 2)) == ()


def test_extremes_of_symbols_are_symbols_unless_they_are_known(t):
    assert str(sizes.larger(t - 3, 0)) == "max(t - 3, 0)"
    assert str(sizes.smaller(3, t)) in ("min(3, t)", "min(t, 3)")
    assert sizes.larger(t, 0) == t
    assert sizes.smaller(t, 1) == 1


def test_comparisons_that_nothing_settles_are_neither_true_nor_false(t):
    assert sizes.at_least(t, 1) is True
    assert sizes.at_least(0, t) is False
    assert sizes.at_least(t - 3, 1) is None


def test_other_errors_of_a_comparison_are_not_hidden():
    with pytest.raises(TypeError):
        sizes.at_least("3", 1)


def test_caches_hold_no_symbols(t):
    calls = []

    @sizes.cached(8)
    def half(size, shape=()):
        calls.append(size)
        assert isinstance(shape, tuple)
        return size // 2

    assert [half(6), half(6), half(7)] == [3, 3, 3]
    assert calls == [6, 7]
    assert half(2 * t) == t
    assert half(2 * t) == t
    assert half(8, (2, (t, 1))) == 4
    assert half(8, (2, (t, 1))) == 4
    assert calls == [6, 7, 2 * t, 2 * t, 8, 8]


def test_symbols_of_torch():
    torch = pytest.importorskip("torch")

    seen = []

    class Look(torch.nn.Module):
        def forward(self, x):
            size = x.shape[0]
            seen.append((sizes.is_symbol(size), sizes.traced(x.shape)))
            return x.new_zeros(sizes.larger(size, 3), sizes.smaller(2 * size, size + 5))

    rows = torch.export.Dim("rows")
    program = torch.export.export(Look(), (torch.ones(7),), dynamic_shapes=({0: rows},))
    assert seen[-1] == (True, True)
    for size, shape in ((7, (7, 12)), (2, (3, 4)), (4, (4, 8))):
        assert program.module()(torch.ones(size)).shape == shape


@pytest.mark.parametrize("package", ["torch", "jax", "jax.export"])
def test_sizes_are_integers_while_a_library_that_has_symbols_is_imported(
    package, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, ModuleType(package))
    assert sizes.is_size(3)
    assert not sizes.is_size(2.5)
    assert not sizes.is_symbol("3")
    assert not sizes.traced((1, 2))
