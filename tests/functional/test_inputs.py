"""Arrays as users have them: any order, any strides, read-only, empty, of either endian."""

import numpy as np
import pytest

import mtconv
from mtconv.planning.plan import plan_for, plan_for_spec
from mtconv.testing import reference_conv_transpose

X = np.arange(1.0, 61).reshape(2, 3, 10)
KERNEL = np.arange(-9.0, 9).reshape(3, 2, 3)
OPTIONS = {"stride": 2, "padding": 1, "output_padding": 1}
EXPECTED = reference_conv_transpose(X, KERNEL, **OPTIONS)


def fortran(a):
    return np.asfortranarray(a)


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def negative_strides(a):
    return a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]


def every_second(a):
    wide = np.full(tuple(2 * n for n in a.shape), np.nan)
    wide[::2, ::2, ::2] = a
    return wide[::2, ::2, ::2]


def transposed(a):
    return a.transpose(2, 0, 1).copy().transpose(1, 2, 0)


def big_endian(a):
    return a.astype(">f8")


def unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[:] = a
    return view


FORMS = (
    fortran,
    read_only,
    negative_strides,
    every_second,
    transposed,
    big_endian,
    unaligned,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_any_memory_order_gives_the_same(engine, form, same):
    x, kernel = form(X), form(KERNEL)
    copies = x.copy(), kernel.copy()
    got = engine.conv_transpose(x, kernel, **OPTIONS)
    same(got, EXPECTED)
    assert got.dtype == np.float64
    assert got.dtype.isnative
    same(x, copies[0])
    same(kernel, copies[1])


def test_broadcast_arrays_are_read_as_what_they_show(engine, same):
    x = np.broadcast_to(X[:1], X.shape)
    same(
        engine.conv_transpose(x, KERNEL),
        reference_conv_transpose(np.array(x), KERNEL),
    )


def test_all_three_maps_leave_their_arguments_alone(engine):
    y = np.arange(80.0).reshape(2, 2, 20)
    arrays = X.copy(), KERNEL.copy(), y.copy(), np.array([1.0, 2.0])
    for array in arrays:
        array.flags.writeable = False
    x, kernel, y, bias = arrays
    engine.conv_transpose(x, kernel, bias, **OPTIONS)
    engine.conv(y, kernel, np.array([1.0, 2.0, 3.0]), stride=2, padding=1)
    engine.kernel_grad(x, y, kernel_size=3, stride=2, padding=1)


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct", "fft"])
def test_the_result_is_a_new_array(algorithm):
    # Even where a kernel of one tap makes the result equal to x.
    x = np.arange(4.0)
    got = mtconv.conv_transpose(x, [1.0], algorithm=algorithm)
    assert not np.shares_memory(got, x)
    assert got.flags.writeable
    assert got.flags.c_contiguous
    got[:] = -1
    assert x.tolist() == [0, 1, 2, 3]


def test_the_same_array_may_come_twice(engine):
    a = np.arange(1.0, 4)
    assert engine.conv_transpose(a, a).tolist() == [1, 4, 10, 12, 9]


@pytest.mark.parametrize(
    ("x", "kernel", "result"),
    [
        ((0, 3, 4), (3, 2, 3), (0, 2, 6)),  # no items
        ((2, 0, 4), (0, 2, 3), (2, 2, 6)),  # no input channels: an empty sum
        ((2, 3, 4), (3, 0, 3), (2, 0, 6)),  # no output channels
        ((0, 4), (0, 2, 3), (2, 6)),
    ],
)
def test_empty_batches_and_channels(engine, x, kernel, result):
    got = engine.conv_transpose(np.ones(x), np.ones(kernel))
    assert got.shape == result
    assert not got.any()
    back = engine.conv(np.ones(result), np.ones(kernel))
    assert back.shape == x
    assert not back.any() or kernel[1]
    dw = engine.kernel_grad(np.ones(x), np.ones(result), kernel_size=(3,))
    assert dw.shape == kernel
    assert not dw.any() or x[0]


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct", "fft"])
def test_a_step_that_is_never_taken_may_be_of_any_length(algorithm):
    # One place for the kernel, whatever the stride; one tap, whatever the dilation.
    x, kernel = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6]])
    options = {"stride": (2**70, 2**80), "dilation": (2**90, 1), "algorithm": algorithm}
    np.testing.assert_allclose(mtconv.conv(x, kernel, **options), [[17]])


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct", "fft"])
def test_an_empty_result_is_not_worked_on(algorithm):
    # A million million cells of nothing, at once.
    x, kernel = np.ones((0, 1, 2)), np.ones((1, 1, 2))
    got = mtconv.conv_transpose(x, kernel, stride=10**12, algorithm=algorithm)
    assert got.shape == (0, 1, 10**12 + 2)


def test_no_input_channels_leave_the_bias(engine):
    got = engine.conv_transpose(
        np.ones((1, 0, 2)), np.ones((0, 2, 1)), np.array([5.0, 6.0])
    )
    assert got.tolist() == [[[5, 5], [6, 6]]]


def test_cells_that_no_tap_reaches_are_zero_plus_bias(engine):
    got = engine.conv_transpose(
        np.ones((1, 1, 2)), np.ones((1, 1, 1)), np.array([7.0]), stride=3, padding=-1
    )
    assert got.tolist() == [[[7, 8, 7, 7, 8, 7]]]


def test_numpy_integers_and_lists_are_options(engine, same):
    got = engine.conv_transpose(
        X, KERNEL, stride=np.int8(2), padding=(np.int64(1),), output_padding=(1,)
    )
    same(got, EXPECTED)


@pytest.mark.parametrize(
    "padding", [[1], [[1, 1]], ((1, 1),), np.array([1]), np.array([[1, 1]]), [np.int8(1)]]
)
def test_every_way_to_write_a_padding(padding):
    got = mtconv.conv_transpose(X, KERNEL, stride=[2], padding=padding, output_padding=1)
    np.testing.assert_array_equal(got, EXPECTED)


@pytest.mark.parametrize(
    ("form", "second", "options"),
    [
        ("conv_transpose", "kernel", {}),
        ("conv", "kernel", {}),
        ("kernel_grad", "y", {"kernel_size": (1,)}),
    ],
)
def test_errors_call_the_arrays_what_each_function_calls_them(form, second, options):
    function = getattr(mtconv, form)
    with pytest.raises(mtconv.BackendError, match="`x` must have integer"):
        function(["a"], [1.0], **options)
    with pytest.raises(mtconv.BackendError, match=f"`{second}` must have integer"):
        function([1.0], ["a"], **options)


class Unhashable(str):
    """A word that no cache can hold."""

    __hash__ = None


@pytest.mark.parametrize("word", ["Auto", "aut", "autos", "zzz", "", Unhashable("zzz"), 5])
def test_a_wrong_algorithm_is_refused_before_the_arrays_are_looked_at(word):
    """Whatever it is: in the order of words before or after one that there is."""
    with pytest.raises(mtconv.GeometryError, match="`algorithm` must be one of 'auto', "):
        mtconv.conv_transpose(object(), KERNEL, algorithm=word)


@pytest.mark.parametrize("word", ["auto", "exact", "gemm"])
def test_an_algorithm_may_be_any_kind_of_string(word):
    got = mtconv.conv_transpose(X, KERNEL, algorithm=Unhashable(word), **OPTIONS)
    np.testing.assert_array_equal(got, EXPECTED)


@pytest.mark.parametrize("cached", [plan_for, plan_for_spec])
def test_a_call_like_one_before_makes_no_plan_of_its_own(cached):
    spec = mtconv.ConvSpec.from_shapes(X.shape, KERNEL.shape, **OPTIONS)
    calls = {
        plan_for: lambda: mtconv.conv_transpose(X, KERNEL, **OPTIONS),
        plan_for_spec: lambda: spec.conv_transpose(X, KERNEL),
    }
    calls[cached]()
    before = cached.cache_info()
    calls[cached]()
    after = cached.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
