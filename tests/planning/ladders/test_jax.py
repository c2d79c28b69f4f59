"""The tables of JAX: where one choice ends and the next begins, and what is said of it."""

from __future__ import annotations

import pytest

from mtconv import ConvSpec
from mtconv.geometry import Axis
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.ladders import jax_costs
from mtconv.planning.ladders.jax import ALGORITHMS, candidates, columns, packed

FORMS = ("conv_transpose", "conv", "kernel_grad")
THIN = "{} products at a time: too few for a matrix product"
FASTEST = "the smallest estimated time"
PRODUCT = "one matrix product, and a transpose of the big side"


def chosen(spec, form="conv_transpose", batch=1, dtype="float32", **named):
    """Name the algorithm that is taken, and its reason; all are listed once."""
    ranked = choose_algorithm(spec, form, batch, dtype, "jax", **named)
    assert sorted(candidate.algorithm for candidate in ranked) == sorted(ALGORITHMS)
    return ranked[0].algorithm, ranked[0].reason


def channels(small, big, groups=1, taps=(3,), stride=1, dilation=1):
    axes = (Axis(9, 40, count, stride, dilation) for count in taps)
    return ConvSpec(tuple(axes), groups, small, big * groups)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", ["auto", "exact"])
def test_four_products_at_a_time_are_too_few_for_a_matrix_product(form, algorithm):
    for spec, count in (
        (channels(4, 1), 4),
        (channels(2, 2), 4),
        (channels(1, 4), 4),
        (channels(8, 2, groups=4), 4),
        (channels(3, 1, groups=3), 1),
        (channels(1, 1, taps=(1, 2)), 1),
        (channels(1, 1, taps=(16, 16), stride=8), 1),
    ):
        first, *others = choose_algorithm(spec, form, backend="jax", algorithm=algorithm)
        assert first == ("direct", None, THIN.format(count))
        assert {other.reason for other in others} == {"slower on the CPU where measured"}
    for spec in (channels(5, 1), channels(1, 5), channels(6, 2, groups=2)):
        assert chosen(spec, form)[1] == FASTEST
    assert chosen(channels(1, 1, taps=(1,)), form)[1] == FASTEST


EVERY = ("gemm", "polyphase", "direct", "native")


@pytest.mark.parametrize(
    ("spec", "dtype", "others"),
    [
        (channels(8, 8, taps=(3, 3)), "float32", EVERY),
        (channels(8, 8, taps=(3,), stride=2), "float32", EVERY),
        # XLA's own convolutions: single precision without groups, two axes at most.
        (channels(8, 8, taps=(3, 3)), "float64", EVERY[:3]),
        (channels(8, 8, taps=(3, 3)), "bfloat16", EVERY[:3]),
        (channels(8, 8, taps=(3, 3), groups=2), "float32", EVERY[:3]),
        (channels(8, 8, taps=(3, 3, 3)), "float32", EVERY[:3]),
        # Phases that are products: every one has taps, side by side, and elements.
        (channels(8, 8, stride=2, dilation=2), "float32", ("gemm", "direct", "native")),
        (channels(8, 8, dilation=2), "float32", EVERY),
        (channels(8, 8, stride=4), "float32", ("gemm", "direct", "native")),
        (ConvSpec((Axis(1, 2, 3, 3),), 1, 8, 8), "float32", ("gemm", "direct", "native")),
        # And 128 windows at most: (2 + 3)**3 and 6**3.
        (channels(8, 8, taps=(5, 5, 5), stride=2), "float32", EVERY[:3]),
        (channels(8, 8, taps=(12, 12, 12), stride=2), "float32", ("gemm", "direct")),
    ],
)
def test_what_may_be_the_fastest(spec, dtype, others):
    for form in ("conv", "kernel_grad"):
        assert candidates(spec, form, dtype) == others
    far = any(axis.stride > 1 and axis.dilation > 1 for axis in spec.axes)
    if far or spec.axes[0].small < spec.axes[0].kernel:  # it would multiply zeros
        others = tuple(name for name in others if name != "native")
    assert candidates(spec, "conv_transpose", dtype) == others


@pytest.mark.parametrize(
    ("axes", "groups", "expected"),
    [
        ((Axis(3, 7, 3, 2),), 1, True),
        ((Axis(2, 5, 3, 2),), 1, False),  # a kernel larger than the input
        ((Axis(9, 19, 3, 2, 2),), 1, False),
        ((Axis(9, 19, 3, 2),), 2, False),
        ((Axis(5, 9, 5), Axis(3, 7, 3, 2)), 1, True),
        ((Axis(4, 8, 5), Axis(9, 19, 3, 2)), 1, False),
        ((Axis(9, 19, 3, 2),) * 3, 1, False),
    ],
)
def test_where_the_library_inserts_no_zeros(axes, groups, expected):
    spec = ConvSpec(axes, groups, 4 * groups, 4 * groups)
    assert packed(spec) is expected
    assert ("native" in candidates(spec, "conv_transpose", "float32")) is expected


@pytest.mark.parametrize("best", ["gemm", "polyphase", "direct"])
def test_the_smallest_estimate_wins(monkeypatch, best):
    asked = []

    def seconds(name, *problem):
        asked.append(problem)
        return 1.0 if name == best else 2.0

    monkeypatch.setattr(jax_costs, "seconds", seconds)
    spec = channels(8, 8, taps=(3, 3), groups=2)
    ranked = choose_algorithm(spec, "conv", 3, "float32", "jax")
    assert ranked[0] == (best, None, FASTEST)
    reasons = {candidate.algorithm: candidate.reason for candidate in ranked[1:]}
    assert reasons.pop("native") == "slower on the CPU where measured"
    assert set(reasons.values()) == {"slower by the estimate"}
    assert asked == [(spec, "conv", 3)] * 3
    monkeypatch.setattr(jax_costs, "seconds", lambda name, *_: name != "direct")
    far = channels(8, 8, stride=2, dilation=2)
    ranked = choose_algorithm(far, "conv_transpose", 1, "float32", "jax")
    reasons = {candidate.algorithm: candidate.reason for candidate in ranked}
    assert reasons["polyphase"] == "a convolution of its own for each phase"


def image(small, big, size, taps, stride=1, padding=0):
    """Make a layer of images."""
    shapes = (1, small, *size), (small, big, *taps)
    return ConvSpec.from_shapes(*shapes, stride=stride, padding=padding)


@pytest.mark.parametrize(
    ("spec", "form", "algorithm"),
    [
        # Few channels in and many out: windows of x are far fewer than columns of y.
        (image(8, 120, (79, 47), (3, 4), (1, 2), 1), "conv_transpose", "polyphase"),
        (image(8, 120, (79, 47), (3, 4), (1, 2), 1), "conv", "polyphase"),
        (image(8, 120, (79, 47), (3, 4), (1, 2), 1), "kernel_grad", "polyphase"),
        # And the other way round.
        (image(128, 1, (124, 83), (5, 5), 2, 2), "conv_transpose", "gemm"),
        (image(236, 5, (357,), (4,), 3), "conv_transpose", "gemm"),
    ],
)
def test_layers_of_which_the_fastest_is_known(spec, form, algorithm):
    assert chosen(spec, form) == (algorithm, FASTEST)


def test_columns_are_counted_for_each_element_tap_and_channel():
    assert columns(ConvSpec((Axis(5, 10, 4, 2),), 1, 2, 4)) == 5 * 4 * 4
    spec = ConvSpec((Axis(5, 11, 3, 2), Axis(7, 22, 4, 3)), 2, 6, 8)
    assert columns(spec) == 5 * 7 * 12 * 8


class Symbol:
    """A batch that nobody knows yet."""


def test_a_symbolic_batch_has_no_estimate():
    wide = image(8, 120, (79, 47), (3, 4), (1, 2), 1)
    assert chosen(wide, batch=1)[0] == "polyphase"
    assert chosen(wide, batch=Symbol()) == ("gemm", PRODUCT)


@pytest.mark.parametrize(
    ("dtype", "options", "algorithm", "reason"),
    [
        ("float16", {}, "native", "the platform's own convolutions"),
        ("bfloat16", {}, "native", "the platform's own convolutions"),
        ("float64", {"stride": 2}, "native", "the platform's own convolutions"),
        (
            "float32",
            {"stride": 2, "groups": 2},
            "polyphase",
            "'native' would multiply inserted zeros",
        ),
        (
            "float32",
            {"stride": 2, "dilation": 2},
            "polyphase",
            "'native' would multiply inserted zeros",
        ),
        ("int32", {}, "gemm", "no convolutions of int32 on GPUs and TPUs"),
        ("complex64", {}, "gemm", "no convolutions of complex64 on GPUs and TPUs"),
    ],
)
def test_accelerators_convolve_where_no_zeros_are_inserted(
    dtype, options, algorithm, reason
):
    spec = ConvSpec.from_shapes((1, 4, 9, 9), (4, 4, 3, 3), **options)
    named = {"dtype": dtype, "accelerator": True}
    assert chosen(spec, **named) == (algorithm, reason)
    other = (
        (algorithm, reason)
        if algorithm == "gemm"
        else ("native", "the platform's own convolutions")
    )
    for form in ("conv", "kernel_grad"):
        assert chosen(spec, form, **named) == other


@pytest.mark.parametrize("number", [0, 1])
def test_one_axis_with_a_stride_is_enough_to_insert_zeros(number):
    axes = [Axis(9, 40, 3), Axis(9, 40, 3)]
    axes[number] = Axis(9, 40, 3, 2)
    grouped = ConvSpec(tuple(axes), 2, 4, 4)
    assert chosen(grouped, accelerator=True)[0] == "polyphase"
    axes[1 - number] = Axis(9, 40, 3, 1, 2)
    assert chosen(ConvSpec(tuple(axes), 1, 4, 4), accelerator=True)[0] == "polyphase"
    plain = ConvSpec((Axis(9, 40, 3, 1, 2), Axis(9, 40, 3)), 2, 4, 4)
    assert chosen(plain, accelerator=True)[0] == "native"
