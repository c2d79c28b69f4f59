"""Shapes and geometric options as arguments of a command: written once for all."""

from __future__ import annotations

import argparse
from typing import Any

from mtconv.errors import GeometryError, message
from mtconv.problem.options import PADDING_MODES

__all__ = ["FORMS", "add_geometry", "geometric_options", "integer", "refuse_together"]

FORMS = ("conv_transpose", "conv", "kernel_grad")

_OPTIONS = ("stride", "padding", "output_padding", "output_size", "dilation", "groups")
_WORDS = ("padding_mode", "layout", "kernel_layout")
_MOST_DIGITS = 4000  # of one number: Python refuses to read more
_LONGEST_SHOWN = 40  # characters of a word in an error


def add_geometry(parser: argparse.ArgumentParser) -> None:
    """Add two shapes and the geometric options of the three maps to a command."""
    add = parser.add_argument
    add("x_shape", type=_ints, metavar="X", help="shape of x, for example 1,3,16,16")
    add(
        "kernel_shape",
        type=_ints,
        metavar="KERNEL",
        help="shape of the kernel, for example 3,8,4,4",
    )
    options = parser.add_argument_group(
        "geometry", "One value for all axes, or one per axis with commas between."
    )
    add = options.add_argument
    add("--stride", type=_int_or_ints, metavar="S", help="(default: 1)")
    add(
        "--padding",
        type=_padding,
        metavar="P",
        help="padding of the convolution: 1, or 1,2, or lo:hi pairs as 1:2,0:1, or valid, "
        "same, same_lower; write --padding=-1 for negative ones (default: 0)",
    )
    add(
        "--output-padding",
        type=_int_or_ints,
        metavar="P",
        help="what the result of conv_transpose is larger by (default: 0)",
    )
    add(
        "--output-size",
        type=_int_or_ints,
        metavar="N",
        help="spatial sizes of the result of conv_transpose, instead of --output-padding",
    )
    add("--dilation", type=_int_or_ints, metavar="D", help="(default: 1)")
    add("--groups", type=integer, metavar="G", help="(default: 1)")
    add(
        "--padding-mode",
        choices=PADDING_MODES,
        metavar="MODE",
        help=f"{', '.join(PADDING_MODES)} (default: zeros)",
    )
    add("--layout", metavar="NCHW", help="order of the axes of x (default: channels first)")
    add(
        "--kernel-layout",
        metavar="IOHW",
        help="order of the axes of the kernel (default: IOHW, or OIHW for conv)",
    )


def geometric_options(
    arguments: argparse.Namespace, form: str = "conv_transpose"
) -> dict[str, Any]:
    """Collect the options that were given, by the names that the library has.

    Those that only the transposed convolution has are refused for another form.
    """
    values = {name: getattr(arguments, name) for name in (*_OPTIONS, *_WORDS)}
    chosen = {name: v for name, v in values.items() if v is not None}
    if form == "conv":
        for name in ("output_padding", "output_size"):
            if name in chosen:
                rule = "must be left out for --form conv, whose result has one size"
                got = f"--{name.replace('_', '-')}"
                raise GeometryError(message(arguments.command, name, rule, got))
    return chosen


def refuse_together(arguments: argparse.Namespace, name: str, *others: str) -> None:
    """Raise GeometryError if an option is there together with one of some others."""
    if getattr(arguments, name) in (None, False):
        return
    for other in others:
        if getattr(arguments, other) not in (None, False):
            flag = f"--{other.replace('_', '-')}"
            rule = f"must be left out with {flag}"
            text = message(arguments.command, name, rule, "both")
            raise GeometryError(text)


def integer(text: str) -> int:
    """Read one integer."""
    try:
        return int(text) if len(text) <= _MOST_DIGITS else int("x")
    except ValueError:
        rule = "an integer, for example 2"
        raise _unreadable(rule, text) from None


def _unreadable(rule: str, text: str) -> argparse.ArgumentTypeError:
    """Return the error about a word that cannot be read, which may be long."""
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return argparse.ArgumentTypeError(f"must be {rule}; got {shown!r}")


def _ints(text: str) -> tuple[int, ...]:
    """Read integers with commas between them."""
    try:
        return tuple(integer(part) for part in text.removesuffix(",").split(","))
    except argparse.ArgumentTypeError:
        rule = "integers with commas between, for example 1,3,16,16"
        raise _unreadable(rule, text) from None


def _int_or_ints(text: str) -> int | tuple[int, ...]:
    return _ints(text) if "," in text else _ints(text)[0]


def _padding(text: str) -> str | int | tuple[int | tuple[int, ...], ...]:
    """Read a word, an integer, or integers and lo:hi pairs with commas between them."""
    if text.isidentifier():
        return text
    try:
        parts = [tuple(map(integer, part.split(":"))) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        words = "a word, or integers or lo:hi pairs with commas between"
        rule = f"{words}, for example same or 1 or 1:2,0:1"
        raise _unreadable(rule, text) from None
    if len(parts) == 1 and ":" not in text:
        return parts[0][0]
    return tuple(part[0] if len(part) == 1 else part for part in parts)
