"""Messages of the library become messages of the command."""

import pytest

from mtconv.cli.words import in_words_of_the_command


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ConvSpec.from_shapes: `output_padding` must be less than the stride; got 3.",
            "--output-padding must be less than the stride; got 3.",
        ),
        (
            "conv: `stride` must be one value; got (2, 2, 2). Write 2 in a tuple.",
            "--stride must be one value; got 2,2,2. Write 2 with commas between.",
        ),
        (
            'conv: `x` is wrong. layout="DHW", kernel_layout="DHW" reads a bare volume.',
            "X is wrong. --layout DHW, --kernel-layout DHW reads a bare volume.",
        ),
        (
            "conv: `padding` is too small; got padding=((-1, 2), (0, 1)).",
            "--padding is too small; got --padding=-1:2,0:1.",
        ),
        (
            "conv: `padding` is too small; got padding=(9, 8), which leaves 0 on axis 'W'.",
            "--padding is too small; got --padding 9:8, which leaves 0 on axis 'W'.",
        ),
        (
            "conv: `padding` must be at least 0; got (3, -9) on axis 'W'.",
            "--padding must be at least 0; got 3:-9 on axis 'W'.",
        ),
        (
            "conv: `padding` must be one integer or (lo, hi) pair per axis; got (1, 2, "
            "3) of length 3 on axis 'W'.",
            "--padding must be one integer or lo:hi pair per axis; got 1:2:3 of length 3 "
            "on axis 'W'.",
        ),
        (
            "conv: `x` is too large. Check stride, padding and output_size.",
            "X is too large. Check --stride, --padding and --output-size.",
        ),
        (
            "conv: `x` must be a shape; got 4 channels in x and 2 x 3 of x's. Pass "
            "array.shape.",
            "X must be a shape; got 4 channels in X and 2 x 3 of X's.",
        ),
        ("`padding_mode` is not stride=x.", "--padding-mode is not stride=x."),
        ("no folder /a/b: it is missing", "no folder /a/b: it is missing"),
        ("", ""),
    ],
)
def test_options_are_written_as_they_are_typed(text, expected):
    assert in_words_of_the_command(text) == expected


def test_attributes_of_a_node_are_no_options():
    text = "rewrite: `source` is wrong. node: `stride` must be dilation=3, in a tuple."
    expected = "SOURCE is wrong. node: stride must be dilation=3, in a tuple."
    assert in_words_of_the_command(text, options=False) == expected
