"""What callers hand to JAX: integers beyond 32 bits, float64 without them, precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import mtconv
from mtconv.compat import torch as compat_torch

FIX = 'Call jax.config.update("jax_enable_x64", True), or convert them to float.'
WIDE = 2**40


def text(place: str, got: object, kind: str = "int32") -> str:
    return (
        f"{place} must have integers that fit {kind}, the widest of their kind while "
        f"jax_enable_x64 is off; got {got}. {FIX}"
    )


@pytest.fixture
def narrow() -> Iterator[None]:
    """Switch 64 bits off, as they are unless a user switches them on."""
    with jax.enable_x64(False):
        yield


def small(*values: int) -> jax.Array:
    return jnp.array(values, jnp.int32)


def bias_call(bias: Any) -> Any:
    return mtconv.conv_transpose(jnp.ones((1, 1, 2), int), jnp.ones((1, 1, 2), int), bias)


SPEC = mtconv.ConvSpec.from_shapes((2,), (2,))
CALLS: dict[str, Callable[[Any], Any]] = {
    "conv_transpose: `x`": lambda a: mtconv.conv_transpose(a, small(1, 2)),
    "conv_transpose: `kernel`": lambda a: mtconv.conv_transpose(small(1, 2), a),
    "conv_transpose: `bias`": lambda a: bias_call(a[:1]),
    "conv: `x`": lambda a: mtconv.conv(a, [1], backend="jax"),
    "conv: `kernel`": lambda a: mtconv.conv([1, 2, 3], a, backend="jax"),
    "kernel_grad: `x`": lambda a: mtconv.kernel_grad(a, small(1, 2, 3), kernel_size=(2,)),
    "kernel_grad: `y`": lambda a: mtconv.kernel_grad(small(1), a, kernel_size=(2,)),
    "Conv: `kernel`": lambda a: mtconv.Conv(a, 3, backend="jax"),
    "ConvTranspose: `kernel`": lambda a: mtconv.ConvTranspose(a, 3, backend="jax"),
    "Conv: `x`": lambda a: mtconv.Conv(small(1), 2)(a),
}
MORE_CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "a kernel of NumPy in an operator": (
        "conv: `kernel`",
        lambda a: mtconv.Conv(a, 3)(small(1, 2, 3)),
    ),
    "its transpose": (
        "conv_transpose: `kernel`",
        lambda a: mtconv.Conv(a, 3).T(small(1, 2)),
    ),
    "an operator that is compiled": (
        "Conv: `kernel`",
        lambda a: jax.jit(lambda A, x: A(x))(mtconv.Conv(np.array(a), 3), small(1, 2, 3)),
    ),
    "a closure that is compiled": (
        "conv_transpose: `kernel`",
        lambda a: jax.jit(lambda x: mtconv.conv_transpose(x, a))(small(1, 2)),
    ),
    "a spec": ("conv_transpose: `kernel`", lambda a: SPEC.conv_transpose(small(1, 2), a)),
    "another framework's call": (
        "torch.conv1d: `weight`",
        lambda a: compat_torch.conv1d(
            jnp.ones((1, 1, 2), int), np.array(a).reshape(1, 1, 2)
        ),
    ),
    "a sparse matrix of JAX": (
        "to_sparse: `kernel`",
        lambda a: mtconv.Conv(np.array(a), 3).to_sparse("bcoo"),
    ),
}
TOO_WIDE = {
    "int64": (np.array([WIDE, 1]), WIDE, "int32"),
    "negative": (np.array([1, -(2**31) - 1]), -(2**31) - 1, "int32"),
    "just above": (np.array([2**31, 1]), 2**31, "int32"),
    "uint64": (np.array([2**32, 1], np.uint64), 2**32, "uint32"),
    "big-endian": (np.array([WIDE, 1], ">i8"), WIDE, "int32"),
    "list": ([WIDE, 1], WIDE, "int32"),
    "tuple": ((1, -WIDE), -WIDE, "int32"),
    "list of NumPy's": ([np.int64(1), np.int64(WIDE)], WIDE, "int32"),
    "beyond 64 bits": ([1, 2**70], 2**70, "int32"),
}


@pytest.mark.usefixtures("narrow")
class TestWithout64Bits:
    @pytest.mark.parametrize("place", CALLS)
    @pytest.mark.parametrize("case", TOO_WIDE)
    def test_integers_that_do_not_fit(self, place: str, case: str) -> None:
        array, got, kind = TOO_WIDE[case]
        if place.endswith("`bias`"):
            array = array[::-1] if array[0] == 1 else array
        with pytest.raises(mtconv.BackendError) as error:
            CALLS[place](array)
        assert str(error.value) == text(place, got, kind)

    @pytest.mark.parametrize("case", MORE_CALLS)
    def test_every_way_into_jax(self, case: str) -> None:
        place, call = MORE_CALLS[case]
        with pytest.raises(mtconv.BackendError) as error:
            call(np.array([WIDE, 1]))
        assert str(error.value) == text(place, WIDE)

    @pytest.mark.parametrize(
        ("kernel", "dtype"),
        [
            (np.array([2**31 - 1, -(2**31)]), "int32"),
            ([2**31 - 1, -(2**31)], "int32"),
            (np.array([2**32 - 1, 5], np.uint64), "uint32"),
            (np.array([7, 1], ">i8"), "int32"),
            (np.zeros(2, np.int8), "int8"),
        ],
    )
    def test_integers_that_fit(self, kernel: Any, dtype: str) -> None:
        got = mtconv.conv_transpose(jnp.array([1], dtype), kernel)
        assert got.dtype == dtype
        assert got.tolist() == np.array(kernel).tolist()

    @pytest.mark.parametrize("signed", ["int8", "int16", "int32", "int64"])
    def test_integers_that_do_not_fit_the_promoted_dtype(self, signed: str) -> None:
        """uint32 and int32 make int64, which is int32 here."""
        unsigned, x = np.array([2**32 - 1, 5], np.uint64), np.array([-1, 2], signed)
        for call, place in (
            (lambda: mtconv.conv_transpose(jnp.asarray(x), unsigned), "`kernel`"),
            (lambda: mtconv.conv_transpose(unsigned, x, backend="jax"), "`x`"),
        ):
            with pytest.raises(mtconv.BackendError) as error:
                call()
            assert str(error.value) == text(f"conv_transpose: {place}", 2**32 - 1)
        got = mtconv.conv_transpose(
            jnp.asarray(x), np.array([2**31 - 2, 5], np.uint64) // 2
        )
        assert got.dtype == "int32"
        assert got.tolist() == [1 - 2**30, 2**31 - 2 - 2, 4]

    def test_no_integers_at_all(self) -> None:
        x = jnp.ones((0, 1, 2), jnp.int32)
        got = mtconv.conv_transpose(x, np.ones((1, 0, 2), np.int64))
        assert got.shape == (0, 0, 3)
        assert got.dtype == "int32"

    def test_float64_becomes_float32(self) -> None:
        kernel = np.array([2.0**24 + 1, 0.5])
        got = mtconv.conv_transpose(jnp.array([1.0]), kernel)
        assert got.dtype == "float32"
        assert got.tolist() == [2.0**24, 0.5]
        assert mtconv.conv_transpose([1.5, WIDE], [1], backend="jax").tolist() == [
            1.5,
            WIDE,
        ]
        got = mtconv.conv_transpose(jnp.ones(1), np.array([1j, 2**24 + 1.0]))
        assert got.dtype == "complex64"
        assert got.tolist() == [1j, 2.0**24]

    @pytest.mark.filterwarnings("ignore:overflow encountered in cast")
    def test_float64_beyond_float32_is_infinite(self) -> None:
        got = mtconv.conv_transpose(np.array([1e300, -1e300, 1.0]), jnp.array([1.0]))
        assert got.tolist() == [np.inf, -np.inf, 1]


class TestArraysMadeWith64Bits:
    """JAX keeps them, and cuts them off in the first operation without 64 bits."""

    def test_values_are_asked(self) -> None:
        wide, fits = jnp.array([WIDE, 1]), jnp.array([7, 1])
        assert wide.dtype == fits.dtype == "int64"
        with jax.enable_x64(False):
            with pytest.raises(mtconv.BackendError) as error:
                mtconv.conv_transpose(wide, [1, 1])
            assert str(error.value) == text("conv_transpose: `x`", WIDE)
            got = mtconv.conv_transpose(fits, [1, 10])
        assert got.dtype == "int32"
        assert got.tolist() == [7, 71, 10]

    def test_traced_values_are_unknown(self) -> None:
        fits = jnp.array([7, 1])
        with jax.enable_x64(False), pytest.raises(mtconv.BackendError) as error:
            jax.jit(lambda x: mtconv.conv_transpose(x, [1, 1]))(fits)
        assert str(error.value) == text("conv_transpose: `x`", "traced integers of int64")


def test_integers_of_64_bits_where_jax_has_them() -> None:
    got = mtconv.conv_transpose(jnp.array([1, 2], jnp.int32), np.array([WIDE, 1]))
    assert got.tolist() == [WIDE, 2 * WIDE + 1, 2]
    unsigned = np.array([2**64 - 1, 1], np.uint64)
    lone = jnp.array([1], jnp.uint64)
    assert mtconv.conv(unsigned, lone).tolist() == [2**64 - 1, 1]
    mixed = mtconv.conv(np.array([2**32 - 1], np.uint32), jnp.array([-1], jnp.int32))
    assert mixed.tolist() == [1 - 2**32]


def test_integers_beyond_64_bits() -> None:
    with pytest.raises(mtconv.BackendError) as error:
        mtconv.conv(jnp.array([1, 2]), [2**63])
    assert str(error.value) == (
        f"conv: `kernel` must have integers that fit int64; got {2**63}. "
        "Convert them to float first."
    )


PRECISION_RULE = (
    "`precision` must be None, 'default', 'high', 'highest' or another precision of "
    "jax.lax.dot_general: a jax.lax.Precision, two of them, or a DotAlgorithm"
)
FORMS: dict[str, Callable[[Any], Any]] = {
    "conv_transpose": lambda p: mtconv.conv_transpose([1], [2], backend="jax", precision=p),
    "conv": lambda p: mtconv.Conv([2], 1, backend="jax", precision=p)([1]),
    "kernel_grad": lambda p: mtconv.kernel_grad(
        [1], [2], kernel_size=(1,), backend="jax", precision=p
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("precision", "got"),
    [
        ({}, "{} of type dict"),
        ([], "[] of type list"),
        (["high"], "['high'] of type list"),
        ({"high"}, "{'high'} of type set"),
        ("junk", "'junk' of type str"),
        ("HIGHEST", "'HIGHEST' of type str"),
        (3, "3 of type int"),
        (2, "2 of type int"),
        (True, "True of type bool"),
        (("high", None), "('high', None) of type tuple"),
        (np.array([1, 2]), "array([1, 2]) of type ndarray"),
    ],
)
def test_what_is_no_precision(form: str, precision: Any, got: str) -> None:
    with pytest.raises(mtconv.BackendError) as error:
        FORMS[form](precision)
    assert str(error.value) == f"{form}: {PRECISION_RULE}; got {got}."


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "precision",
    [
        None,
        "default",
        "highest",
        "fastest",
        "float32",
        lax.Precision.HIGH,
        ["high", "highest"],
        ("default", lax.Precision.HIGHEST),
        lax.DotAlgorithmPreset.F32_F32_F32,
        "F32_F32_F32",
    ],
)
def test_precisions_of_jax(form: str, precision: Any) -> None:
    assert FORMS[form](precision).tolist() == [2]


@pytest.mark.parametrize("precision", [{}, "junk", [2]])
def test_other_backends_do_not_ask(precision: Any) -> None:
    assert mtconv.conv([1], [2], precision=precision).tolist() == [2]


@pytest.mark.parametrize(
    "option", ["stride", "dilation", "padding", "output_padding", "output_size", "groups"]
)
@pytest.mark.parametrize(
    "boolean", [jnp.array(True), np.array(True), np.True_], ids=["jax", "0-d", "scalar"]
)
def test_booleans_are_no_integers(option: str, boolean: Any) -> None:
    with pytest.raises(mtconv.GeometryError, match=f"`{option}` must be an integer"):
        mtconv.conv_transpose([1, 2], [1, 2], **{option: boolean})
    if option != "groups":
        with pytest.raises(mtconv.GeometryError, match="on axis number 0"):
            mtconv.conv_transpose([1, 2], [1, 2], **{option: [boolean]})


@pytest.mark.parametrize("size", [jnp.array(True), [np.array(True)], np.array([True])])
def test_booleans_are_no_sizes(size: Any) -> None:
    with pytest.raises(mtconv.GeometryError, match="`kernel_size` must be an integer"):
        mtconv.kernel_grad([1, 2], [1, 2], kernel_size=size)
    with pytest.raises(mtconv.GeometryError, match="`input_size` must be an integer"):
        mtconv.Conv([1, 2], input_size=size)
