"""Arrays of the Array API standard, judged by its strict implementation and NumPy."""

from __future__ import annotations

import array_api_strict as xp
import numpy as np
import pytest
from hypothesis import given, settings

import mtconv
from mtconv.backends._array_api.library import Library
from mtconv.strategies import Case, problems

EVERYTHING = problems(
    layouts=True,
    padding_modes=("zeros", "circular", "reflect", "replicate", "symmetric"),
    dtypes=("int64", "int32", "float32", "float64", "complex128"),
)


def same(got: object, expected: np.ndarray) -> None:
    assert str(got.dtype).rpartition(".")[2] == expected.dtype.name
    assert got.shape == expected.shape
    assert (np.asarray(got) == expected).all()


@settings(max_examples=500, deadline=None)
@given(EVERYTHING)
def test_all_three_maps_equal_numpy(case: Case) -> None:
    x, w, y = (xp.asarray(a) for a in (case.x, case.kernel, case.y))
    bias = None if case.bias is None else xp.asarray(case.bias)
    same(
        mtconv.conv_transpose(x, w, bias, **case.options),
        mtconv.conv_transpose(
            case.x, case.kernel, case.bias, algorithm="direct", **case.options
        ),
    )
    same(
        mtconv.conv(y, w, **case.conv_options),
        mtconv.conv(case.y, case.kernel, algorithm="direct", **case.conv_options),
    )
    same(
        mtconv.kernel_grad(x, y, **case.grad_options),
        mtconv.kernel_grad(case.x, case.y, algorithm="direct", **case.grad_options),
    )


def test_four_spatial_axes() -> None:
    x = np.arange(2 * 2 * 3 * 2 * 2).reshape(1, 2, 2, 3, 2, 2)[:, :, :, ::-1]
    w = np.arange(2 * 3 * 2 * 1 * 3 * 2).reshape(2, 3, 2, 1, 3, 2)
    options = {"stride": (2, 1, 3, 2), "padding": (1, 0, 1, 0), "dilation": (1, 1, 2, 3)}
    same(
        mtconv.conv_transpose(xp.asarray(x), xp.asarray(w), **options),
        mtconv.conv_transpose(x, w, algorithm="direct", **options),
    )


def test_numpy_arrays_and_lists_follow_to_the_device_of_the_other() -> None:
    device = xp.Device("device1")
    x = xp.asarray([1, 2, 3], device=device)
    expected = np.array([1, 10, 102, 20, 203, 30, 300])
    for kernel in (np.array([1, 10, 100]), [1, 10, 100]):
        got = mtconv.conv_transpose(x, kernel, stride=2)
        assert got.device == device
        same(xp.asarray(got, device=xp.Device("CPU_DEVICE")), expected)


def test_the_backend_name_runs_the_standard_form_on_numpy_arrays() -> None:
    got = mtconv.conv_transpose([1, 2], [1, 10], backend="array_api")
    assert type(got) is np.ndarray
    assert got.tolist() == [1, 12, 20]


def test_two_libraries_are_refused_by_name() -> None:
    import jax.numpy as jnp

    with pytest.raises(mtconv.BackendError, match="x of array_api_strict, kernel of jax"):
        mtconv.conv_transpose(xp.asarray([1.0]), jnp.ones(1))


def test_what_the_library_does_not_promote_is_a_backend_error() -> None:
    with pytest.raises(mtconv.BackendError, match="int64 and float32"):
        mtconv.conv_transpose(xp.asarray([1, 2]), xp.asarray([1.0, 2.0], dtype=xp.float32))


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("sign", ["", "u"])
def test_integers_of_every_width_are_taken(sign: str, bits: int) -> None:
    dtype = f"{sign}int{bits}"
    x, w = (xp.asarray(a, dtype=getattr(xp, dtype)) for a in ([1, 2], [1, 10]))
    same(mtconv.conv_transpose(x, w), np.array([1, 12, 20], dtype))


def test_booleans_are_refused() -> None:
    with pytest.raises(mtconv.BackendError, match="`x` must have integer"):
        mtconv.conv_transpose(xp.asarray([True]), xp.asarray([1]))


def test_nothing_not_finite_reaches_other_cells_of_x() -> None:
    x = np.array([1.0, np.nan, 2.0, np.inf])
    got = mtconv.conv_transpose(xp.asarray(x), xp.asarray([1.0, 2.0, 3.0]), stride=2)
    expected = [1, 2, np.nan, np.nan, np.nan, 4, np.inf, np.inf, np.inf]
    np.testing.assert_array_equal(np.asarray(got), expected)


@pytest.mark.parametrize(
    "options",
    [{"stride": 2, "padding": 1}, {"stride": (4, 2), "padding": 1}],
)
def test_cells_in_even_steps_need_no_index(
    options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index is made on the host: on a GPU it would travel to the device."""
    x = np.arange(24).reshape(1, 2, 3, 4)
    w = np.arange(2 * 3 * 4 * 2).reshape(2, 3, 4, 2)
    y = np.arange(3 * 40 * 40).reshape(1, 3, 40, 40)
    size = mtconv.conv_transpose_shape(x.shape, w.shape, **options)[2:]
    y = y[:, :, : size[0], : size[1]].copy()
    maps = [
        (mtconv.conv_transpose, (x, w), {}),
        (mtconv.conv, (y, w), {}),
        (mtconv.kernel_grad, (x, y), {"kernel_size": (4, 2)}),
    ]
    for function, arrays, extra in maps:
        expected = function(*arrays, algorithm="direct", **options, **extra)
        own = tuple(xp.asarray(array) for array in arrays)
        with monkeypatch.context() as patch:
            patch.setattr(Library, "from_numpy", lambda *_: pytest.fail("index made"))
            got = function(*own, **options, **extra)
        same(got, expected)
