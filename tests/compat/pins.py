"""Reads the pinned results, and runs a drawn call through `mtconv.compat`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mtconv import compat
from tests.compat.sizes import Drawn

PINS = Path(__file__).parent / "pinned"


def pinned(name: str) -> Iterator[tuple[Drawn, np.ndarray]]:
    """Yield each pinned call of a framework with the framework's result."""
    path = PINS / f"{name}.json"
    if not path.exists():
        command = f"python -m tests.compat.make_pins {name}"
        msg = f"no pinned results of {name}: run `{command}` where {name} is installed"
        raise FileNotFoundError(msg)
    for call in json.loads(path.read_text())["calls"]:
        arrays = {key: _array(value) for key, value in call["arrays"].items()}
        yield Drawn(call["function"], arrays, call["options"]), _array(call["result"])


def _array(stored: dict[str, Any]) -> np.ndarray:
    return np.array(stored["values"], dtype=np.float64).reshape(stored["shape"])


def ours(drawn: Drawn, backend: str | None = None, **choices: Any) -> np.ndarray:
    """Run a call through mtconv; on JAX, compiled as a whole."""
    module, function = drawn.function.split(".")
    call = partial(getattr(getattr(compat, module), function), **drawn.options, **choices)
    if backend != "jax":
        return np.asarray(call(**drawn.arrays, backend=backend))
    import jax

    return np.asarray(jax.jit(lambda arrays: call(**arrays))(drawn.arrays))
