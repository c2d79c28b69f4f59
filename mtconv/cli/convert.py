"""Convert the kernels in a file from one framework's convention to another's."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from glob import escape
from pathlib import Path
from typing import Any

from mtconv.checkpoints import Checkpoint, CheckpointError, Stored, read, write
from mtconv.checkpoints.files import check_suffix
from mtconv.checkpoints.roles import FORMS, Role
from mtconv.cli.files import file_name
from mtconv.cli.geometry import integer
from mtconv.compat.checkpoint import rearrange, renamed, roles_of
from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError, message
from mtconv.explaining.formatting import table

__all__ = ["EXAMPLES", "add_arguments", "run"]

_FILES = ".npy, .npz or .safetensors"
_HELP = {
    "transposed": "kernels of transposed convolutions; PATTERN=2 for two groups",
    "conv": "kernels of plain convolutions",
    "depthwise": "kernels of depthwise convolutions",
    "linear": "kernels of linear layers",
}
EXAMPLES = """\
examples:
  mtconv convert model.safetensors --list
  mtconv convert model.safetensors flax.npz --src torch --dst flax \\
      --transposed 'up*' --conv 'enc*' --linear 'head*'
  mtconv convert kernel.npy jax.npy --src torch --dst jax --transposed '*'

Arrays that no pattern names are copied. Without any pattern and without
--guess, arrays of three and more axes are listed and nothing is written. The
exit status is 0 where a file was written or listed, and 2 otherwise.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv convert`."""
    parser.add_argument(
        "source", type=file_name, help=f"{_FILES} file to read; never a pickle"
    )
    parser.add_argument("target", type=file_name, nargs="?", help=f"{_FILES} file to write")
    names = list(FRAMEWORKS)
    parser.add_argument("--src", choices=names, metavar="NAME", help="the file's framework")
    parser.add_argument(
        "--dst",
        choices=names,
        metavar="NAME",
        help=f"the framework to write for; both are one of {', '.join(names)}",
    )
    for form in FORMS:
        flags = [f"--{form}", "--only"] if form == "transposed" else [f"--{form}"]
        parser.add_argument(
            *flags, action="append", default=[], metavar="PATTERN", help=_HELP[form]
        )
    parser.add_argument("--groups", type=integer, help="groups of all transposed kernels")
    parser.add_argument(
        "--multiplier",
        type=integer,
        default=1,
        help="results per channel of depthwise kernels",
    )
    parser.add_argument(
        "--guess", action="store_true", help="guess from names and shapes, with reasons"
    )
    parser.add_argument(
        "--rename",
        type=file_name,
        metavar="FILE",
        help="new names: JSON, or lines of an old and a new name",
    )
    parser.add_argument("--list", action="store_true", help="show what the file holds")
    parser.add_argument("--force", action="store_true", help="write over another file")


def run(arguments: argparse.Namespace) -> int:
    """Convert, write, and print what became of each array."""
    try:
        if arguments.list:
            return _list(arguments)
        return _convert(arguments)
    except CheckpointError as error:
        print(f"mtconv convert: error: {error}", file=sys.stderr)
        return 2


def _list(arguments: argparse.Namespace) -> int:
    """Print names, dtypes, shapes and metadata."""
    if arguments.target is not None:
        _refuse("target", "must be left out with --list", arguments.target)
    checkpoint = read(arguments.source)
    rows = [(_shown(n), s.dtype, s.array.shape) for n, s in checkpoint.arrays.items()]
    print(table(("array", "dtype", "shape"), rows, left=3))
    for name, text in checkpoint.metadata.items():
        print(f"metadata {_shown(name)}: {_shown(text)}")
    return 0


def _convert(arguments: argparse.Namespace) -> int:
    _check(arguments)
    checkpoint = read(arguments.source)
    shapes = {name: stored.array.shape for name, stored in checkpoint.arrays.items()}
    patterns = {form: _groups(form, arguments) for form in FORMS}
    named = any(patterns.values())
    roles = roles_of(shapes, arguments.src, patterns, guess=arguments.guess)
    if not named and not arguments.guess:
        roles = roles_of(shapes, arguments.src, {}, guess=True)
        if roles:
            return _ask(arguments, shapes, roles)
    elif not all(role.form for role in roles.values()):
        return _ask(arguments, shapes, roles)
    new = renamed(shapes, _names(arguments.rename))
    rows, arrays = [], {}
    source, target = FRAMEWORKS[arguments.src], FRAMEWORKS[arguments.dst]
    for name, stored in checkpoint.arrays.items():
        role = roles.get(name)
        try:
            array = rearrange(stored.array, role, source, target, arguments.multiplier)
        except GeometryError as error:
            text = str(error).replace("convert_checkpoint: ", f"{_shown(name)}: ")
            raise CheckpointError(arguments.source, text) from None
        arrays[new[name]] = Stored(stored.dtype, array)
        rows.append(_row(arguments, name, new[name], stored.array.shape, array.shape, role))
    write(
        arguments.target, Checkpoint(arrays, checkpoint.metadata), replace=arguments.force
    )
    print(table(("array", "written as", "read", "written", ""), rows, left=5))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Check what does not depend on the file."""
    for name in ("target", "src", "dst"):
        if getattr(arguments, name) is None:
            _refuse(name if name == "target" else f"--{name}", "must be given", "nothing")
    check_suffix(arguments.target)
    source, target = arguments.source, arguments.target
    if target.exists():
        if source.exists() and source.samefile(target):
            _refuse("target", "must be another file than the source", target)
        if not arguments.force:
            _refuse("target", "must not exist yet, or be given with --force", target)
    for name in ("groups", "multiplier"):
        count = getattr(arguments, name)
        if count is not None and count < 1:
            _refuse(f"--{name}", "must be at least 1", count)


def _groups(form: str, arguments: argparse.Namespace) -> dict[str, int]:
    """Read patterns with their groups."""
    patterns = {}
    for text in getattr(arguments, form):
        pattern, equals, groups = text.rpartition("=")
        if form == "transposed" and equals and groups.isascii() and groups.isdigit():
            if int(groups) < 1:
                _refuse("--transposed", "must have at least one group", text)
            patterns[pattern] = int(groups)
        else:
            patterns[text] = arguments.groups or 1
    return patterns


def _names(path: Path | None) -> dict[str, str] | None:
    """Read a table of new names."""
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json" or text.lstrip().startswith("{"):
            names = json.loads(text)
        else:
            names = dict(line.split() for line in text.splitlines() if line.strip())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(path, f"is no table of names: {error}") from None
    texts = isinstance(names, dict) and all(isinstance(n, str) for n in names.values())
    if not texts:
        raise CheckpointError(path, "is no table of names")
    return dict(names)


def _ask(
    arguments: argparse.Namespace,
    shapes: dict[str, tuple[int, ...]],
    roles: dict[str, Role],
) -> int:
    """List what may be kernels, and the command that would convert them."""
    rows = [
        (_shown(name), shapes[name], role.form or "?", role.reason)
        for name, role in roles.items()
    ]
    print(table(("array", "shape", "perhaps", "since"), rows, left=4))
    words = ["mtconv", "convert", str(arguments.source), str(arguments.target)]
    words += ["--src", arguments.src, "--dst", arguments.dst]
    for name, role in roles.items():
        if role.form != "copied":
            words += [f"--{role.form or 'transposed'}", escape(name).replace("=", "[=]")]
    if all(role.form == "copied" for role in roles.values()):
        words.append("--guess")
    print(
        "mtconv convert: error: nothing was written, since no option says which arrays are "
        f"kernels. If the table is right, write\n  {shlex.join(words)}",
        file=sys.stderr,
    )
    return 2


def _row(
    arguments: argparse.Namespace,
    name: str,
    new: str,
    before: tuple[int, ...],
    after: tuple[int, ...],
    role: Role | None,
) -> tuple[Any, ...]:
    text = "copied"
    if role is not None and role.form != "copied":
        text = f"{role.form}, {arguments.src} -> {arguments.dst}"
    if role is not None and arguments.guess:
        text += f": {role.reason}"
    return (_shown(name), _shown(new), before, after, text)


def _shown(name: str) -> str:
    """Write a name so that it can be told from others and harms no terminal."""
    plain = name.isascii() and name.isprintable() and name.strip() == name and name
    return name if plain else ascii(name)


def _refuse(argument: str, rule: str, got: object) -> None:
    text = str(got) if isinstance(got, Path) else got
    raise GeometryError(message("convert", argument, rule, text))
