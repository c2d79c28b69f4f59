"""`assert_backends_agree` raises errors of its own, and none for what it cannot compare."""

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
