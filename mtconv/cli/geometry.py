"""Shapes and geometric options as arguments of a command: written once for all."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_geometry", "geometric_options"]

_OPTIONS = ("stride", "padding", "output_padding", "output_size", "dilation", "groups")
_WORDS = ("padding_mode", "layout", "kernel_layout")


def add_geometry(parser: argparse.ArgumentParser) -> None:
    """Add two shapes and the geometric options of the three maps to a command."""
    add = parser.add_argument
    add("x_shape", type=_ints, metavar="X", help="shape of x, for example 1,3,16,16")
    add("kernel_shape", type=_ints, metavar="KERNEL", help="shape of the kernel")
    options = parser.add_argument_group(
        "geometry", "One value for all axes, or one per axis with commas between."
    )
    add = options.add_argument
    add("--stride", type=_int_or_ints, metavar="S")
    add(
        "--padding",
        type=_padding,
        metavar="P",
        help="1, or 1,2, or lo:hi pairs as 1:2,0:1, or valid, same, same_lower; "
        "write --padding=-1 for negative ones",
    )
    add("--output-padding", type=_int_or_ints, metavar="P")
    add("--output-size", type=_int_or_ints, metavar="N")
    add("--dilation", type=_int_or_ints, metavar="D")
    add("--groups", type=int, metavar="G")
    add("--padding-mode", metavar="MODE")
    add("--layout", metavar="NCHW", help="order of the axes of x")
    add("--kernel-layout", metavar="IOHW", help="order of the axes of the kernel")


def geometric_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the options that were given, by the names that the library has."""
    given = {name: getattr(arguments, name) for name in (*_OPTIONS, *_WORDS)}
    return {name: value for name, value in given.items() if value is not None}


def _ints(text: str) -> tuple[int, ...]:
    """Read integers with commas between them."""
    try:
        return tuple(int(part) for part in text.rstrip(",").split(","))
    except ValueError:
        msg = f"must be integers with commas between, for example 1,3,16,16; got {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def _int_or_ints(text: str) -> int | tuple[int, ...]:
    return _ints(text) if "," in text else _ints(text)[0]


def _padding(text: str) -> str | int | tuple[int | tuple[int, ...], ...]:
    if text.isidentifier():
        return text
    parts = [_ints(part.replace(":", ",")) for part in text.split(",")]
    if len(parts) == 1 and ":" not in text:
        return parts[0][0]
    return tuple(part[0] if len(part) == 1 else part for part in parts)
