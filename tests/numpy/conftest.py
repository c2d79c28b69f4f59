from __future__ import annotations

from typing import Any, NamedTuple

import pytest


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
