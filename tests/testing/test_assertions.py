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
from mtconv.testing.agreement import problem_of
from mtconv.testing.report import compare

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


class TestReports:
    """What is said of a wrong element: where it is, and what leads there."""

    def said(self, form, first, second, at, **options):
        """Account of a result with one wrong element."""
        first, second = np.array(first), np.array(second)
        got = problem_of(form, first, second, options)
        right = getattr(mtconv, form)(first, second, **options)
        wrong = right.copy()
        wrong[at] += 1
        compare("title", form, got, right, right)
        with pytest.raises(AssertionError) as caught:
            compare("title", form, got, wrong, right)
        return str(caught.value).splitlines()

    def test_taps_of_each_map(self):
        x, w, y = [1, 10], [1, 2, 3], [1, 2, 3, 4, 5]
        lines = self.said("conv_transpose", x, w, 2, stride=2)
        assert lines[0].endswith("the first is at index (2,): got 14, expected 13")
        assert lines[-2:] == [
            "  x[..., 0] * kernel[..., 2]",
            "  x[..., 1] * kernel[..., 0]",
        ]
        lines = self.said("conv", y, w, 1, stride=2)
        assert lines[-3:] == [f"  x[..., {j + 2}] * kernel[..., {j}]" for j in range(3)]
        lines = self.said("kernel_grad", x, y, 1, stride=2, kernel_size=(3,))
        assert lines[-2:] == ["  x[..., 0] * y[..., 1]", "  x[..., 1] * y[..., 3]"]

    def test_layouts_channels_and_modes(self):
        x, w = np.ones((1, 2, 3, 4), int), np.ones((1, 1, 4, 2), int)
        lines = self.said(
            "conv_transpose",
            x,
            w,
            (0, 1, 2, 0),
            layout="NHWC",
            kernel_layout="HWIO",
            padding=((0, 0), (1, 1)),
            stride=(1, 3),
            padding_mode="circular",
            output_size=(2, 6),
        )
        assert "  axis 1: o = 3*i + 1*j - 1, 0 <= i < 3, 0 <= j < 1, 0 <= o < 6" in lines
        assert "  channels: 4 on the small side, 2 on the big side, groups=1" in lines
        assert "  padding_mode: circular" in lines
        assert lines[-1] == "  x[..., 1, 1] * kernel[..., 0, 0]"

    def test_elements_that_no_tap_reaches_and_many_taps(self):
        lines = self.said("conv_transpose", [1, 10], [1], 1, stride=2)
        assert lines[-1] == "no tap reaches it: it is zero, or the bias"
        lines = self.said("conv", np.arange(20), np.arange(15), 0)
        assert lines[-1] == "  and 3 more"
        assert len(lines) == 4 + 12 + 1

    def test_tolerances_allow_what_they_say_and_nan_where_it_is_due(self):
        x, w = np.array([1.0, np.nan]), np.array([1.0])
        got = problem_of("conv_transpose", x, w, {})
        right = mtconv.conv_transpose(x, w)
        compare("title", "conv_transpose", got, right + 0.5, right, 0.5)
        with pytest.raises(AssertionError, match=r"expected 1.0, tolerance 0.25"):
            compare("title", "conv_transpose", got, right + 0.5, right, 0.25)
        with pytest.raises(AssertionError, match=r"shape \(1,\) instead of \(2,\)"):
            compare("title", "conv_transpose", got, right[:1], right)
