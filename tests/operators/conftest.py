"""Operators with a kernel of every library that is there."""

import numpy as np
import pytest

LIBRARIES = ("numpy", "jax", "sparse", "torch", "array_api_strict", "dask")


@pytest.fixture(params=LIBRARIES)
def library(request):
    """Return ``make(array)``, which makes the array of a library, and options for it."""
    name = request.param
    if name in ("numpy", "sparse"):
        if name == "sparse":
            pytest.importorskip("scipy")
        return np.asarray, {"backend": name}
    if name == "torch":
        torch = pytest.importorskip("torch")
        return lambda array: torch.from_numpy(np.array(array)), {}
    if name == "jax":
        return request.getfixturevalue("jax_numpy").asarray, {}
    module = {"dask": "dask.array"}.get(name, name)
    return pytest.importorskip(module).asarray, {}
