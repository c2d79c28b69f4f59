"""Tables of a framework's file, and which options need the size of the input."""

from dataclasses import replace

import pytest

from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.framework import draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule


def test_a_table_of_sizes_has_a_line_or_two_for_each_rule():
    first, second = size_rules("""
    `padding=p` | p | n - p | padding=p
    `SAME` | 0 | n*s
    | padding="SAME"
    """)
    assert tuple(first) == ("`padding=p`", "p", "n - p", "padding=p")
    assert tuple(second) == ("`SAME`", "0", "n*s", 'padding="SAME"')


def test_draws_are_rules_or_values():
    assert draw_rules(
        "stride: stride, padding: VALID/SAME", "flag: False/True", "p: SAME"
    ) == (
        {"stride": "stride", "padding": ("VALID", "SAME")},
        {"flag": (False, True)},
        {"p": ("SAME",)},
    )
    assert draw_rules("written") == ({},)


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({}, False),
        ({"padding": "VALID"}, False),
        ({"padding": "same"}, True),
        ({"padding": 3}, False),
        ({"padding": "VALID", "output_size": None}, False),
        ({"padding": "VALID", "output_size": (3,)}, True),
    ],
)
def test_options_that_need_the_size_of_the_input(options, needed):
    assert FRAMEWORKS["paddle"].needs_size(options) is needed


def test_what_does_not_read_back_is_passed_over():
    """A `write` that doubles the crop is never believed."""
    from types import SimpleNamespace

    row = FRAMEWORKS["torch"]
    geometry = row.geometry("call", {"padding": 1}, (5,), (3,))
    (right,) = row.file.write(geometry)
    careless = SimpleNamespace(**vars(row.file))
    careless.write = lambda _: iter([right | {"padding": (2,)}, right])
    assert replace(row, file=careless).options_for(geometry, sized=True) == right
    careless.write = lambda _: iter([right | {"padding": (2,)}])
    assert replace(row, file=careless).options_for(geometry, sized=True) is None


def test_the_shape_of_a_kernel_in_words():
    assert KernelRule("O*I", divided="I").shape == "(C_out, *k, C_in/groups)"
    assert KernelRule("*").shape == "(*k)"
