"""Shape of a result, and the sizes that are legal beside it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from mtconv.cli.geometry import FORMS, add_geometry, geometric_options
from mtconv.explaining.explain import explain
from mtconv.explaining.formatting import table

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv shape 1,3,16,16 3,8,4,4 --stride 2 --padding 1
  mtconv shape 1,8,33,32 3,8,4,4 --stride 2 --padding 1 --form conv
  mtconv shape 16,16 3,3 --stride 2 --padding 0:1,1:0 --output-padding 1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv shape`."""
    add_geometry(parser)
    parser.add_argument(
        "--form",
        choices=FORMS[:2],
        default=FORMS[0],
        help="(default: conv_transpose)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the shape of the result and a table of sizes."""
    options = geometric_options(arguments, arguments.form)
    shapes = (arguments.x_shape, arguments.kernel_shape)
    explanation = explain(*shapes, form=arguments.form, **options)
    if arguments.json:
        axes = explanation.as_dict()["axes"]
        print(json.dumps({"shape": explanation.result, "axes": axes}))
        return 0
    print(explanation.result)
    rows = [
        (axis.name, axis.n, axis.N, _sizes_text(axis.legal)) for axis in explanation.axes
    ]
    print(table(("axis", "small side", "big side", "legal big sides"), rows))
    return 0


def _sizes_text(sizes: Sequence[int]) -> str:
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]}"
    return ", ".join(map(str, sizes))
