"""`explain` of an operator, whose kernel is known and which has ways of its own."""

import numpy as np
import pytest

import mtconv


def gaussian(size=(128, 128), **options):
    return mtconv.Conv(mtconv.kernels.gaussian(1.5), size, padding=6, **options)


def test_a_separable_kernel():
    found = mtconv.explain(gaussian())
    assert found.algorithm == found.candidates[0].algorithm == "separable"
    assert found.as_dict()["algorithm"] == "separable"
    assert found.shapes == {"big": (128, 128), "kernel": (13, 13), "small": (128, 128)}
    assert found.dtype == "float64"
    assert found.multiply_adds == (13 * 128 - 2 * 21) ** 2  # 21 = 1 + ... + 6 are cropped
    text = str(found)
    assert (
        "algorithm: separable, the kernel is the product of one vector for each axis\n"
        f"  {found.plan.algorithm} for values that are not finite, and integers too large "
        "for double precision\n"
    ) in text
    assert "what a call takes" in text
    assert text.count("the smallest estimated time") == 0


def test_a_circular_one():
    kernel = np.random.default_rng(1).standard_normal((45, 45))
    A = mtconv.Conv(kernel, (200, 200), padding=22, padding_mode="circular")
    for operator in (A, A.T):
        text = str(mtconv.explain(operator))
        assert "algorithm: frequency, circular, and its spectrum is kept\n" in text
        assert text.endswith("workspace: spectra of the whole arrays")


def test_other_operators_do_what_calls_do():
    kernel = np.arange(1.0, 17).reshape(4, 4) ** 2
    A = mtconv.ConvTranspose(kernel, (16, 16), stride=2, padding=1, algorithm="gemm")
    found = mtconv.explain(A)
    expected = mtconv.explain(
        (16, 16), (4, 4), "float64", stride=2, padding=1, algorithm="gemm"
    )
    assert found.candidates == expected.candidates
    assert found.shapes == expected.shapes
    assert found.axes[0].legal == (32,)
    assert found.algorithm == "gemm"


def test_exact_separates_nothing():
    assert mtconv.explain(gaussian(algorithm="exact")).algorithm != "separable"


def test_the_dtype_of_results():
    kernel = mtconv.kernels.gaussian(1.5, dtype="float32")
    A = mtconv.Conv(kernel, (128, 128))
    assert mtconv.explain(A).algorithm == "separable"
    # In single precision it is a product but for rounding, in double precision it is none.
    assert mtconv.explain(A, dtype="float64").algorithm != "separable"


@pytest.mark.parametrize("name", ["jax.numpy", "torch"])
def test_operators_of_other_libraries(name):
    xp = pytest.importorskip(name)
    kernel = xp.asarray(np.ones((3, 3), np.float32))
    A = mtconv.Conv(kernel, (8, 9), padding=1, padding_mode="circular")
    assert mtconv.explain(A).plan.backend == name.split(".")[0]
    B = mtconv.Conv(kernel, (8, 9), padding=1, padding_mode="circular", algorithm="fft")
    assert "algorithm: frequency, 'fft' was named by the caller" in str(mtconv.explain(B))


def test_what_is_passed_beside_an_operator_is_refused():
    A = gaussian()
    for options in ({"stride": 2}, {"backend": "jax"}, {"form": "conv"}):
        (name, value) = next(iter(options.items()))
        with pytest.raises(TypeError) as error:
            mtconv.explain(A, **options)
        assert str(error.value) == (
            f"explain: `{name}` must be left out for an operator, which has its own; "
            f"got {value!r}."
        )
    with pytest.raises(TypeError, match="`kernel_shape` must be left out"):
        mtconv.explain(A, (3, 3))


def test_operators_that_are_made_of_others_are_refused():
    with pytest.raises(TypeError) as error:
        mtconv.explain(gaussian() + gaussian())
    assert str(error.value) == (
        "explain: `x_shape` must be a shape, a Conv or a ConvTranspose; got an operator of "
        "type Sum. Explain the operators that it is made of."
    )
    with pytest.raises(TypeError) as error:
        mtconv.explain(mtconv.KernelConv(np.ones(9), kernel_size=(3,)))
    assert str(error.value).endswith(
        "type KernelConv. Explain the call, by the shapes of its arrays."
    )
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        mtconv.explain((3, 3))
