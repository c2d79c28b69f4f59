"""Shape of a result, and the sizes that are legal beside it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from mtconv.cli.geometry import add_geometry, geometric_options
from mtconv.explaining.explain import explain
from mtconv.explaining.formatting import table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv shape`."""
    add_geometry(parser)
    parser.add_argument("--form", default="conv_transpose", help="or conv")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the shape of the result and a table of sizes."""
    options = geometric_options(arguments)
    found = explain(
        arguments.x_shape, arguments.kernel_shape, form=arguments.form, **options
    )
    if arguments.json:
        print(json.dumps({"shape": found.result, "axes": found.as_dict()["axes"]}))
        return 0
    print(found.result)
    rows = [(axis.name, axis.n, axis.N, _sizes_text(axis.legal)) for axis in found.axes]
    print(table(("axis", "small side", "big side", "legal big sides"), rows))
    return 0


def _sizes_text(sizes: Sequence[int]) -> str:
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]}"
    return ", ".join(map(str, sizes))
