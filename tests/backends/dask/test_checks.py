"""Chunks of Dask arrays that are masked, or not what their array says they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mtconv

pytest.importorskip("dask.array")

import dask.array as da

from mtconv.backends._dask.checks import check_chunk
from tests.backends.dask.small_arrays import BIAS, KERNEL, X, Y

pytestmark = pytest.mark.usefixtures("in_this_thread")


Change = Callable[[np.ndarray], Any]

FILL = "Use dask.array.ma.filled(array, 0) first; a mask would be lost."
META = "Pass the right meta= to map_blocks, or whatever made the chunks."
DTYPE = "Pass the right dtype= to map_blocks, or whatever made the chunks."
WRONG: dict[str, tuple[Change, str]] = {
    "masked": (
        lambda c: np.ma.array(c, mask=c == 2),
        f"must have chunks that are plain arrays; got chunks of MaskedArray. {FILL}",
    ),
    "masked, without a mask": (
        np.ma.asarray,
        f"must have chunks that are plain arrays; got chunks of MaskedArray. {FILL}",
    ),
    "list": (
        lambda c: c.tolist(),
        f"must have chunks of numpy, as its meta says; got a chunk of list. {META}",
    ),
    "booleans": (
        lambda c: c > 1,
        "must have integer, floating or complex elements; got dtype bool. Convert it, for "
        "example with .astype(float).",
    ),
    "fractions": (
        lambda c: c / 2,
        "must have chunks of dtype int64, as it says; got a chunk of dtype float64. "
        + DTYPE,
    ),
    "unsigned": (
        lambda c: c.astype("u8"),
        "must have chunks of dtype int64, as it says; got a chunk of dtype uint64. "
        + DTYPE,
    ),
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "conv_transpose: `x`": lambda odd: mtconv.conv_transpose(odd(X), KERNEL),
    "conv_transpose: `kernel`": lambda odd: mtconv.conv_transpose(X, odd(KERNEL)),
    "conv_transpose: `bias`": lambda odd: mtconv.conv_transpose(
        da.from_array(X), KERNEL, odd(BIAS)
    ),
    "conv: `x`": lambda odd: mtconv.conv(odd(Y), KERNEL, padding=1, padding_mode="reflect"),
    "conv: `kernel`": lambda odd: mtconv.conv(Y, odd(KERNEL)),
    "kernel_grad: `x`": lambda odd: mtconv.kernel_grad(odd(X), Y, kernel_size=2),
    "kernel_grad: `y`": lambda odd: mtconv.kernel_grad(X, odd(Y), kernel_size=2),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("size", [1, -1])
def test_chunks_that_are_not_what_was_said(call: str, wrong: str, size: int) -> None:
    """Nothing is known before chunks are computed: the call itself takes the array."""
    change, text = WRONG[wrong]

    def odd(array: np.ndarray) -> da.Array:
        lazy = da.from_array(array, chunks=size)
        return lazy.map_blocks(change, dtype=array.dtype, meta=np.empty(0, int))

    result = CALLS[call](odd)
    with pytest.raises(mtconv.BackendError) as error:
        result.compute()
    assert str(error.value) == f"{call} {text}"


@pytest.mark.parametrize("call", CALLS)
def test_masked_chunks_are_refused_before_they_are_computed(call: str) -> None:
    def masked(array: np.ndarray) -> da.Array:
        return da.from_array(np.ma.array(array, mask=array == 2), chunks=1)

    with pytest.raises(mtconv.BackendError) as error:
        CALLS[call](masked)
    rule = "must have chunks that are plain arrays; got chunks of MaskedArray."
    assert str(error.value) == f"{call} {rule} {FILL}"
    filled = CALLS[call](lambda array: da.ma.filled(masked(array), 0))
    zeros = CALLS[call](lambda array: np.where(array == 2, 0, array))
    assert filled.compute().tolist() == np.asarray(zeros).tolist()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_matrices() -> None:
    text = (
        "conv: `x` must have chunks that are plain arrays; got chunks of matrix. "
        "Use .map_blocks(numpy.asarray) first."
    )
    plain = da.from_array(np.arange(6.0).reshape(2, 3), chunks=2)
    words = plain.map_blocks(np.asmatrix)
    with pytest.raises(mtconv.BackendError) as error:
        mtconv.conv(words, np.ones((1, 1)))
    assert str(error.value) == text
    unsaid = mtconv.conv(plain.map_blocks(np.asmatrix, meta=plain._meta), np.ones((1, 1)))
    with pytest.raises(mtconv.BackendError) as error:
        unsaid.compute()
    assert str(error.value) == text
    mended = mtconv.conv(words.map_blocks(np.asarray), np.ones((1, 1)))
    assert mended.compute().tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("said", "chunk"),
    [("f8", "f4"), ("f8", "i8"), ("f4", "f8"), ("c8", "f8"), ("i8", "i4")],
)
def test_chunks_become_what_was_said_where_nothing_is_lost(said: str, chunk: str) -> None:
    x = da.from_array(np.array([1, 2, 3]), chunks=2)
    x = x.map_blocks(lambda c: c.astype(chunk), dtype=said, meta=np.empty(0, said))
    got = mtconv.conv_transpose(x, np.array([1, 10], said)).compute()
    assert got.dtype == said
    assert got.tolist() == [1, 12, 23, 30]


def test_a_chunk_that_is_what_was_said_is_passed_on_as_it_is() -> None:
    chunk = np.arange(3)
    said = {"function": "conv", "argument": "x", "backend": "numpy"}
    assert check_chunk(chunk, **said, promise=chunk.dtype) is chunk


class TestJax:
    def test_chunks_of_jax_are_computed_by_jax(self, jax_numpy: Any) -> None:
        jnp = jax_numpy
        x = da.from_array(np.array([1, 2, 3]), chunks=2)
        for lazy in (
            x.map_blocks(jnp.asarray),
            da.from_array(jnp.array([1, 2, 3]), chunks=2),
        ):
            got = mtconv.conv_transpose(lazy, [1, 10])
            assert isinstance(got._meta, type(jnp.ones(1)))
            chunk = got.blocks[0].compute()
            assert isinstance(chunk, type(jnp.ones(1)))
            assert np.asarray(got.compute()).tolist() == [1, 12, 23, 30]

    def test_the_library_may_be_told_by_another_process(self, jax_numpy: Any) -> None:
        chunk = jax_numpy.array([1, 2, 3])
        sent = "".join("jax")  # a string of its own, as what was pickled is
        said = {"function": "conv", "argument": "x", "promise": chunk.dtype}
        assert check_chunk(chunk, **said, backend=sent) is chunk

    def test_chunks_of_jax_that_were_not_said(self, jax_numpy: Any) -> None:
        jnp = jax_numpy
        x = da.from_array(np.array([1, 2, 3]), chunks=2)
        x = x.map_blocks(jnp.asarray, dtype=int, meta=np.empty(0, int))
        with pytest.raises(mtconv.BackendError) as error:
            mtconv.conv_transpose(x, [1, 10]).compute()
        assert str(error.value) == (
            "conv_transpose: `x` must have chunks of numpy, as its meta says; got a chunk "
            f"of jax. {META}"
        )


def test_chunks_of_an_unknown_library_are_refused_at_once() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = da.from_array(np.eye(3), chunks=3).map_blocks(sparse.csr_matrix)
    with pytest.raises(
        mtconv.BackendError, match="`x` must be an array of a known library"
    ):
        mtconv.conv_transpose(x, np.ones((1, 1)))
