"""Which backend takes a call: the library of the arrays decides, neutral ones follow."""

import sys

import numpy as np
import pytest

import mtconv
from mtconv.backends import dispatch
from mtconv.backends.dispatch import backend_for, load, missing_packages

X, KERNEL = np.array([[0, 1], [2, 3]]), np.array([[0, 1], [2, 3]])
RESULT = [[0, 0, 1], [0, 4, 6], [4, 12, 9]]


@pytest.mark.parametrize(
    "x",
    [X, X.tolist(), tuple(map(tuple, X.tolist())), [np.array([0, 1]), [2, np.int8(3)]]],
    ids=["array", "lists", "tuples", "mixed"],
)
def test_arrays_and_sequences_are_numpy(x):
    got = mtconv.conv_transpose(x, KERNEL)
    assert type(got) is np.ndarray
    assert got.tolist() == RESULT


def test_a_subclass_of_ndarray_is_an_array(tmp_path):
    mapped = np.memmap(tmp_path / "x", dtype=np.int64, mode="w+", shape=(2, 2))
    mapped[:] = X
    assert mtconv.conv_transpose(mapped, KERNEL).tolist() == RESULT


def test_an_option_names_the_backend_of_neutral_arrays(backend):
    got = mtconv.conv_transpose(X, KERNEL, backend=backend)
    assert np.asarray(got).tolist() == RESULT
    kind = "jax" if backend == "jax" else "numpy"
    assert type(got).__module__.split(".")[0].startswith(kind)


class TestJax:
    def test_arrays_of_jax_stay_there(self, jax_numpy):
        got = mtconv.conv_transpose(jax_numpy.asarray(X), jax_numpy.asarray(KERNEL))
        assert not isinstance(got, np.ndarray)
        assert got.tolist() == RESULT

    @pytest.mark.parametrize("neutral", [X, X.tolist()], ids=["array", "lists"])
    def test_neutral_arrays_follow(self, jax_numpy, neutral):
        other = jax_numpy.asarray(KERNEL)
        for pair in ((neutral, other), (other, neutral)):
            got = mtconv.conv_transpose(*pair)
            assert not isinstance(got, np.ndarray)
            assert got.tolist() == RESULT

    def test_tracers_are_arrays_of_jax(self, jax_numpy):
        import jax

        assert jax.jit(lambda x: mtconv.conv_transpose(x, KERNEL))(X).tolist() == RESULT
        assert backend_for("f", None, x=jax_numpy.ones(2)).NAME == "jax"


class Unknown:
    """An array of a library that mtconv has never heard of."""

    shape = (2, 2)

    def __array__(self, dtype=None, copy=None):
        msg = "converted silently"
        raise AssertionError(msg)


def test_an_unknown_array_is_refused_and_not_converted():
    with pytest.raises(mtconv.BackendError, match=r"got .*Unknown"):
        mtconv.conv_transpose(Unknown(), KERNEL)


def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr(dispatch, "missing_packages", lambda _: ("scipy",))
    monkeypatch.delitem(dispatch.loaded, "sparse", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'mtconv\[sparse\]'"):
        load("sparse")


def test_missing_packages_asks_without_importing(monkeypatch):
    assert missing_packages("numpy") == ()
    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    monkeypatch.setattr(dispatch.importlib.util, "find_spec", lambda _: None)
    assert missing_packages("sparse") == ("scipy",)
