"""Geometry, algorithm and costs of a call, and why."""

from __future__ import annotations

import argparse
import json

from mtconv.cli.geometry import add_geometry, geometric_options
from mtconv.explaining.explain import explain
from mtconv.explaining.formatting import seconds_text, table
from mtconv.explaining.timing import Timing, time_algorithms

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv explain`."""
    add_geometry(parser)
    add = parser.add_argument
    add("--form", default="conv_transpose", help="or conv, or kernel_grad")
    add("--dtype", default="float32", metavar="DTYPE")
    add("--backend", default="numpy", help="its library need not be installed")
    add("--algorithm", default="auto", help="auto, exact, or one by name")
    add("--time", action="store_true", help="time every algorithm on this machine too")
    add("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation, and the times where they are asked for."""
    shapes = (arguments.x_shape, arguments.kernel_shape)
    what = (arguments.dtype, arguments.backend, arguments.form)
    options = geometric_options(arguments)
    found = explain(*shapes, *what, algorithm=arguments.algorithm, **options)
    timings = time_algorithms(*shapes, *what, **options) if arguments.time else ()
    if arguments.json:
        times = {timing.algorithm: timing.seconds for timing in timings}
        print(json.dumps(found.as_dict() | ({"seconds": times} if times else {})))
        return 0
    print(found)
    if timings:
        print("\nmedian of calls on this machine, the choice of 'auto' marked:")
        print(table(("algorithm", "time", ""), map(_row, timings)))
    return 0


def _row(timing: Timing) -> tuple[str, str, str]:
    time = "cannot" if timing.seconds is None else seconds_text(timing.seconds)
    return (timing.algorithm, time, "*" if timing.chosen else "")
