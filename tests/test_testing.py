"""The checks for users' own tests: what they accept, what they refuse, what they say."""

import numpy as np
import pytest

import mtconv
from mtconv.testing import (
    assert_adjoint,
    assert_backends_agree,
    implementations,
    reference_conv,
    reference_conv_transpose,
    reference_kernel_grad,
)

KERNEL = np.array([[1, -2, 3], [4, 5, -7]])


def f(x):
    return mtconv.conv_transpose(x, KERNEL, stride=2, padding=((1, 0), (0, 2)))


def transposed(y):
    return mtconv.conv(y, KERNEL, stride=2, padding=((1, 0), (0, 2)))


class TestReference:
    """Values worked out by hand: 1 at index i puts the kernel at stride*i - lo."""

    def test_conv_transpose(self):
        x, kernel = [1, 10], [1, 2, 3]
        same = np.testing.assert_array_equal
        same(reference_conv_transpose(x, kernel), [1, 12, 23, 30])
        same(reference_conv_transpose(x, kernel, stride=2), [1, 2, 13, 20, 30])
        same(reference_conv_transpose(x, kernel, dilation=2), [1, 10, 2, 20, 3, 30])
        same(reference_conv_transpose(x, kernel, padding=((1, 0),)), [12, 23, 30])
        same(reference_conv_transpose(x, kernel, padding=((0, -1),)), [1, 12, 23, 30, 0])
        same(
            reference_conv_transpose(x, kernel, stride=2, output_padding=1),
            [1, 2, 13, 20, 30, 0],
        )

    def test_conv(self):
        y, kernel = [1, 10, 100, 1000], [1, 2, 3]
        same = np.testing.assert_array_equal
        same(reference_conv(y, kernel), [321, 3210])
        same(reference_conv(y, kernel, stride=2, padding=((1, 0),)), [32, 3210])
        # The padding of each mode: 4 3 2 | 1 ... counts as wrap, mirror or edge.
        options = {"padding": ((1, 0),), "stride": 4}
        same(reference_conv(y, kernel, **options, padding_mode="circular"), [1032])
        same(reference_conv(y, kernel, **options, padding_mode="reflect"), [42])
        same(reference_conv(y, kernel, **options, padding_mode="replicate"), [33])
        same(reference_conv(y, kernel, **options, padding_mode="symmetric"), [33])

    def test_kernel_grad(self):
        x, y = [1, 10], [1, 2, 3, 4, 5]
        got = reference_kernel_grad(x, y, kernel_size=(3,), stride=2)
        np.testing.assert_array_equal(got, [31, 42, 53])

    def test_groups_and_bias(self):
        x = np.array([[[1], [10]]])  # one item, two channels of one cell
        kernel = np.array([[[1], [2]], [[3], [4]]])  # each group makes two channels
        got = reference_conv_transpose(x, kernel, [100, 200, 300, 400], groups=2)
        np.testing.assert_array_equal(got, [[[101], [202], [330], [440]]])

    def test_floats_are_rounded_once(self):
        x = np.full(3, 2048, np.float16)
        got = reference_conv(x, np.array([1, 2**-11, 2**-11], np.float16))
        assert got.dtype == np.float16
        assert got.tolist() == [2050]  # 2048 + 1 + 1; one at a time, 2048 + 1 stays 2048


class TestAssertAdjoint:
    def test_accepts_a_pair(self):
        assert_adjoint(f, transposed, np.arange(6).reshape(2, 3))

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64"])
    def test_accepts_a_pair_of_floats_within_rounding(self, dtype):
        x = np.linspace(-1, 1, 30).reshape(5, 6).astype(dtype)
        assert_adjoint(f, transposed, x)

    def test_accepts_integer_valued_floats_exactly(self):
        assert_adjoint(f, transposed, np.arange(6.0).reshape(2, 3), exact=True)

    def test_accepts_integers_that_wrap(self):
        def wrap(x):
            return mtconv.conv_transpose(x, np.array([100, 90, 80], np.int8))

        def back(y):
            return mtconv.conv(y, np.array([100, 90, 80], np.int8))

        assert_adjoint(wrap, back, np.array([100, -90, 80], np.int8))

    def test_refuses_an_error_of_one(self):
        def wrong(y):
            return transposed(y) + (np.arange(6).reshape(2, 3) == 5)

        with pytest.raises(AssertionError, match="not adjoint: <f"):
            assert_adjoint(f, wrong, np.arange(6).reshape(2, 3))

    def test_refuses_a_small_relative_error_of_floats(self):
        def wrong(y):
            return transposed(y) * (1 + 1e-9)

        x = np.arange(1, 7.0).reshape(2, 3)
        with pytest.raises(AssertionError, match=r"allowed \d"):
            assert_adjoint(f, wrong, x)
        assert_adjoint(f, transposed, x)

    def test_refuses_a_missing_flip(self):
        def wrong(y):
            return mtconv.conv(y, KERNEL[:, ::-1], stride=2, padding=((1, 0), (0, 2)))

        with pytest.raises(AssertionError, match="not adjoint"):
            assert_adjoint(f, wrong, np.arange(6).reshape(2, 3))

    def test_refuses_nan(self):
        with pytest.raises(AssertionError, match="differ by nan"):
            assert_adjoint(f, lambda y: transposed(y) * np.nan, np.ones((2, 3)))

    def test_refuses_shapes_that_do_not_map_back(self):
        with pytest.raises(AssertionError, match="transposes map back"):
            assert_adjoint(f, lambda y: y, np.arange(6).reshape(2, 3))
        with pytest.raises(AssertionError, match="y has shape"):
            assert_adjoint(f, transposed, np.arange(6).reshape(2, 3), np.ones(3, int))

    def test_tells_transpose_from_adjoint(self):
        kernel = np.array([1, 2j])

        def apply(x):
            return mtconv.conv_transpose(x, kernel)

        x, y = np.array([1, 1j]), np.array([1j, 2, 3])
        assert_adjoint(apply, lambda y: mtconv.conv(y, kernel), x, y)
        assert_adjoint(apply, lambda y: mtconv.conv(y, kernel.conj()), x, y, conjugate=True)
        with pytest.raises(AssertionError, match="not adjoint"):
            assert_adjoint(apply, lambda y: mtconv.conv(y, kernel), x, y, conjugate=True)


class TestAssertBackendsAgree:
    X = np.arange(1, 9).reshape(1, 2, 4)
    W = np.arange(1, 13).reshape(2, 2, 3)

    @pytest.mark.parametrize("dtype", ["int64", "float32"])
    def test_accepts_mtconv(self, backend, dtype):
        x, w = self.X.astype(dtype), self.W.astype(dtype)
        assert_backends_agree(x, w, stride=2, padding=1, backends=[backend])
        assert_backends_agree(x, w, form="conv", padding=1, backends=[backend])
        y = mtconv.conv_transpose(x, w)
        assert_backends_agree(x, y, form="kernel_grad", kernel_size=3, backends=[backend])

    def test_refuses_another_result(self, monkeypatch):
        right = mtconv.conv_transpose

        def wrong(*arrays, **options):
            return right(*arrays, **options) + (options["algorithm"] == "polyphase")

        monkeypatch.setattr(mtconv, "conv_transpose", wrong)
        with pytest.raises(AssertionError) as caught:
            assert_backends_agree(self.X, self.W, stride=2, backends=["numpy"])
        assert "conv_transpose on numpy, algorithm 'polyphase': 18 of 18" in str(
            caught.value
        )
        assert "o = 2*i + 1*j - 0" in str(caught.value)

    def test_lists_what_there_is(self):
        assert ("numpy", "polyphase") in list(implementations())
        assert {backend for backend, _ in implementations(["numpy"])} == {"numpy"}
