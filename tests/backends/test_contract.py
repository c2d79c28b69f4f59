"""Every backend of mtconv passes the contract that backends from outside are held to."""

import pytest

from mtconv.backends.dispatch import BACKENDS, missing_packages
from mtconv.planning.choose import DECLARED, support_of
from mtconv.testing.backend_contract import BackendContract

# Of the extras that the default session has. Those of torch and numba are with their tests.
TESTED = ("numpy", "jax", "sparse", "dask", "array_api")


@pytest.fixture(scope="class", autouse=True)
def _installed(request):
    if request.cls is not None:
        absent = missing_packages(request.cls.backend)
        if absent:
            pytest.skip(f"needs {', '.join(absent)}")


class TestNumpy(BackendContract):
    backend = "numpy"


class TestJax(BackendContract):
    backend = "jax"
    named_on = ("gaps between taps", "groups")  # tests/jax names them on many more


class TestSparse(BackendContract):
    backend = "sparse"


class TestDask(BackendContract):
    backend = "dask"


class TestArrayApi(BackendContract):
    backend = "array_api"


def test_every_backend_but_those_with_a_session_of_their_own_is_tested():
    assert set(TESTED) == set(BACKENDS) - {"torch", "cupy", "numba"}
    tested = [
        cls.backend
        for cls in BackendContract.__subclasses__()
        if cls.__module__ == __name__
    ]
    assert sorted(tested) == sorted(TESTED)


def test_every_backend_declares_what_it_supports():
    assert set(DECLARED) == set(BACKENDS)
    assert all(support_of(name).maps for name in BACKENDS)
