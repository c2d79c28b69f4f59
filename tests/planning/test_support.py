"""Declarations of backends: what they must say, and what they refuse."""

import numpy as np
import pytest

import mtconv
from mtconv.planning.support import Support, check_bias, check_problem, refusal

BARE = mtconv.ConvSpec.from_shapes((3, 4), (2, 2), stride=2)
GROUPED = mtconv.ConvSpec.from_shapes((1, 2, 4), (2, 1, 3), groups=2)
PADDED = mtconv.ConvSpec.from_shapes((5,), (3,), padding=1, padding_mode="reflect")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"algorithms": ("fast",)}, "`algorithms` must hold known names only: 'gemm', "),
        ({"algorithms": "direct"}, "`algorithms` must be a tuple of names; got 'direct'"),
        ({"algorithms": ("fft",)}, "must have one that is exact on integers; got ('fft',)"),
        ({"algorithms": ("gemm", "direct")}, "`ladder` must be given where there are"),
        ({"maps": ()}, "`maps` must be a tuple of names; got ()"),
        ({"maps": ("convolve",)}, "`maps` must hold known names only: 'conv_transpose', "),
        ({"padding_modes": ("reflect",)}, "`padding_modes` must have 'zeros'; got"),
        ({"dtypes": (np.float64,)}, "`dtypes` must hold known names only; got"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(fields, rule):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared
        Support(**{"algorithms": ("direct",), "dtypes": ("float64",), **fields})
    assert rule in str(caught.value)
    assert str(caught.value).startswith("Support: `")


def test_a_declaration_of_two_fields_has_all_maps_and_nothing_else():
    support = Support(("direct",), ("float64",))
    assert support.maps == ("conv_transpose", "conv", "kernel_grad")
    assert (support.bias, support.groups, support.most_axes) == (False, False, None)
    assert support.padding_modes == ("zeros",)


@pytest.mark.parametrize(
    ("fields", "problem", "broken"),
    [
        ({}, ("conv", BARE, "float64"), None),
        ({"maps": ("conv_transpose",)}, ("conv", BARE, "float64"), "backend"),
        ({}, ("conv", BARE, "float32"), "x"),
        ({"most_axes": 1}, ("conv", BARE, "float64"), "x"),
        ({"most_axes": 2}, ("conv", BARE, "float64"), None),
        ({"most_axes": 3}, ("conv", BARE, "float64"), None),
        ({}, ("conv", GROUPED, "float64"), "groups"),
        ({"groups": True}, ("conv", GROUPED, "float64"), None),
        ({}, ("conv_transpose", PADDED, "float64"), "padding_mode"),
        ({"padding_modes": ("zeros", "reflect")}, ("conv", PADDED, "float64"), None),
    ],
)
def test_a_problem_breaks_the_rule_of_one_argument(fields, problem, broken):
    form, spec, dtype = problem
    support = Support(("direct",), ("float64",), **fields)
    got = refusal(support, "toy", form, spec, dtype)
    assert (None if got is None else got[0]) == broken
    if broken is None:
        check_problem(support, "toy", form, spec, dtype)
    else:
        with pytest.raises(mtconv.BackendError, match=f"^{form}: `{broken}` must "):
            check_problem(support, "toy", form, spec, dtype)


def test_a_bias_is_declared():
    check_bias(Support(("direct",), ("float64",), bias=True), "toy", "conv", (3,))
    with pytest.raises(mtconv.BackendError, match="`bias` must be left out on the toy"):
        check_bias(Support(("direct",), ("float64",)), "toy", "conv", (3,))
