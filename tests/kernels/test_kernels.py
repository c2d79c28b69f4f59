"""Kernels that people use, judged by what they are for and by other libraries."""

import subprocess
import sys
from math import pi

import numpy as np
import pytest

import mtconv
from mtconv import kernels


class TestBilinear:
    def test_taps(self):
        assert kernels.bilinear((2,)).tolist() == [0.25, 0.75, 0.75, 0.25]
        assert (kernels.bilinear((3,)) * 3).round(12).tolist() == [1, 2, 3, 2, 1]
        assert kernels.bilinear((1,)).tolist() == [1]
        outer = np.outer(kernels.bilinear((2,)), kernels.bilinear((3,)))
        assert kernels.bilinear((2, 3)).tolist() == outer.tolist()
        assert kernels.bilinear(2).tolist() == kernels.bilinear((2, 2)).tolist()

    @pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
    def test_a_ramp_stays_a_ramp(self, factor):
        # The pixel of the result at o lies at (o + 1/2) / factor - 1/2.
        ramp = np.arange(7.0) * 5 - 3
        kernel = kernels.bilinear((factor,))
        big = mtconv.conv_transpose(ramp, kernel, stride=factor, padding="same")
        places = (np.arange(7 * factor) + 0.5) / factor - 0.5
        inside = (places >= 0) & (places <= 6)
        np.testing.assert_allclose(big[inside], 5 * places[inside] - 3, atol=1e-12)
        assert np.isclose(kernel.sum(), factor)

    @pytest.mark.parametrize("factor", [(2,), (3,), (2, 2), (4, 3), (2, 3, 1)])
    def test_interpolation_of_torch(self, factor):
        torch = pytest.importorskip("torch")
        rank = len(factor)
        x = np.random.default_rng(0).standard_normal((2, 3, *(5, 4, 6)[:rank]))
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[rank]
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(x), scale_factor=factor, mode=mode, align_corners=False
        ).numpy()
        options = {"stride": factor, "padding": "same"}
        depthwise = kernels.bilinear(factor, channels=3)
        dense = kernels.bilinear(factor, channels=3, depthwise=False)
        inside = (..., *(slice(f // 2, -(f // 2) or None) for f in factor))
        for got in (
            mtconv.conv_transpose(x, depthwise, groups=3, **options),
            mtconv.conv_transpose(x, dense, **options),
        ):
            assert got.shape == expected.shape
            np.testing.assert_allclose(got[inside], expected[inside], atol=1e-12)
        # At the border torch repeats the edge, where zeros are read here.
        if max(factor) > 1:
            assert np.abs(got - expected).max() > 0.01

    def test_channels(self):
        kernel = kernels.bilinear(2)
        assert kernels.bilinear(2, channels=3).tolist() == [[kernel.tolist()]] * 3
        dense = kernels.bilinear(2, channels=2, depthwise=False)
        zeros = np.zeros((4, 4)).tolist()
        assert dense.tolist() == [[kernel.tolist(), zeros], [zeros, kernel.tolist()]]


def test_nearest():
    assert kernels.nearest((2, 3)).tolist() == [[1, 1, 1], [1, 1, 1]]
    x = np.array([[1, 2], [3, 4]])
    big = mtconv.conv_transpose(x, kernels.nearest(2, dtype=int), stride=2)
    assert big.tolist() == np.repeat(np.repeat(x, 2, 0), 2, 1).tolist()
    assert kernels.nearest(4, channels=2).shape == (2, 1, 4, 4)


def test_binomial():
    assert (kernels.binomial((5,)) * 16).tolist() == [1, 4, 6, 4, 1]
    assert kernels.binomial(1).tolist() == [[1]]
    for size in (2, 9, 31, 54):
        assert kernels.binomial((size,)).sum() == 1  # without any rounding
    smooth = mtconv.conv_transpose(kernels.binomial((4,)), kernels.binomial((3,)))
    assert smooth.tolist() == kernels.binomial((6,)).tolist()


class TestGaussian:
    @pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, (1.0, 3.0), (0.5, 1.0, 1.5)])
    @pytest.mark.parametrize("truncate", [4.0, 2.0])
    def test_filter_of_scipy(self, sigma, truncate):
        filters = pytest.importorskip("scipy.ndimage")
        kernel = kernels.gaussian(sigma, truncate=truncate)
        impulse = np.zeros([size + 2 for size in kernel.shape])
        impulse[tuple(size // 2 for size in impulse.shape)] = 1
        expected = filters.gaussian_filter(impulse, sigma, truncate=truncate)
        inside = (slice(1, -1),) * kernel.ndim
        np.testing.assert_allclose(kernel, expected[inside], rtol=1e-12)

    def test_moments(self):
        kernel = kernels.gaussian((2.0,), truncate=8)
        places = np.arange(-16, 17)
        assert np.isclose(kernel.sum(), 1)
        assert np.isclose((kernel * places).sum(), 0, atol=1e-12)
        assert np.isclose((kernel * places**2).sum(), 4, rtol=1e-9)


class TestDisk:
    @pytest.mark.parametrize("radius", [0.2, 0.5, 0.7, 1.0, 1.5, 2.3, 6.0])
    def test_areas(self, radius):
        # Counted on a grid of 200 x 200 points in each pixel.
        kernel = kernels.disk(radius)
        reach = kernel.shape[0] // 2
        points = (np.arange(200) + 0.5) / 200 - 0.5
        for (i, j), element in np.ndenumerate(kernel):
            y, x = np.meshgrid(i - reach + points, j - reach + points, indexing="ij")
            counted = (y * y + x * x <= radius * radius).mean() / (pi * radius * radius)
            assert abs(element - counted) < 2e-3
        assert np.isclose(kernel.sum(), 1)
        assert kernel.min() >= 0
        assert (kernel == kernel.T).all()
        assert (kernel == kernel[::-1]).all()

    def test_sizes(self):
        sizes = [kernels.disk(radius).shape[0] for radius in (0.1, 0.5, 0.6, 1.5, 1.6, 7)]
        assert sizes == [1, 1, 3, 3, 5, 15]


@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
def test_dtypes(dtype):
    for kernel in (
        kernels.bilinear(2, dtype=dtype),
        kernels.nearest(2, dtype=dtype),
        kernels.binomial(3, dtype=dtype),
        kernels.gaussian(1, dtype=dtype),
        kernels.disk(2, dtype=dtype, channels=2),
    ):
        assert kernel.dtype == dtype
        assert kernel.flags.writeable


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: kernels.bilinear(0),
            "bilinear: `factor` must be at least 1 on each axis; got 0.",
        ),
        (lambda: kernels.nearest((2, -1)), "nearest: `factor` must be at least 1"),
        (lambda: kernels.bilinear(2.0), "bilinear: `factor` must be an integer"),
        (lambda: kernels.binomial(True), "binomial: `size` must be an integer"),
        (lambda: kernels.nearest(()), "nearest: `factor` must be at least 1"),
        (
            lambda: kernels.gaussian(0),
            "gaussian: `sigma` must be a finite number above 0, or one per axis; got 0.",
        ),
        (
            lambda: kernels.gaussian([1.0, float("nan")]),
            "gaussian: `sigma` must be",
        ),
        (
            lambda: kernels.gaussian(1, truncate="4"),
            "gaussian: `truncate` must be a finite number above 0; got '4'.",
        ),
        (lambda: kernels.disk((2, 3)), "disk: `radius` must be one number; got (2, 3)."),
        (lambda: kernels.disk(True), "disk: `radius` must be a finite number above 0"),
        (lambda: kernels.disk(0), "disk: `radius` must be a finite number above 0; got"),
        (
            lambda: kernels.disk(1, channels=0),
            "disk: `channels` must be at least 1; got 0.",
        ),
        (lambda: kernels.disk(1, channels=(2,)), "disk: `channels` must be one integer"),
    ],
)
def test_errors(call, text):
    with pytest.raises(mtconv.GeometryError) as error:
        call()
    assert str(error.value).startswith(text)


def test_numbers_may_be_arrays_without_axes():
    assert (kernels.gaussian(np.array(1.5)) == kernels.gaussian(1.5)).all()
    assert (kernels.disk(np.array(1.5)) == kernels.disk(1.5)).all()


def test_the_module_needs_no_import_of_its_own():
    code = "import mtconv; print(mtconv.kernels.nearest((2,)).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[1.0, 1.0]\n"
    assert "kernels" in dir(mtconv)
