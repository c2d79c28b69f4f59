"""The torch backend passes the contract, on tensors; nox session `torch` runs it."""

import numpy as np
import pytest

from mtconv.testing.backend_contract import BackendContract

torch = pytest.importorskip("torch")


class TestTorch(BackendContract):
    backend = "torch"

    def to_backend(self, values: np.ndarray, dtype: str) -> object:
        return torch.from_numpy(values).to(getattr(torch, dtype))

    def to_numpy(self, result: object) -> np.ndarray:
        return (result.float() if result.dtype == torch.bfloat16 else result).numpy()
