"""Rewrite the transposed convolutions of an ONNX model for targets that have none."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mtconv.errors import GeometryError, message
from mtconv.explaining.formatting import table

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv rewrite model.onnx out.onnx --as conv-shuffle

Each ConvTranspose becomes a Conv with stride 1 and a shuffle of channels to
space, with equal sums. Kernels have to be constants of the model.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv rewrite`."""
    parser.add_argument("source", type=Path, help=".onnx file to read")
    parser.add_argument("target", type=Path, help=".onnx file to write")
    parser.add_argument(
        "--as",
        dest="form",
        default="conv-shuffle",
        choices=["conv-shuffle"],
        help="the form of each transposed convolution (default: conv-shuffle)",
    )


def _read(path: Path) -> Any:
    """Read a model; what is none is refused."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        first = str(error).splitlines()[0]
        msg = message("rewrite", "source", "must be an ONNX model", first)
        raise GeometryError(msg) from None
    return model


def run(arguments: argparse.Namespace) -> int:
    """Read, rewrite, check and write a model; list what became of its nodes."""
    try:
        import onnx
    except ImportError:
        msg = "mtconv rewrite needs onnx. Install it with: pip install 'mtconv[onnx]'"
        raise ImportError(msg) from None
    from mtconv.rewrite.onnx_graph import rewrite_model

    if arguments.source.resolve() == arguments.target.resolve():
        rule, fix = "must be another file than the source", "Write to a new file."
        got = str(arguments.target)
        raise GeometryError(message("rewrite", "target", rule, got, fix=fix))
    model = _read(arguments.source)
    rows = rewrite_model(model)
    onnx.checker.check_model(model)
    onnx.save(model, arguments.target)
    if not rows:
        print(f"{arguments.source} has no ConvTranspose; copied to {arguments.target}")
        return 0
    header = ("node", "kernel", "kernel of the Conv", "shuffle")
    print(table(header, [(r.name, r.kernel, r.rewritten, r.block) for r in rows]))
    return 0
