"""Write pinned results of the frameworks: ``python -m tests.compat.make_pins torch jax``.

Each framework named must be installed. Only legal calls are kept; the same seed draws the
same calls, so that a new version of a framework shows as a difference in the files.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from tests.compat.draws import DRAWS
from tests.compat.pins import PINS
from tests.compat.real import run, versions
from tests.compat.sizes import Drawn

CALLS = 48
LARGEST = 250  # elements of a result


def main(names: list[str]) -> None:
    for name in names:
        rng = np.random.default_rng(2026)
        calls: list[str] = []
        while len(calls) < CALLS:
            drawn = DRAWS[name](rng)
            try:
                result = run(name, drawn)
            except Exception:
                continue
            arrays = (*drawn.arrays.values(), result)
            if result.size and max(array.size for array in arrays) <= LARGEST:
                calls.append(_line(drawn, result))
        head = json.dumps({"versions": versions(name)})[:-1]
        text = head + ', "calls": [\n' + ",\n".join(calls) + "\n]}\n"
        (PINS / f"{name}.json").write_text(text)
        print(f"{name}: {len(calls)} calls")


def _line(drawn: Drawn, result: np.ndarray) -> str:
    call = {
        "function": drawn.function,
        "options": drawn.options,
        "arrays": {name: _array(array) for name, array in drawn.arrays.items()},
        "result": _array(result),
    }
    return json.dumps(call, separators=(",", ":"))


def _array(array: np.ndarray) -> dict[str, Any]:
    values = array.astype(int)
    assert (values == array).all()
    return {"shape": list(array.shape), "values": values.ravel().tolist()}


if __name__ == "__main__":
    main(sys.argv[1:])
