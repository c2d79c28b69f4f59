"""The ladder of compiled kernels: what they take, and when NumPy comes first."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.candidate import Fallback
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.compiled import KERNELS, rank_kernels
from mtconv.planning.ladders import numba
from mtconv.planning.plan import plan_for_spec
from mtconv.planning.rates import SHIPPED
from mtconv.planning.work import Cost

FORMS = ("conv_transpose", "conv", "kernel_grad")
MANY = ConvSpec.from_shapes((1, 64, 32, 32), (64, 64, 4, 4), stride=2)
SIGNAL = ConvSpec((Axis(2**15, 2**15, 2**10, 1, 1, 512),), 1, 1, 1)
EMPTY = "the kernels take no empty arrays"


def ranked(spec, form="conv_transpose", batch=1, dtype="float32", **named):
    return choose_algorithm(spec, form, batch, dtype, "numba", **named)


def sketch(candidates):
    """Costs aside."""
    return [(candidate.algorithm, candidate.reason) for candidate in candidates]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("dtype", "itemsize"),
    [
        ("float16", 4),
        ("bfloat16", 4),
        ("float32", 4),
        ("float64", 8),
        ("int8", 4),
        ("uint16", 4),
        ("int32", 4),
        ("int64", 8),
        ("uint64", 8),
    ],
)
def test_the_fastest_kernel_comes_first_and_then_what_numpy_would_take(
    form, dtype, itemsize
):
    """Sums of 64 bits fill half as many lanes."""
    native, second, *others = ranked(MANY, form, 3, dtype)
    kernels = rank_kernels(MANY, form, 3, itemsize, SHIPPED)
    # One operation, and no array between those of the call.
    assert native.algorithm == "native"
    assert native.cost == Cost(3 * MANY.multiply_adds, 0, 1, kernels[0][1])
    assert numba.kernels_for(MANY, form, 3, itemsize) == tuple(name for name, _ in kernels)
    by_numpy = choose_algorithm(MANY, form, 3, dtype, "numpy")
    assert second == by_numpy[0]._replace(reason="what NumPy would take")
    assert tuple(others) == by_numpy[1:]


def test_every_kernel_is_described():
    """Each on a layer that it is made for."""
    layers = {
        "output channels in the lanes of vectors": (MANY, "conv_transpose"),
        "cells in the lanes of vectors, rows by offset": (
            ConvSpec.from_shapes((1, 16, 64, 64), (16, 3, 3, 3)),
            "conv_transpose",
        ),
        "whole planes in the lanes of vectors": (
            ConvSpec.from_shapes((1, 64, 16, 16), (64, 1, 3, 3), groups=64),
            "conv_transpose",
        ),
        "channels of the small side in the lanes of vectors": (MANY, "kernel_grad"),
    }
    for kernel, (spec, form) in layers.items():
        assert ranked(spec, form)[0].reason == f"compiled: {kernel}"
    for form, kernels in KERNELS.items():
        assert sorted(numba.kernels_for(MANY, form, 1, 4)) == sorted(kernels)


@pytest.mark.parametrize(
    ("spec", "batch", "dtype", "reason"),
    [
        (MANY, 1, "complex64", "the kernels do not take complex64"),
        (MANY, 0, "float32", EMPTY),
        (ConvSpec((Axis(3, 5, 3),), 1, 0, 4), 1, "float32", EMPTY),
        (ConvSpec((Axis(0, 5, 3),), 1, 4, 4), 1, "float32", EMPTY),
        (ConvSpec((Axis(3, 0, 3),), 1, 4, 4), 1, "float32", EMPTY),
        (ConvSpec((Axis(3, 5, 3),) * 3, 1, 4, 4), 1, "float32", ""),
        (
            ConvSpec((Axis(3, 5, 3),) * 4, 1, 4, 4),
            1,
            "float32",
            "the kernels have at most three spatial axes",
        ),
        (
            ConvSpec((Axis(5, 5, 3, lo=1),), 1, 4, 4, padding_mode="reflect"),
            1,
            "float32",
            "the kernels pad with zeros only",
        ),
        # A stride of 64 by 64 has 4096 cells; what lies outside of the result is none.
        (ConvSpec((Axis(3, 200, 3, 64),) * 2, 1, 4, 4), 1, "float32", ""),
        (
            ConvSpec((Axis(3, 200, 3, 64), Axis(3, 200, 3, 65)), 1, 4, 4),
            1,
            "float32",
            "a stride has too many cells for a table",
        ),
        (ConvSpec((Axis(1, 4096, 3, 9999),), 1, 4, 4), 1, "float32", ""),
        (
            ConvSpec((Axis(1, 4097, 3, 9999),), 1, 4, 4),
            1,
            "float32",
            "a stride has too many cells for a table",
        ),
    ],
)
def test_what_kernels_do_not_take_is_numpys(spec, batch, dtype, reason):
    """By rule, and by name."""
    assert numba.refusal(spec, batch, dtype) == reason
    by_name = ranked(spec, batch=batch, dtype=dtype, algorithm="native")
    listed = ranked(spec, batch=batch, dtype=dtype)
    if not reason:
        assert by_name[0] == ("native", None, "named by the caller")
        assert listed[0].algorithm == "native"
        return
    exact = choose_algorithm(spec, batch=batch, dtype=dtype, algorithm="exact")
    first = exact[0].algorithm
    assert by_name[0] == (first, None, f"NumPy's: {reason}")
    by_numpy = choose_algorithm(spec, batch=batch, dtype=dtype)
    assert sketch(listed) == [*sketch(by_numpy), ("native", reason)]


def test_what_numpy_cannot_do_has_the_stand_in_of_numpy():
    dilated = ConvSpec((Axis(9, 400, 20, 16, 2),), 1, 64, 64)
    reason = "in place of 'subpixel', which has no dilation"
    assert ranked(dilated, algorithm="subpixel")[0] == ("polyphase", None, reason)
    assert ranked(MANY, algorithm="gemm")[0] == ("gemm", None, "named by the caller")


@pytest.mark.parametrize(
    ("times", "first"), [(3, "fft"), (2.001, "fft"), (2.0, "native"), (1.5, "native")]
)
def test_spectra_come_first_where_kernels_take_more_than_twice_as_long(
    monkeypatch, times, first
):
    by_numpy = choose_algorithm(SIGNAL)
    assert by_numpy[0].algorithm == "fft"
    estimate = times * by_numpy[0].cost.seconds
    monkeypatch.setattr(numba, "rank_kernels", lambda *_: (("rows", estimate),))
    listed = ranked(SIGNAL)
    assert listed[0].algorithm == first
    assert {c.algorithm for c in listed[:2]} == {"native", "fft"}
    assert listed[2:] == by_numpy[1:]
    assert ranked(SIGNAL, algorithm="exact")[0].algorithm == "native"


def test_other_algorithms_never_come_before_kernels(monkeypatch):
    monkeypatch.setattr(numba, "rank_kernels", lambda *_: (("rows", 1e9),))
    tiny = ConvSpec.from_shapes((1, 1, 2), (1, 1, 2))
    wide = ConvSpec.from_shapes((1, 8, 9), (8, 8, 64), stride=32)
    taken = set()
    for spec in (MANY, tiny, wide):
        native, second, *_ = ranked(spec)
        assert native.algorithm == "native"
        taken.add(second.algorithm)
    assert len(taken) > 1


# -------------------------------------------------------------------------------- fallbacks


def fallbacks(form, dtype, algorithm, spec=MANY):
    """Plan one sample; return the computing dtype and the fallbacks."""
    x, kernel = (1, spec.small_channels, *spec.small), spec.kernel_shape
    y = (1, spec.big_channels, *spec.big)
    shapes = {"conv_transpose": (x, kernel), "conv": (y, kernel), "kernel_grad": (x, y)}
    plan = plan_for_spec(form, spec, *shapes[form], dtype, algorithm, "numba")
    return plan.computing, plan.fallbacks


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", ["native", "auto"])
def test_kernels_multiply_padded_zeros_and_integers_as_they_are(form, algorithm):
    condition = "infinite x" if form == "kernel_grad" else "infinite kernel"
    for dtype, own in (("float32", "float32"), ("float16", "float32")):
        expected = own, (Fallback(condition, "direct", own),)
        assert fallbacks(form, dtype, algorithm) == expected
    for dtype in ("int16", "uint64"):
        assert fallbacks(form, dtype, algorithm) == (dtype, ())


@pytest.mark.parametrize("dtype", ["float32", "int32", "complex64"])
@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct"])
def test_algorithms_of_numpy_have_the_fallbacks_of_numpy(dtype, algorithm):
    spec, form = ConvSpec.from_shapes((1, 6, 5, 7), (6, 4, 3, 4), padding=1), "conv"
    shapes = (1, 4, *spec.big), spec.kernel_shape
    plan = plan_for_spec(form, spec, *shapes, dtype, algorithm, "numpy")
    assert fallbacks(form, dtype, algorithm, spec) == (plan.computing, plan.fallbacks)


def test_spectra_have_an_algorithm_of_numpy_behind_them(monkeypatch):
    """Whatever "exact" takes, since promises of spectra are kept by NumPy."""
    monkeypatch.setattr(numba, "rank_kernels", lambda *_: (("rows", 1e9),))
    spec = ConvSpec((Axis(2**15, 2**15, 2**9, 1, 1, 256),), 1, 1, 1)
    exact = choose_algorithm(spec, algorithm="exact")[0].algorithm
    plan_for_spec.cache_clear()
    try:
        computing, listed = fallbacks("conv_transpose", "float32", "auto", spec)
    finally:
        plan_for_spec.cache_clear()
    assert computing == "float64"
    assert listed[0] == Fallback("spectra", exact, "float32")
    assert listed[1:] == (Fallback("infinite kernel", "direct", "float32"),)
