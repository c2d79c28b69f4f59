"""The numba backend passes the contract; compiling for every dtype takes minutes once."""

import pytest

from mtconv.testing.backend_contract import BackendContract

pytest.importorskip("numba")


class TestNumba(BackendContract):
    backend = "numba"
