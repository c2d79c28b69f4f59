"""Peak memory of one call beyond its result, in a fresh process (Linux)."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mtconv
from mtconv.backends.host import results
from tests.benchmarks.harness import Layer, load_layers

__all__ = ["main"]

_MIB = 2**20


def main(name: str, library: str) -> None:
    """Print [traced, resident] MiB for mtconv, [resident] for a peer, [] for no kernel."""
    layer = next(layer for layer in load_layers() if layer.name == name)
    call = _call(layer, library)
    if call is None:
        print("[]")
        return
    small = next(layer for layer in load_layers() if layer.name.startswith("d2l"))
    warm = _call(small, library)
    if warm is not None:
        warm()  # what a library allocates once is not the call's
    got = [_resident(call)]
    if library == "mtconv":
        results.forget()  # the result would lie in the memory of the last one
        tracemalloc.start()
        result = call()
        got.insert(0, (tracemalloc.get_traced_memory()[1] - result.nbytes) / _MIB)
    print(json.dumps(got))


def _call(layer: Layer, library: str) -> Callable[[], Any] | None:
    x, kernel, _ = layer.arrays()
    if library == "mtconv":
        return lambda: mtconv.conv_transpose(x, kernel, **layer.transposed_options)
    from tests.benchmarks import peers

    if library == "torch":
        return peers.torch_transposed(layer, x, kernel)
    # With its arena a later call would show nothing of what the first one took.
    return peers.ort_transposed(layer, x, kernel, arena=False)


def _resident(call: Callable[[], Any]) -> float:
    """Growth of the peak of resident memory (what ru_maxrss reports), less the result."""
    # Forget the peak that making the arrays left behind.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = call()
    grown = _status("VmHWM") - before
    size = (
        result.numel() * result.element_size()
        if hasattr(result, "numel")
        else result.nbytes
    )
    return max(0.0, (grown - size) / _MIB)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024
