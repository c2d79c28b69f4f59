"""What `auto` promises where it takes `fft`, on problems of every kind.

Plans are made for small problems too, so that plain loops can say what is right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mtconv
from mtconv.backends import _numpy
from mtconv.backends._numpy import promises
from mtconv.backends.host.inputs import joined, traits
from mtconv.planning.ladders.numpy import precautions
from mtconv.planning.plan import plan_for
from mtconv.problem.options import freeze
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad

REFERENCES = {
    "conv_transpose": reference_conv_transpose,
    "conv": reference_conv,
    "kernel_grad": reference_kernel_grad,
}
FORMS = tuple(REFERENCES)


def by_fft(form, first, second, **options):
    """Do what a call does for which `auto` has taken fft."""
    size = options.pop("kernel_size", None)
    dtype = np.result_type(first, second).name
    named = (freeze(form, **options), dtype, "auto", "numpy")
    plan = plan_for(form, first.shape, second.shape, *named, kernel_size=size)
    computing, fallbacks = precautions(plan.spec, form, dtype, "fft", "direct")
    plan = replace(plan, algorithm="fft", computing=computing, fallbacks=fallbacks)
    return _numpy.run(plan, first, second)


def problems(form, seed, count, values):
    """Draw arrays of a map with options; ``values(rng, shape)`` draws elements."""
    rng = np.random.default_rng(seed)
    done = 0
    while done < count:
        rank, groups = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        small, share = groups * int(rng.integers(1, 3)), int(rng.integers(1, 3))
        x = (int(rng.integers(1, 3)), small, *map(int, rng.integers(1, 7, rank)))
        kernel = (small, share, *map(int, rng.integers(1, 5, rank)))
        mode = str(rng.choice(["zeros", "zeros", "circular", "symmetric"]))
        lowest = -2 if mode == "zeros" else 0
        options = {
            "stride": [int(n) for n in rng.integers(1, 4, rank)],
            "dilation": [int(n) for n in rng.integers(1, 3, rank)],
            "padding": [tuple(map(int, rng.integers(lowest, 2, 2))) for _ in range(rank)],
            "groups": groups,
            "padding_mode": mode,
        }
        try:
            shape = mtconv.conv_transpose_shape(x, kernel, **options)
            mtconv.conv_shape(shape, kernel, **options)
        except mtconv.GeometryError:
            continue
        done += 1
        if form == "kernel_grad":
            yield values(rng, x), values(rng, shape), {**options, "kernel_size": kernel[2:]}
        else:
            first = x if form == "conv_transpose" else shape
            yield values(rng, first), values(rng, kernel), options


def whole(dtype):
    def values(rng, shape):
        return rng.integers(-4, 5, shape).astype(dtype)

    return values


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_whole_numbers_are_exact(form, dtype):
    for first, second, options in problems(form, 1, 40, whole(dtype)):
        result = by_fft(form, first, second, **options)
        assert result.dtype == dtype
        assert np.array_equal(result, REFERENCES[form](first, second, **options))


def spotted(spots, share):
    """Whole numbers, a share of which are among these spots."""

    def values(rng, shape):
        array = rng.integers(-4, 5, shape).astype(float)
        array[rng.random(shape) < share] = rng.choice(spots)
        return array

    return values


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.parametrize("spots", [[np.nan], [np.inf, -np.inf], [np.nan, np.inf]])
def test_nan_and_infinity_reach_what_the_kernel_reaches(form, share, spots):
    seen = 0
    for first, second, options in problems(form, 2, 60, spotted(spots, share)):
        with np.errstate(invalid="ignore"):
            expected = REFERENCES[form](first, second, **options)
        result = by_fft(form, first, second, **options)
        assert np.array_equal(result, expected, equal_nan=True)
        seen += 0 < np.isfinite(expected).sum() < expected.size
    assert seen >= 3


@pytest.mark.parametrize("form", FORMS)
def test_nan_of_two_samples_in_three_groups(form):
    shapes = {"x": (2, 6, 5), "kernel": (6, 5, 3), "y": (2, 15, 11)}
    rng = np.random.default_rng(5)
    x, kernel, y = (rng.integers(-4, 5, s).astype(float) for s in shapes.values())
    x[1, 1, 3] = y[1, 7, 4] = np.nan
    first, second = {
        "conv_transpose": (x, kernel),
        "conv": (y, kernel),
        "kernel_grad": (x, y),
    }[form]
    options = {"stride": 2, "groups": 3}
    if form == "kernel_grad":
        options["kernel_size"] = (3,)
    expected = REFERENCES[form](first, second, **options)
    assert 0 < np.isnan(expected).sum() < expected.size
    result = by_fft(form, first, second, **options)
    assert np.array_equal(result, expected, equal_nan=True)


@pytest.mark.parametrize("form", FORMS)
def test_complex_nan_too(form):
    def values(rng, shape):
        array = rng.integers(-4, 5, shape) + 1j * rng.integers(-4, 5, shape)
        array[rng.random(shape) < 0.05] = np.nan
        return array

    for first, second, options in problems(form, 3, 30, values):
        expected = REFERENCES[form](first, second, **options)
        result = by_fft(form, first, second, **options)
        assert np.array_equal(np.isnan(result), np.isnan(expected))
        finite = ~np.isnan(expected)
        assert np.array_equal(result[finite], expected[finite])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sizes", [(1e306, 1e-3), (1e-300, 1e-200), (1e-170, 1e290)])
def test_finite_values_stay_finite_and_small_ones_do_not_vanish(form, sizes):
    def draw(rng, shape):
        return rng.uniform(0.5, 1, shape)

    for first, second, options in problems(form, 4, 20, draw):
        expected = REFERENCES[form](first, second, **options)
        with np.errstate(under="ignore"):
            result = by_fft(form, first * sizes[0], second * sizes[1], **options)
        scaled = result / sizes[0] / sizes[1] if sizes != (1e-300, 1e-200) else expected
        assert np.isfinite(result).all()
        assert np.allclose(scaled, expected, rtol=0, atol=1e-12 * expected.max(initial=1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_negative_gives_nothing_negative(form, dtype):
    def counts(rng, shape):
        array = rng.random(shape) ** 8
        array[rng.random(shape) < 0.7] = 0
        return array.astype(dtype)

    for first, second, options in problems(form, 5, 60, counts):
        assert by_fft(form, first, second, **options).min(initial=0) >= 0


@pytest.mark.parametrize("form", FORMS)
def test_single_precision_is_as_accurate_as_direct_sums(form):
    """Within terms * 2**-24 * sum |x||w|, for elements down to 1e-8 of the largest."""

    def values(rng, shape):
        sizes = 10.0 ** rng.uniform(-4, 0, shape)
        return (rng.standard_normal(shape) * sizes).astype(np.float32)

    for first, second, options in problems(form, 6, 60, values):
        wide = [array.astype(np.float64) for array in (first, second)]
        expected = REFERENCES[form](*wide, **options)
        sums = REFERENCES[form](*map(abs, wide), **options)
        ones = [np.ones(array.shape) for array in wide]
        terms = REFERENCES[form](*ones, **options)
        error = abs(by_fft(form, first, second, **options) - expected)
        large = sums >= 1e-8 * sums.max(initial=0)
        assert (error <= terms * 2.0**-24 * sums)[large].all()


@pytest.mark.parametrize(
    ("shape", "kernel", "reached"), [((84, 84), (27, 27), 196), ((8192,), (513,), 513)]
)
def test_one_nan_in_a_large_array_of_ones(shape, kernel, reached):
    x = np.ones(shape)
    x[(0,) * (len(shape) - 1) + (shape[-1] // 2,)] = np.nan
    padding = kernel[0] // 2
    if len(shape) == 2:
        x = np.ones(shape)
        x[0, 0] = np.nan
    assert mtconv.explain(shape, kernel, dtype="float64").plan.algorithm == "fft"
    result = mtconv.conv_transpose(x, np.ones(kernel), padding=padding)
    assert np.isnan(result).sum() == reached


def test_whole_pictures_in_single_precision_are_exact_and_adjoint():
    rng = np.random.default_rng(0)
    x, y = rng.integers(-9, 10, (2, 84, 84)).astype(np.float32)
    kernel = rng.integers(-9, 10, (27, 27)).astype(np.float32)
    forward = mtconv.conv(y, kernel, padding=13)
    back = mtconv.conv_transpose(x, kernel, padding=13)
    assert float((forward * x).sum(dtype=float)) == float((y * back).sum(dtype=float))
    row = sum(
        float(y[40 + i - 13, 40 + j - 13] * kernel[i, j])
        for i in range(27)
        for j in range(27)
    )
    assert forward[40, 40] == row


def test_a_blur_of_counts_has_no_negative_element():
    counts = np.random.default_rng(0).poisson(0.02, (128, 128)).astype(float)
    steps = np.linspace(-3, 3, 31)
    kernel = np.exp(-(steps[:, None] ** 2) - steps**2)
    assert mtconv.explain((128, 128), (31, 31), dtype="float64").plan.algorithm == "fft"
    operator = mtconv.Conv(kernel, input_size=(128, 128), padding=15)
    for blurred in (operator(counts), operator.T(counts)):
        assert blurred.min() >= 0
        assert np.isfinite(counts * np.log(blurred + 1e-300)).all()


def test_spectra_of_finite_values_do_not_overflow():
    x, kernel = np.full((84, 84), 1e306), np.full((27, 27), 1e-3)
    assert np.isfinite(mtconv.conv_transpose(x, kernel)).all()
    assert np.isfinite(mtconv.conv(x, kernel)).all()


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e38), ("float64", 1e200)])
@pytest.mark.parametrize("form", FORMS)
def test_one_product_that_overflows_reaches_one_element(form, dtype, size):
    """Its rounding error would make all of them infinite."""
    rng = np.random.default_rng(0)
    shapes = {
        "conv_transpose": ((84, 84), (27, 27)),
        "conv": ((110, 110), (27, 27)),
        "kernel_grad": ((84, 84), (110, 110)),
    }
    first, second = (rng.standard_normal(n).astype(dtype) for n in shapes[form])
    first[30, 40], second[5, 6] = size, size
    options = {"kernel_size": (27, 27)} if form == "kernel_grad" else {}
    with np.errstate(over="ignore"):
        result = getattr(mtconv, form)(first, second, **options)
        exact = getattr(mtconv, form)(first, second, algorithm="direct", **options)
    assert np.array_equal(np.isfinite(result), np.isfinite(exact))


# ------------------------------------------------------------------ what values are like


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -3.0], (False, 3.0, False, True, 10**0.5)),
        ([0.0, 2.5], (False, 2.5, True, False, 0.0)),
        ([np.nan, 4.0], (True, 4.0, True, True, 4.0)),
        ([np.nan, np.nan], (True, 0.0, True, True, 0.0)),
        ([1.0, -np.inf], (False, np.inf, False, False, np.inf)),
        ([3 + 4j], (False, 4.0, False, True, 5.0)),
        ([2.0**53 - 1, 0], (False, 2.0**53 - 1, True, True, 2.0**53 - 1)),
        ([0, -(2.0**53)], (False, 2.0**53, False, False, 0.0)),
        ([1e24, np.nan], (True, 1e24, True, False, 0.0)),
    ],
)
def test_traits_of_an_array(values, expected):
    assert traits(np.array(values)) == expected


def test_traits_of_brain_floats():
    pytest.importorskip("ml_dtypes")
    assert traits(np.array([1, 2.5], "bfloat16")) == (False, 2.5, True, False, 0.0)


@pytest.mark.parametrize("shape", [(3, 2**15), (2**16 + 3,), (2, 3, 2**14), (1, 1, 2**17)])
def test_the_last_element_of_a_large_array_counts(shape):
    array = np.zeros(shape, np.float32)
    array[(-1,) * len(shape)] = 0.5
    assert traits(array)[1:] == (0.5, True, False, 0.0)
    assert traits(array.T) == traits(array[..., ::-1])


@pytest.mark.parametrize(
    "values",
    [
        [3.0, 0.0, 1.0, 4.0],
        [3.0, 0.0, 1.0, -4.0],
        [np.nan, 2.0, 1.0, 0.5],
        [1.0, 2.0, np.nan, np.nan],
        [1.0, 0.5, np.inf, np.nan],
        [1 - 2j, 2, 3j, 0],
        [2.0**53, 1.0, 1.0, 1.0],
    ],
)
def test_traits_of_parts_are_those_of_the_array(values):
    array = np.array(values)
    whole, parts = traits(array), (traits(array[2:]), traits(array[:2]))
    got = joined(parts)
    assert got.largest == whole.largest
    if whole.largest < np.inf:
        assert got[:4] == whole[:4]
    if whole.whole:
        assert np.isclose(got.norm, whole.norm, rtol=1e-15)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ([1.0, np.nan], [1.0], False),
        ([1.0], [1.0, np.nan], True),  # NaN of a kernel
        ([1.0, np.inf], [1.0], True),
        ([2.0**52], [2.0**52], True),  # whole numbers too large to be rounded to
        ([2.0**53], [2.0**52], False),  # from here on all numbers are whole
        ([1e24] * 5, [1e24], False),
        ([2.0**60 + 0.5, 0.5], [0.5], False),
    ],
)
def test_values_that_need_an_exact_algorithm(first, second, refused):
    chosen = promises.careful("conv", np.array(first), np.array(second), "float64")
    assert (chosen is None) == refused


@pytest.mark.parametrize(("folds", "largest"), [(1, 5_717_898_241), (4, 2_858_949_120)])
def test_whole_numbers_are_rounded_to_where_the_error_is_below_a_quarter(folds, largest):
    """Products of the norms below 2**53 / 4 / (300 + 3 * 2**16) / 2, by hand.

    The kernel has three times the taps that are transformed at a time: the root of 1 + 3
    is 2, as is that of 4 folds.
    """
    kernel = np.zeros(3 * 2**16)
    kernel[5] = 1
    for first, refused in ((largest, False), (largest + 1, True)):
        x = np.array([float(first)])
        chosen = promises.careful("conv", x, kernel, "float64", folds)
        assert (chosen is None) == refused


def test_an_error_of_a_quarter_is_too_large():
    """2**41 * (300 + 212) * 2 / 2**53; no side is longer than the 212 of x."""
    x, kernel = np.zeros(212), np.zeros((128, 128, 12))
    x[0], kernel[0, 0, 0] = 2.0**41, 1
    assert promises.careful("conv", x, kernel, "float64") is None
    x[0] -= 1
    assert promises.careful("conv", x, kernel, "float64") is not None


@pytest.mark.parametrize(
    ("first", "second", "plain"),
    [
        (1e-130, 1e-110, True),
        (1e-130, 1e-130, False),  # the product is small
        (1e130, 1e110, True),
        (1e130, 1e130, False),
        (1e-260, 1e100, False),
        (1e100, 1e-260, False),
        (1e260, 1e-100, False),
        (1e-100, 1e260, False),
        (0.5, 0, True),
        (0, 1e-260, True),
    ],
)
def test_values_are_scaled_where_spectra_could_overflow_or_vanish(first, second, plain):
    chosen = promises.careful("conv", np.array([first]), np.array([second]), "float64")
    assert chosen.plain == plain


@pytest.mark.parametrize(
    ("dtype", "left", "least"),
    [
        ("float16", -1, 15),
        ("float32", 100, 127),
        ("complex64", 100, 127),
        ("float64", 100, 1023),
    ],
)
@pytest.mark.parametrize(("size", "folds", "root"), [(1, 1, 0), (4, 1, 2), (1, 4, 2)])
def test_errors_that_could_overflow_are_refused(dtype, left, least, size, folds, root):
    """An error is 2**-44 of the largest product times the root of sizes and folds."""
    first = np.full(size, 2.0**left)
    for exponent, refused in ((least, True), (least - 1, False)):
        second = np.full(size, 2.0 ** (exponent + 44 - root - left))
        chosen = promises.careful("conv", first, second, dtype, folds)
        assert (chosen is None) == refused


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_double_precision_is_as_accurate_as_documented(form, dtype):
    """Within 2**-44 of the product of the norms."""

    def values(rng, shape):
        return rng.standard_normal(shape).astype(dtype) * 10.0 ** rng.uniform(-9, 9, shape)

    for first, second, options in problems(form, 7, 60, values):
        expected = REFERENCES[form](first, second, **options)
        error = abs(by_fft(form, first, second, **options) - expected).max(initial=0)
        assert error <= 2.0**-44 * np.linalg.norm(first) * np.linalg.norm(second)


@pytest.mark.parametrize("mode", ["replicate", "circular"])
def test_what_folds_adds_its_errors(mode):
    rng = np.random.default_rng(0)
    x, kernel = rng.random((40, 40)), rng.random((5, 5))
    options = {"padding": 16, "padding_mode": mode, "output_size": (12, 12)}
    padded = reference_conv_transpose(x, kernel)
    folded = by_fft("conv_transpose", x, kernel, **options)
    source = np.pad(np.arange(12), 16, {"replicate": "edge", "circular": "wrap"}[mode])
    expected = np.zeros((12, 12), np.longdouble)
    np.add.at(expected, np.ix_(source, source), padded)
    folds = np.bincount(source).max() ** 2
    bound = 2.0**-44 * np.linalg.norm(x) * np.linalg.norm(kernel)
    assert abs(folded - expected).max() <= folds * bound
