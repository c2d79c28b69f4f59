"""`assert_backends_agree` raises errors of its own, and none for what it cannot compare."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

import mtconv
from mtconv.testing import assert_backends_agree

NAME = "assert_backends_agree"


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (
            ([1, 2], [1, 2]),
            {"form": "convt"},
            f"{NAME}: `form` must be one of 'conv_transpose', 'conv', 'kernel_grad'; got "
            "'convt'.",
        ),
        (
            ([1, 2], [1, 2]),
            {"backends": ()},
            f"{NAME}: `backends` must name at least one, or nothing would be checked; got "
            "none.",
        ),
        (
            ([1, 2], [1, 2]),
            {"exact": "no"},
            f"{NAME}: `exact` must be a bool; got 'no'.",
        ),
        (
            ([1, 2], [1, 2]),
            {"form": "kernel_grad"},
            f"{NAME}: `kernel_size` must be given for form='kernel_grad'; got nothing. "
            "Pass kernel_size=3.",
        ),
        (
            ([1, 2], [1, 2]),
            {"form": "kernel_grad", "kernel_size": (1,), "bias": [1]},
            f"{NAME}: `bias` must be left out for form='kernel_grad', which has none; got "
            "an array.",
        ),
        (
            ([1, 2], [True]),
            {},
            f"{NAME}: `second` must have integer, floating or complex elements; got dtype "
            "bool.",
        ),
        (
            (np.ma.array([1, 2]), [1]),
            {},
            f"{NAME}: `first` must be a plain array; got a masked array. Use .filled(0); a "
            "mask would be lost.",
        ),
    ],
)
def test_wrong_calls(arrays, options, message):
    with pytest.raises((mtconv.GeometryError, mtconv.BackendError)) as caught:
        assert_backends_agree(*arrays, **options)
    assert str(caught.value) == message


def test_backends_that_are_not_known_or_not_in_a_collection():
    with pytest.raises(mtconv.GeometryError, match=r"got 'numpy'\. Write \('numpy',\)\.$"):
        assert_backends_agree([1], [1], backends="numpy")
    with pytest.raises(mtconv.GeometryError, match=r"got 'nump'\. Did you mean 'numpy'\?$"):
        assert_backends_agree([1], [1], backends=("nump",))


def test_options_that_are_not_known():
    with pytest.raises(TypeError, match=r"unknown keyword 'strides'; .* mean 'stride'\?$"):
        assert_backends_agree([1], [1], strides=2)


def test_ragged_sequences():
    with pytest.raises(mtconv.BackendError, match="`first` must be an array that numpy"):
        assert_backends_agree([[1, 2], [3]], [1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_compared_where_they_are_kept_apart(bad):
    x = np.array([1.0, bad] + [1.5] * 200)
    assert_backends_agree(x, np.array([0.1, 0.2, 0.3]), backends=("numpy",))

    def shifted(*arrays, **options):
        return np.roll(right(*arrays, **options), 1)

    right = mtconv.conv_transpose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtconv, "conv_transpose", shifted)
        with pytest.raises(AssertionError, match="elements are wrong"):
            assert_backends_agree(x, np.array([0.1, 0.2]), backends=("numpy",))


def test_an_exception_of_another_library_is_a_failure(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("inside")  # noqa: EM101

    monkeypatch.setattr(mtconv, "conv", broken)
    with pytest.raises(AssertionError) as caught:
        assert_backends_agree([1, 2], [1], form="conv", backends=("numpy",))
    assert str(caught.value) == (
        "conv on numpy, algorithm 'gemm' raised ZeroDivisionError: inside"
    )


class TestJaxWithoutSixtyFourBits:
    @pytest.fixture(autouse=True)
    def without(self, jax_numpy):  # noqa: ARG002
        import jax

        with jax.enable_x64(False):
            yield

    def test_floats_are_compared_as_single_precision(self):
        x, kernel = np.array([1.1, 2.2]), np.array([1, 0.3])
        assert_backends_agree(x, kernel)
        assert_backends_agree(x, kernel, backends=("jax",))
        with pytest.MonkeyPatch.context() as patch:
            wrong = mtconv.conv_transpose
            patch.setattr(
                mtconv, "conv_transpose", lambda *a, **o: wrong(*a, **o) * 1.00001
            )
            with pytest.raises(AssertionError, match=r"jax.* 3 of 3 elements are wrong"):
                assert_backends_agree(x, kernel, backends=("jax",))

    @pytest.mark.parametrize("x", [[2**40, 1], [2**31 - 1, 1], [1e300, 1.0]])
    def test_numbers_beyond_it_are_left_out(self, x):
        assert_backends_agree(np.array(x), np.array([1, 2]))

    def test_named_it_refuses_them_in_words_of_mtconv(self):
        with pytest.raises(mtconv.BackendError) as caught:
            assert_backends_agree(np.array([2**40, 1]), np.array([1]), backends=("jax",))
        assert str(caught.value) == (
            "conv_transpose: `x` must have integers that fit int32, the widest of their "
            "kind while jax_enable_x64 is off; got 1099511627776. Call "
            'jax.config.update("jax_enable_x64", True), or convert them to float.'
        )


def test_dtypes_are_compared():
    right = mtconv.conv_transpose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtconv, "conv_transpose", lambda *a, **o: right(*a, **o).astype("f4"))
        with pytest.raises(AssertionError, match=r"has dtype float32 instead of float64$"):
            assert_backends_agree(np.array([1.0]), np.array([2.0]), backends=("numpy",))


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_numbers_whose_squares_have_no_float_are_compared(scale):
    x, kernel = np.array([1.5, 2.5, 0.1]) * scale, np.array([1.0, 0.3])
    assert_backends_agree(x, kernel)
    right = mtconv.conv_transpose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mtconv, "conv_transpose", lambda *a, **o: right(*a, **o)[::-1].copy())
        with pytest.raises(AssertionError, match="4 of 4 elements are wrong"):
            assert_backends_agree(x, kernel, backends=("numpy",))


WORDS = ("int8", "int32", "int64", "uint8", "uint32", "uint64", "float16", "float32")
WORDS += ("float64", "complex64", "complex128", "bfloat16")


def test_every_two_dtypes_are_compared_or_refused():
    pytest.importorskip("ml_dtypes")
    refused = 0
    for first, second in combinations_with_replacement(WORDS, 2):
        arrays = (np.array([1, 2, 3]).astype(first), np.array([1, 2]).astype(second))
        try:
            np.result_type(*arrays)
        except TypeError:
            refused += 1
            with pytest.raises(mtconv.BackendError) as caught:
                assert_backends_agree(*arrays)
            assert str(caught.value) == (
                "assert_backends_agree: `second` must have a dtype that NumPy promotes "
                f"with that of `first`; got {first} and {second}. Convert them with "
                ".astype first."
            )
            continue
        assert_backends_agree(*arrays)
    assert refused == 5
