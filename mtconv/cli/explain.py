"""Geometry, algorithm and costs of a call, and why."""

from __future__ import annotations

import argparse
import json

from mtconv.backends.dispatch import BACKENDS
from mtconv.cli.geometry import FORMS, add_geometry, geometric_options
from mtconv.explaining.explain import explain
from mtconv.explaining.formatting import seconds_text, table
from mtconv.explaining.timing import Timing, time_algorithms

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv explain 1,3,16,16 3,8,4,4 --stride 2 --padding 1
  mtconv explain 8,64,32,32 64,32,4,4 --stride 2 --backend jax --dtype bfloat16
  mtconv explain 1,3,16,16 3,8,4,4 --stride 2 --form kernel_grad --time
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv explain`."""
    add_geometry(parser)
    add = parser.add_argument
    add("--form", choices=FORMS, default=FORMS[0], help="(default: conv_transpose)")
    add("--dtype", default="float32", metavar="DTYPE", help="(default: float32)")
    add(
        "--backend",
        choices=list(BACKENDS),
        metavar="NAME",
        default="numpy",
        help="its library is needed for --time alone (default: numpy). One of: "
        + ", ".join(BACKENDS),
    )
    add("--algorithm", default="auto", help="auto, exact, or one by name (default: auto)")
    add("--time", action="store_true", help="time every algorithm on this machine too")
    add("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation, and the times where they are asked for."""
    shapes = (arguments.x_shape, arguments.kernel_shape)
    what = (arguments.dtype, arguments.backend, arguments.form)
    options = geometric_options(arguments, arguments.form)
    explanation = explain(*shapes, *what, algorithm=arguments.algorithm, **options)
    timings = time_algorithms(*shapes, *what, **options) if arguments.time else ()
    if arguments.json:
        times = {timing.algorithm: timing.seconds for timing in timings}
        print(json.dumps(explanation.as_dict() | ({"seconds": times} if times else {})))
        return 0
    print(explanation)
    if timings:
        print("\nmedian of calls on this machine, the choice of 'auto' marked:")
        print(table(("algorithm", "time", ""), map(_row, timings)))
    return 0


def _row(timing: Timing) -> tuple[str, str, str]:
    time = "cannot" if timing.seconds is None else seconds_text(timing.seconds)
    return (timing.algorithm, time, "*" if timing.chosen else "")
