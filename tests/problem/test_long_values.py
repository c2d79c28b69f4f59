"""Messages stay short, whatever values the options have."""

import numpy as np
import pytest

import mtconv

X, KERNEL = np.ones((1, 2, 5, 5)), np.ones((2, 3, 3, 3))
LONG = {
    "integer": 10**4000,
    "beyond what repr writes": 10**5000,
    "many integers": (1,) * 20_000,
    "long integers": (10**3000, 1, 1),
    "word": "x" * 100_000,
    "layout": "NCHW" * 10_000,
    "many pairs": ((1, 2),) * 10_000,
    "pair with a word": ((1, 2), ("x" * 100_000, 1)),
    "fractions": (1.5,) * 10_000,
    "bytes": b"x" * 100_000,
}
OPTIONS = (
    "stride",
    "padding",
    "output_padding",
    "output_size",
    "dilation",
    "groups",
    "padding_mode",
    "layout",
    "kernel_layout",
    "algorithm",
    "backend",
)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
def test_a_long_value_is_shortened(option, value):
    with pytest.raises((mtconv.GeometryError, mtconv.BackendError)) as caught:
        mtconv.conv_transpose(X, KERNEL, **{option: value})
    text = str(caught.value)
    assert text.startswith(f"conv_transpose: `{option}` ")
    assert len(text) <= 900


@pytest.mark.parametrize("value", [LONG["many integers"], LONG["word"], [10**3000] * 3])
def test_long_shapes_are_shortened(value):
    for call in (
        lambda: mtconv.conv_transpose_shape(value, KERNEL.shape),
        lambda: mtconv.conv_shape(X.shape, value),
        lambda: mtconv.input_sizes(value, (3, 3)),
    ):
        with pytest.raises(mtconv.GeometryError) as caught:
            call()
        assert len(str(caught.value)) <= 900


def test_what_is_cut_off_is_said():
    with pytest.raises(mtconv.GeometryError) as caught:
        mtconv.conv_transpose(X, KERNEL, stride="2" * 1000)
    shown = "'" + "2" * 199
    assert f"got {shown}... of 1002 characters of type str." in str(caught.value)
