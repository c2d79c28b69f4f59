"""Rewrite the transposed convolutions of an ONNX model for targets that have none."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from mtconv.cli.files import file_name
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
    parser.add_argument("source", type=file_name, help=".onnx file to read")
    parser.add_argument("target", type=file_name, help=".onnx file to write")
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
        # The format is named, since onnx would take another one from the ending.
        model = onnx.load(path, format="protobuf")
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        valid = "a valid" if isinstance(error, onnx.checker.ValidationError) else "an"
        got = f"{path}: {str(error).splitlines()[0].rstrip('.')}"
        msg = message("rewrite", "source", f"must be {valid} ONNX model", got)
        raise GeometryError(msg) from None
    return model


def _check_names(source: Path, target: Path) -> None:
    """Refuse a missing source, and a target that is the source or has another ending."""
    if target.suffix != ".onnx":
        rule = "must end in .onnx"
        raise GeometryError(message("rewrite", "target", rule, str(target)))
    source.stat()  # raises what the operating system says
    if target.exists() and source.samefile(target):
        rule, fix = "must be another file than the source", "Write to a new file."
        raise GeometryError(message("rewrite", "target", rule, str(target), fix=fix))


def _write(model: Any, path: Path) -> None:
    """Check and write a model that may be too large for its format."""
    import onnx

    from mtconv.rewrite.onnx_spec import MOST_BYTES

    if model.ByteSize() >= MOST_BYTES:
        rule = "must become a model of less than 2 GiB"
        got = f"{model.ByteSize()} bytes"
        raise GeometryError(message("rewrite", "source", rule, got))
    onnx.checker.check_model(model)
    onnx.save(model, path, format="protobuf")


def run(arguments: argparse.Namespace) -> int:
    """Read, rewrite, check and write a model; list what became of its nodes."""
    _check_names(arguments.source, arguments.target)
    if importlib.util.find_spec("onnx") is None:
        msg = "mtconv rewrite needs onnx. Install it with: pip install 'mtconv[onnx]'"
        raise ImportError(msg)
    from mtconv.rewrite.onnx_graph import rewrite_model

    model = _read(arguments.source)
    rows = rewrite_model(model)
    _write(model, arguments.target)
    if not rows:
        print(f"{arguments.source} has no ConvTranspose; copied to {arguments.target}")
        return 0
    header = ("node", "kernel", "kernel of the Conv", "shuffle")
    print(table(header, [(r.name, r.kernel, r.rewritten, r.block) for r in rows]))
    return 0
