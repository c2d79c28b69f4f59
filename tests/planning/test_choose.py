"""Which algorithm is taken: by name, by estimate, by rule, and what stands in for it."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning import tuning
from mtconv.planning.choose import DECLARED, INEXACT, choose_algorithm

FORMS = ("conv_transpose", "conv", "kernel_grad")
MANY = ConvSpec.from_shapes((1, 64, 32, 32), (64, 64, 4, 4), stride=2)
SIGNAL = ConvSpec((Axis(2**15, 2**15, 2**10, 1, 1, 512),))


def names(*args, **named):
    return [candidate.algorithm for candidate in choose_algorithm(*args, **named)]


def reasons(*args, **named):
    return {c.algorithm: c.reason for c in choose_algorithm(*args, **named)}


@pytest.mark.parametrize("backend", DECLARED)
@pytest.mark.parametrize("form", FORMS)
def test_every_algorithm_is_listed_once_with_a_reason(backend, form):
    for algorithm in ("auto", "exact"):
        ranked = choose_algorithm(MANY, form, 2, "float32", backend, algorithm)
        listed = [candidate.algorithm for candidate in ranked]
        assert sorted(listed) == sorted(DECLARED[backend].algorithms)
        assert all(candidate.reason for candidate in ranked)
        assert not (algorithm == "exact" and listed[0] in INEXACT)


@pytest.mark.parametrize("backend", DECLARED)
def test_a_named_algorithm_is_taken(backend):
    for algorithm in DECLARED[backend].algorithms:
        (chosen,) = choose_algorithm(MANY, "conv", 1, "float32", backend, algorithm)
        assert chosen == (algorithm, None, "named by the caller")


@pytest.mark.parametrize("backend", ["sparse", "cupy", "array_api"])
def test_a_backend_with_one_algorithm_takes_it(backend):
    (only,) = choose_algorithm(MANY, backend=backend)
    assert only == (
        DECLARED[backend].algorithms[0],
        None,
        "the only algorithm of this backend",
    )


# ---------------------------------------------------------------------------------- NumPy


def test_the_smallest_estimate_wins_and_estimates_are_in_order():
    ranked = choose_algorithm(MANY)
    taken = [c for c in ranked if c.reason == "the smallest estimated time"]
    others = [c for c in ranked if c.reason == "slower by the estimate"]
    assert taken == [ranked[0]]
    assert ranked[1 : len(others) + 1] == tuple(others)
    times = [candidate.cost.seconds for candidate in (*taken, *others)]
    assert times == sorted(times)
    assert {c.algorithm for c in ranked[len(times) :]} == {"subpixel"}


@pytest.mark.parametrize(
    ("dtype", "algorithm", "taken"),
    [
        ("float32", "auto", True),
        ("float64", "auto", True),
        ("complex64", "auto", True),
        ("bfloat16", "auto", True),
        ("float32", "exact", False),
        ("int32", "auto", False),
        ("longdouble", "auto", False),
    ],
)
def test_spectra_need_a_floating_dtype_and_leave_to_be_inexact(dtype, algorithm, taken):
    ranked = choose_algorithm(SIGNAL, dtype=dtype, algorithm=algorithm)
    assert (ranked[0].algorithm == "fft") == taken
    if not taken:
        assert ranked[-1].algorithm == "fft"
        assert ranked[-1].reason == (
            "not exact on integer-valued arrays"
            if algorithm == "exact"
            else "needs a floating dtype"
        )


def test_spectra_need_a_large_problem():
    """2**10 small elements by 2**10 taps are 2**20 products; one less is small."""
    axis = Axis(2**10, 2**11, 2**10)
    assert ConvSpec((axis,)).multiply_adds == tuning.INEXACT_FROM
    less = ConvSpec((Axis(2**10, 2**11 - 2, 2**10),))
    assert less.multiply_adds == tuning.INEXACT_FROM - 1
    assert reasons(ConvSpec((axis,)))["fft"] in (
        "the smallest estimated time",
        "slower by the estimate",
    )
    rule = f"not exact, so only from {tuning.INEXACT_FROM} multiply-adds up"
    assert reasons(less)["fft"] == rule
    assert reasons(less, batch=2)["fft"] != rule


@pytest.mark.parametrize(
    ("strides", "dilations", "listed"),
    [
        ((tuning.LEAST_STRIDE,), (1,), "subpixel"),
        ((tuning.LEAST_STRIDE - 1,), (1,), "polyphase"),
        ((2, tuning.LEAST_STRIDE), (1, 1), "subpixel"),
        ((tuning.LEAST_STRIDE, 2), (1, 1), "polyphase"),  # its last axis has short runs
        ((tuning.LEAST_STRIDE,), (2,), "polyphase"),
        ((2, tuning.LEAST_STRIDE), (2, 1), "polyphase"),
    ],
)
def test_wide_strides_without_dilation_are_for_subpixel(strides, dilations, listed):
    pairs = zip(strides, dilations, strict=True)
    spec = ConvSpec(tuple(Axis(9, 400, 20, s, d) for s, d in pairs), 1, 64, 64)
    passed = reasons(spec)
    refused = ({"subpixel", "polyphase"} - {listed}).pop()
    assert passed[listed] in ("the smallest estimated time", "slower by the estimate")
    assert passed[refused] == (
        "writes single elements of a wide stride, where 'subpixel' writes runs"
        if refused == "polyphase"
        else "has no dilation"
        if max(dilations) > 1
        else f"for strides of {tuning.LEAST_STRIDE} and more on the last axis"
    )


def test_what_has_no_dilation_is_done_by_polyphase():
    dilated = ConvSpec((Axis(9, 400, 20, 16, 2),), 1, 64, 64)
    first, _ = choose_algorithm(dilated, algorithm="subpixel")
    reason = "in place of 'subpixel', which has no dilation"
    assert first == ("polyphase", None, reason)
    plain = ConvSpec((Axis(9, 400, 20, 2),), 1, 64, 64)
    assert names(plain, algorithm="subpixel") == ["subpixel"]


@pytest.mark.parametrize(
    ("axis", "channels", "batch"),
    [
        (Axis(9, 20, 3, 2), (4, 4), 0),
        (Axis(9, 20, 3, 2), (0, 4), 1),
        (Axis(9, 20, 3, 2), (4, 0), 1),
        (Axis(0, 20, 3, 2), (4, 4), 1),
        (Axis(9, 0, 3, 2), (4, 4), 1),
    ],
)
@pytest.mark.parametrize("algorithm", ["auto", "exact", "gemm", "subpixel", "fft"])
def test_nothing_to_multiply_is_direct(axis, channels, batch, algorithm):
    spec = ConvSpec((axis,), 1, *channels)
    first, *others = choose_algorithm(spec, batch=batch, algorithm=algorithm)
    assert first.algorithm == "direct"
    assert algorithm in ("auto", "exact") or first.reason == "there is nothing to multiply"
    assert "direct" not in [candidate.algorithm for candidate in others]
    (named,) = choose_algorithm(spec, batch=batch, algorithm="direct")
    assert named.reason == "named by the caller"


def test_wider_elements_are_slower_in_proportion():
    """Twice as wide: products and long runs take twice as long, strided ones 4/3."""
    single, double, integer = (
        {c.algorithm: c.cost for c in choose_algorithm(MANY, dtype=dtype)}
        for dtype in ("float32", "float64", "int8")
    )
    for name in ("gemm", "polyphase", "direct"):
        assert 1.3 < double[name].seconds / single[name].seconds < 2.01
        assert double[name].bytes_moved == 2 * single[name].bytes_moved
        assert integer[name] == double[name]  # computed in float64


# ------------------------------------------------------------------------------- platforms


@pytest.mark.parametrize(
    ("dtype", "options", "chosen"),
    [
        ("float32", {}, "native"),
        ("bfloat16", {"stride": 2}, "native"),
        ("float32", {"stride": 2, "groups": 2}, "polyphase"),
        ("float32", {"stride": 2, "dilation": 2}, "polyphase"),
        ("float32", {"dilation": 2, "groups": 2}, "native"),
        ("int32", {}, "gemm"),
        ("complex64", {"stride": 2, "groups": 2}, "gemm"),
    ],
)
def test_jax_has_a_table_for_accelerators(dtype, options, chosen):
    spec = ConvSpec.from_shapes((1, 4, 9), (4, 2, 3), **options)
    named = {"dtype": dtype, "backend": "jax", "accelerator": True}
    ranked = choose_algorithm(spec, "conv_transpose", **named)
    assert ranked[0].algorithm == chosen
    assert sorted(c.algorithm for c in ranked) == sorted(DECLARED["jax"].algorithms)
    other = "gemm" if chosen == "gemm" else "native"
    assert names(spec, "conv", **named)[0] == other


@pytest.mark.parametrize(
    ("spec", "batch", "dtype", "reason"),
    [
        (MANY, 1, "float32", ""),
        (MANY, 1, "float16", ""),
        (MANY, 1, "int32", "torch's convolutions do not take int32"),
        (MANY, 1, "complex64", "torch's convolutions do not take complex64"),
        (MANY, 0, "float32", "torch's convolutions take no empty arrays"),
        (
            ConvSpec((Axis(3, 5, 3),), 1, 0, 4),
            1,
            "float32",
            "torch's convolutions take no empty arrays",
        ),
        (
            ConvSpec((Axis(0, 5, 3),), 1, 4, 4),
            1,
            "float32",
            "torch's convolutions take no empty arrays",
        ),
        (
            ConvSpec((Axis(3, 5, 3),) * 4, 1, 4, 4),
            1,
            "float32",
            "torch's convolutions have at most three spatial axes",
        ),
        (ConvSpec((Axis(3, 5, 3),) * 3, 1, 4, 4), 1, "float32", ""),
    ],
)
def test_what_torch_cannot_say_is_done_by_polyphase(spec, batch, dtype, reason):
    """By rule and by name."""
    named = {"batch": batch, "dtype": dtype, "backend": "torch"}
    ranked = choose_algorithm(spec, **named)
    by_name, *_ = choose_algorithm(spec, **named, algorithm="native")
    if reason:
        instead = ("polyphase", None, f"'native' is left out: {reason}")
        assert ranked == (instead, ("native", None, reason))
        assert by_name == instead
    else:
        assert [c.algorithm for c in ranked] == ["native", "polyphase"]
        assert by_name == ("native", None, "named by the caller")
    exact = choose_algorithm(spec, **named, algorithm="exact")
    assert exact[0].algorithm == "polyphase"
    assert exact[1].reason == "it may round"
