"""Messages of the library in the words of the command: options as they are typed."""

from __future__ import annotations

import ast
import re

__all__ = ["in_words_of_the_command"]

# What the library's arguments are called on the command line.
_ARGUMENTS = {
    "x": "X",
    "y": "X",
    "x_shape": "X",
    "kernel": "KERNEL",
    "kernel_shape": "KERNEL",
    "source": "SOURCE",
    "target": "TARGET",
    "spec": "the geometry",
    "backends": "--backend",
    "frameworks": "--framework",
    "folder": "--export",
}
_FILES = ("source", "target")
_OPTIONS = (
    *("stride", "padding", "output_padding", "output_size", "dilation", "groups"),
    *("padding_mode", "layout", "kernel_layout", "form", "dtype", "backend", "algorithm"),
    *("theme", "output", "html", "overlap", "move", "time", "seconds", "seed", "cases"),
    *("export", "format", "framework", "thorough", "json", "src", "dst"),
    *("transposed", "conv", "depthwise", "linear", "multiplier", "guess", "rename"),
)
_FUNCTION = re.compile(r"^[\w.]+: (?=[`\w-])")
_QUOTED = re.compile(r"`([^`]+)`")
_ASSIGNED = re.compile(rf"\b({'|'.join(_OPTIONS)})=")
_GOT_TUPLE = re.compile(r"\bgot (\([-\d, ()]*\))(?=[.,])")
_PAIR = re.compile(r"\bpadding=\((-?\d+), (-?\d+)\)(?=.* on axis )")
# Phrases with Python in them, and the same on the command line.
_PHRASES = (
    (re.compile(r"in a tuple"), "with commas between"),
    (re.compile(r"padding=\(\(lo, hi\), \.\.\.\)"), "--padding lo:hi"),
    (re.compile(r"\(lo, hi\) pair"), "lo:hi pair"),
    (re.compile(r" Pass array\.shape\."), ""),
    (
        re.compile(r"stride, padding and output_size"),
        "--stride, --padding and --output-size",
    ),
    (re.compile(r"\b(of|in|to) x(?='s|\b)"), r"\1 X"),
)
_AXIS = re.compile(r"\bgot \(([-\d, ]+)\)(?= of length \d+ on axis | on axis )")
_BRACKETS = {"(": ")", "[": "]"}


def in_words_of_the_command(text: str, *, options: bool = True) -> str:
    """Rewrite a message: no function, options as flags, values as they are typed.

    Without ``options`` only the names of files are rewritten.

    Examples
    --------
    >>> in_words_of_the_command("conv: `stride` is odd; got padding=((1, 0),).")
    '--stride is odd; got --padding 1:0.'
    """
    text = _FUNCTION.sub("", text)
    if not options:
        return _QUOTED.sub(lambda match: _file(match[1]), text)
    for phrase, words in _PHRASES:
        text = phrase.sub(words, text)
    text = _AXIS.sub(lambda match: f"got {match[1].replace(', ', ':')}", text)
    text = _GOT_TUPLE.sub(lambda match: f"got {_typed(match[1])}", text)
    text = _QUOTED.sub(lambda match: _name(match[1]), text)
    text = _PAIR.sub(r"padding=((\1, \2),)", text)
    parts, start = [], 0
    for match in _ASSIGNED.finditer(text):
        stop = _end_of_value(text, match.end())
        value = _typed(text[match.end() : stop])
        if match.start() < start or value is None:
            continue
        flag = f"--{match[1].replace('_', '-')}"
        negative = value.startswith("-")
        parts += [text[start : match.start()], flag, "=" if negative else " ", value]
        start = stop
    return "".join([*parts, text[start:]])


def _name(argument: str) -> str:
    if argument in _OPTIONS:
        return f"--{argument.replace('_', '-')}"
    return _ARGUMENTS.get(argument, argument)


def _file(argument: str) -> str:
    return _ARGUMENTS[argument] if argument in _FILES else argument


def _end_of_value(text: str, start: int) -> int:
    """Find where a value ends that begins at start: a bracket, a string or a number."""
    first = text[start : start + 1]
    if first in _BRACKETS:
        depth = 0
        for place in range(start, len(text)):
            depth += (text[place] == first) - (text[place] == _BRACKETS[first])
            if depth == 0:
                return place + 1
        return start
    if first and first in "'\"":
        return text.find(first, start + 1) + 1 or start
    value = re.compile(r"-?\w+").match(text, start)
    return value.end() if value else start


def _typed(value: str) -> str | None:
    """Write a Python value as the command takes it; None for what it does not take."""
    try:
        parsed = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return None
    if isinstance(parsed, (tuple, list)):
        return ",".join(
            ":".join(map(str, part)) if isinstance(part, tuple) else str(part)
            for part in parsed
        )
    return str(parsed)
