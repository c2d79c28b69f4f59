"""Geometry, algorithm and costs of a call, and why."""

from __future__ import annotations

import argparse
import json

from mtconv.commands.geometry import add_geometry, geometric_options
from mtconv.explainer import explain

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv explain`."""
    add_geometry(parser)
    add = parser.add_argument
    add("--form", default="conv_transpose", help="or conv, or kernel_grad")
    add("--dtype", default="float32", metavar="DTYPE")
    add("--backend", default="numpy", help="its library need not be installed")
    add("--algorithm", default="auto", help="auto, exact, or one by name")
    add("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation."""
    found = explain(
        arguments.x_shape,
        arguments.kernel_shape,
        arguments.dtype,
        arguments.backend,
        arguments.form,
        algorithm=arguments.algorithm,
        **geometric_options(arguments),
    )
    print(json.dumps(found.as_dict()) if arguments.json else found)
    return 0
