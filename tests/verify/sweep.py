"""Run exported files in a runtime, in a process of its own that may crash or hang.

``python -m tests.verify.sweep MODULE:FUNCTION RESULTS PATH...`` runs the files one by one
and adds a line for each to the results; `outcomes` starts it again after the file at which
it ended.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.verify import runtimes
from tests.verify.ncnn_net import by_ncnn

SECONDS = 60.0  # for one file


class Runtime(NamedTuple):
    """A runtime: its package, what it runs, and how."""

    package: str
    format: str
    run: Callable[[Path], object]
    refuses: bool = True  # whether it is also asked about what has to be refused


RUNTIMES = {
    "onnxruntime": Runtime("onnxruntime", "onnx", runtimes.by_onnxruntime),
    "onnx's reference evaluator": Runtime("onnx", "onnx", runtimes.by_reference_evaluator),
    "onnx's shape inference": Runtime(
        "onnx", "onnx", runtimes.by_shape_inference, refuses=False
    ),
    "OpenVINO": Runtime("openvino", "onnx", runtimes.by_openvino),
    "TVM": Runtime("apache-tvm", "onnx", runtimes.by_tvm),
    "IREE from ONNX": Runtime("iree-base-compiler", "onnx", runtimes.by_iree_from_onnx),
    "ncnn": Runtime("ncnn", "onnx", by_ncnn, refuses=False),
    "XLA by jax": Runtime("jax", "stablehlo", runtimes.by_xla),
    "IREE": Runtime("iree-base-compiler", "stablehlo", runtimes.by_iree),
}


def expected_of(path):
    """Read the expected result of a file; None if it has to be refused."""
    if "refused" in path.parts:
        return None
    if path.is_dir():
        return runtimes.onnx_arrays(path)[1]
    return runtimes.stablehlo_parts(path)[1]


def outcome(run, path):
    """Run one file, and say what came of it and a detail."""
    expected = expected_of(path)
    try:
        result = run(path)
    except Exception as error:
        kind = "refused" if expected is not None else "rightly refused"
        return kind, f"{type(error).__name__}: {error}"
    if expected is None:
        return "accepted", str(np.shape(result))
    if isinstance(result, tuple):  # a shape alone
        return ("equal", "") if result == expected.shape else ("shape", str(result))
    if result.shape != expected.shape:
        return "shape", f"{result.shape} for {expected.shape}"
    wrong = int((result != expected).sum())
    return ("values", f"{wrong} of {expected.size}") if wrong else ("equal", "")


def outcomes(run, paths, results):
    """Run what has no line in the results yet; return a kind and a detail by path."""
    while True:
        known = read(results)
        left = [path for path in paths if str(path) not in known]
        if not left:
            return {path: known[str(path)] for path in paths}
        name = f"{run.__module__}:{run.__name__}"
        words = [sys.executable, "-m", "tests.verify.sweep", name, str(results)]
        ended = watched([*words, *map(str, left)], results, len(known))
        if str(left[0]) not in read(results):
            add(results, left[0], "crashed", ended)


def watched(words, results, lines):
    """Wait for a process as long as it adds lines; say how it ended."""
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        while True:
            try:
                return f"exit status {process.wait(SECONDS)}"
            except subprocess.TimeoutExpired:
                if len(read(results)) == lines:
                    process.kill()
                    return f"no result after {SECONDS:.0f} s"
                lines = len(read(results))


def read(results):
    if not results.exists():
        return {}
    rows = map(json.loads, results.read_text().splitlines())
    return {path: (kind, detail) for path, kind, detail in rows}


def add(results, path, kind, detail):
    with results.open("a") as file:
        file.write(json.dumps([str(path), kind, detail[:2000]]) + "\n")


def main():
    name, results, *paths = sys.argv[1:]
    module, _, function = name.partition(":")
    run = getattr(import_module(module), function)
    for path in map(Path, paths):
        add(Path(results), path, *outcome(run, path))


if __name__ == "__main__":
    main()
