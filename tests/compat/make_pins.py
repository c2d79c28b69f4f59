"""Write pinned results of the frameworks: ``python -m tests.compat.make_pins torch jax``.

Each framework named must be installed. Only legal calls are kept; the same seed draws the
same calls, so that a new version of a framework shows as a difference in the files.
A framework that is not installed, or refuses every call, ends the script with a line.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from mtconv.compat.registry import FRAMEWORKS
from mtconv.verify.frameworks import why_not
from tests.compat.draws import DRAWS
from tests.compat.pins import PINS
from tests.compat.real import DISTRIBUTIONS, run, versions
from tests.compat.sizes import Drawn

CALLS = 48
TRIES = 100 * CALLS
LARGEST = 250  # elements of a result


def main(names: list[str]) -> None:
    for name in names:
        reason = absent(name)
        if reason:
            sys.exit(reason)
    for name in names:
        calls = legal_calls(name)
        head = json.dumps({"versions": versions(name)})[:-1]
        text = head + ', "calls": [\n' + ",\n".join(calls) + "\n]}\n"
        (PINS / f"{name}.json").write_text(text)
        print(f"{name}: {len(calls)} calls")


def absent(name: str) -> str | None:
    """Return a line that says why a framework cannot be run; None where it can."""
    if name not in DRAWS:
        return f"{name} must be one of {', '.join(DRAWS)}"
    reason = why_not(name)
    if reason is None:
        return None
    packages = DISTRIBUTIONS.get(name, FRAMEWORKS[name].packages)
    command = f"python -m pip install {' '.join(packages)}"
    return f"{name} cannot be imported ({reason}); install it: {command}"


def legal_calls(name: str) -> list[str]:
    """Draw calls until the framework has taken enough of them."""
    rng, refusal = np.random.default_rng(2026), "results are empty or too large"
    calls: list[str] = []
    for _ in range(TRIES):
        drawn = DRAWS[name](rng)
        try:
            result = run(name, drawn)
        except Exception as error:
            refusal = f"{type(error).__name__}: {error}"
            continue
        arrays = (*drawn.arrays.values(), result)
        if result.size and max(array.size for array in arrays) <= LARGEST:
            calls.append(_line(drawn, result))
        if len(calls) == CALLS:
            return calls
    sys.exit(f"{name} took {len(calls)} of {TRIES} calls; the last refusal: {refusal}")


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
