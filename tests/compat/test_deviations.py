"""Where mtconv gives another answer than a framework on purpose, and where it does not."""

import numpy as np
import pytest

import mtconv
from mtconv import compat
from tests.compat.deviations import DEVIATIONS, first, last, taps
from tests.compat.pins import ours


@pytest.mark.parametrize("case", DEVIATIONS, ids=repr)
def test_a_deviation_is_as_documented(case, backend, same):
    if case.ours is None:
        with pytest.raises(mtconv.GeometryError):
            ours(case.drawn, backend)
    else:
        same(ours(case.drawn, backend), case.ours)


def test_lists_are_as_good_as_tuples_with_consistent_padding(same):
    """Lax takes tuples only."""
    call = (last(1, 2), taps(1, 10, 100), [2])
    as_lists = compat.jax.conv_transpose(*call, [[1, 0]], use_consistent_padding=True)
    same(as_lists, last(10, 201, 20, 2))


def test_dimension_numbers_may_be_positions(same):
    """What lax makes of the strings, a ConvDimensionNumbers, is a tuple of positions."""
    x, kernel = np.arange(24.0).reshape(2, 3, 4), np.arange(30.0).reshape(5, 2, 3)
    strings = ("HCN", "OHI", "NHC")  # x: height 2, 3 channels; kernel: 5 out, 2 taps
    positions = ((2, 1, 0), (0, 2, 1), (0, 2, 1))
    calls = (
        compat.jax.conv_transpose(x, kernel, (2,), "SAME", dimension_numbers=numbers)
        for numbers in (strings, positions)
    )
    by_strings, by_positions = calls
    assert by_strings.shape == (4, 4, 5)
    same(by_positions, by_strings)


def test_grouped_volumes_of_equinox(same):
    """XLA's CPU compiler aborts the process on some of these; the numbers are torch's."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (4, 2, 3, 2)).astype(float)
    kernel = rng.integers(-4, 5, (4, 3, 2, 2, 3)).astype(float)
    flipped = compat.convert_kernel(kernel, "torch", "equinox", groups=2)
    same(
        compat.equinox.conv_transpose(x, flipped, dilation=2, groups=2),
        compat.torch.conv_transpose3d(x, kernel, dilation=2, groups=2),
    )


def test_dtypes_promote_as_everywhere_in_mtconv():
    """Lax refuses mixed dtypes and flax turns integers into floats."""
    x, kernel = np.ones((1, 2, 1), np.int8), np.ones((1, 1, 1), np.int32)
    assert compat.jax.conv_transpose(x, kernel, (1,), "SAME").dtype == np.int32
    assert compat.flax.conv_transpose(x, kernel).dtype == np.int32


def test_preferred_element_type_widens_before_the_products(same):
    x, kernel = np.full((1, 1, 1), 100, np.int8), np.full((1, 1, 1), 100, np.int8)
    wide = compat.jax.conv_transpose(
        x, kernel, (1,), "SAME", preferred_element_type=np.int32
    )
    same(wide, [[[10_000]]])
    assert wide.dtype == np.int32


def test_other_words_of_jax_are_those_of_the_plain_convolution(same):
    call = (last(1, 2, 3), taps(1, 10, 100), (1,))
    same(compat.jax.conv_transpose(*call, "VALID"), last(100, 210, 321, 32, 3))
    same(compat.jax.conv_transpose(*call, "valid"), last(321))


def test_same_lower_of_jax_is_not_an_adjoint_for_even_kernels(same):
    """Convolved with one zero before, y gives y[i-1] + 10*y[i]; its adjoint is below."""
    x, kernel = last(1, 2, 3), taps(1, 10)
    theirs = compat.jax.conv_transpose(x, kernel, (1,), "SAME_LOWER", transpose_kernel=True)
    same(theirs, last(1, 12, 23))
    adjoint = mtconv.conv_transpose(x.ravel(), kernel.ravel(), padding="same_lower")
    same(adjoint, np.array([12.0, 23, 30]))


def test_onnx_crops_more_at_the_low_end_for_an_output_shape(same):
    call = (first(1, 0), first(1, 2, 3))  # of four elements, 1 2 3 0, one is cropped
    same(compat.onnx.ConvTranspose(*call, output_shape=[3]), first(2, 3, 0))
    upper = compat.onnx.ConvTranspose(*call, output_shape=[3], auto_pad="SAME_UPPER")
    same(upper, first(1, 2, 3))


def test_output_padding_of_equinox_shrinks_what_same_gives():
    call = ([[1.0, 2.0]], [[[100.0, 10.0, 1.0]]])
    sizes = [
        compat.equinox.conv_transpose(*call, None, 2, padding, q).shape[1]
        for padding in ("SAME", "VALID")
        for q in (0, 1)
    ]
    assert sizes == [4, 3, 5, 6]


def adjoint_of_circular_conv(n, k, s):
    """Matrix of flax's Conv(CIRCULAR) with kernel 1..k, transposed, by its definition."""
    lo = (k - 1) // 2  # flax pads a convolution by (k-1)//2 before and k//2 after
    size = n * s
    matrix = np.zeros((size, n))
    for i in range(n):
        for j in range(k):
            matrix[(s * i + j - lo) % size, i] += j + 1
    return matrix


@pytest.mark.parametrize(
    ("k", "s", "adjoint"), [(3, 1, True), (3, 2, True), (2, 1, False), (3, 3, False)]
)
def test_circular_of_flax_is_kept_as_it_is(k, s, adjoint):
    """It is said to be the adjoint of Conv(CIRCULAR), but is not for every (k, s)."""
    kernel = np.arange(1.0, k + 1).reshape(k, 1, 1)
    columns = compat.flax.conv_transpose(
        np.eye(4)[:, :, None], kernel, None, s, "CIRCULAR", transpose_kernel=True
    )
    assert (adjoint_of_circular_conv(4, k, s) == columns[:, :, 0].T).all() == adjoint
