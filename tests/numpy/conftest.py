from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from mtconv.backends._numpy.blas import guard
from mtconv.backends._numpy.pool import pool


class Call(NamedTuple):
    args: tuple[Any, ...]
    named: dict[str, Any]
    result: Any


@pytest.fixture
def watch(monkeypatch):
    """Note the calls of a module's function, which works as before."""

    def watch(module, name):
        calls = []

        def noted(*args, **named):
            calls.append(Call(args, named, real(*args, **named)))
            return calls[-1].result

        real = getattr(module, name)
        monkeypatch.setattr(module, name, noted)
        return calls

    return watch


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
