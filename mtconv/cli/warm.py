"""Compile the kernels of `mtconv[fast]` once, and measure this machine."""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from typing import Any

from mtconv.backends.dispatch import load
from mtconv.backends.host.threads import workers
from mtconv.errors import BackendError, message
from mtconv.planning.rates import WarmState, rates_file, write_stored

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv warm
  mtconv warm --dtype float32 --dtype bfloat16

From then on calls on NumPy arrays of these dtypes go to compiled kernels where
the plan finds them faster. MTCONV_NUMBA=0 turns that off, MTCONV_RATES=default
the measured rates.
"""

DTYPES = ("float32", "float64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv warm`."""
    words = ", ".join(DTYPES)
    parser.add_argument(
        "--dtype",
        action="append",
        metavar="DTYPE",
        help=f"more than once (default: {words})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile, measure, store, and say what was done."""
    load("numba")
    dtypes = tuple(dict.fromkeys(arguments.dtype or DTYPES))
    elements: Any = import_module("mtconv.backends._numba.elements").ELEMENTS
    for dtype in dtypes:
        if dtype not in elements:
            rule = "must be one that there are kernels for: " + ", ".join(elements)
            raise BackendError(message("warm", "dtype", rule, dtype))
    cache: Any = import_module("mtconv.backends._numba.cache")
    path, folder = rates_file(), cache.cache_folder()
    if path is None or folder is None:
        msg = (
            "The cache of this user cannot be written, or platformdirs is missing. "
            "NUMBA_CACHE_DIR names another folder; pip install 'mtconv[fast]' installs it."
        )
        raise BackendError(msg)
    warm: Any = import_module("mtconv.backends._numba.warm")
    for dtype in dtypes:
        began = time.perf_counter()
        warm.compile_kernels(dtype)
        print(f"compiled for {dtype} in {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    with workers(1):
        rates = warm.measure_rates()
    print(f"measured in {time.perf_counter() - began:.1f} s, in seconds each:")
    for name, seconds in rates._asdict().items():
        print(f"  {name:8} {seconds:.2e}")
    write_stored(path, WarmState(rates, cache.digest(), dtypes))
    print(f"kernels are in {folder}\nrates are in {path}")
    return 0
