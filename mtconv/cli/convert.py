"""Convert the kernels in a file from one framework's convention to another's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from mtconv.compat.conversion import convert_kernel
from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError, message
from mtconv.explaining.formatting import table

__all__ = ["add_arguments", "run"]

Arrays = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv convert`."""
    files = ".npy, .npz or .safetensors"
    parser.add_argument("source", type=Path, help=f"{files} file to read; never a pickle")
    parser.add_argument("target", type=Path, help=f"{files} file to write")
    names = ", ".join(FRAMEWORKS)
    parser.add_argument("--src", required=True, help=f"the file's convention: {names}")
    parser.add_argument("--dst", required=True, help="the convention to write")
    parser.add_argument("--groups", type=int, default=1, help="groups of every kernel")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="convert the arrays with such names, the others are copied; default: "
        "those with three or more dimensions",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over a target that exists"
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert, write, and print what became of each array."""
    target = arguments.target
    if target.exists() and not arguments.force:
        rule = "must not exist yet, or be given with --force"
        raise GeometryError(message("convert", "target", rule, target))
    arrays = _read(arguments.source)
    _check_suffix("target", target)
    converted, rows = {}, []
    for name, array in arrays.items():
        chosen = _chosen(name, array, arguments.only)
        result = array
        if chosen:
            result = convert_kernel(array, arguments.src, arguments.dst, arguments.groups)
        converted[name] = np.ascontiguousarray(result)
        what = f"{arguments.src} -> {arguments.dst}" if chosen else "copied"
        rows.append((name, array.shape, result.shape, what))
    _write(target, converted)
    print(table(("array", "read", "written", ""), rows, left=3))
    return 0


def _chosen(name: str, array: Any, only: Sequence[str] | None) -> bool:
    if only is None:
        return bool(array.ndim >= 3) or not name
    return any(fnmatch(name, pattern) for pattern in only)


def _read(path: Path) -> Arrays:
    """Read every array of a file; a lone .npy array has an empty name."""
    suffix = _check_suffix("source", path)
    try:
        if suffix == ".safetensors":
            return dict(_safetensors().load_file(path))
        loaded = np.load(path, allow_pickle=False)
        return {"": loaded} if suffix == ".npy" else dict(loaded)
    except (OSError, ValueError) as error:  # ValueError: arrays of objects, damaged files
        rule = "must be a readable file of plain arrays"
        raise GeometryError(
            message("convert", "source", rule, f"{path}: {error}")
        ) from None


def _write(path: Path, arrays: Arrays) -> None:
    if path.suffix == ".safetensors":
        _safetensors().save_file({name or "kernel": a for name, a in arrays.items()}, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name or "kernel": array for name, array in arrays.items()})
    elif len(arrays) == 1:
        np.save(path, next(iter(arrays.values())), allow_pickle=False)
    else:
        rule = "must be .npz or .safetensors for several arrays"
        raise GeometryError(message("convert", "target", rule, path))


def _check_suffix(argument: str, path: Path) -> str:
    if path.suffix not in (".npy", ".npz", ".safetensors"):
        rule = "must end in .npy, .npz or .safetensors"
        raise GeometryError(message("convert", argument, rule, path))
    return path.suffix


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        msg = (
            "Files of safetensors need the package safetensors. "
            "Install it with: pip install safetensors"
        )
        raise ImportError(msg) from None
    return safetensors.numpy
