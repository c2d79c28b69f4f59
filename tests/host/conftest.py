from __future__ import annotations

import pytest

from mtconv.backends.host.blas import guard
from mtconv.backends.host.pool import pool


@pytest.fixture
def counted(monkeypatch):
    """List how many threads each call of the tests asks the pool for, besides itself."""
    if not guard.usable():
        pytest.skip("needs threadpoolctl")
    asked = []

    def submit(helpers):
        helpers = list(helpers)
        asked.append(len(helpers))
        real(helpers)

    real = pool.submit
    monkeypatch.setattr(pool, "submit", submit)
    return asked
