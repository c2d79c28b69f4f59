"""Picture of a geometry, still or moving, or a page on which it can be changed."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from mtconv.cli.files import file_name
from mtconv.cli.geometry import FORMS, add_geometry, geometric_options, refuse_together
from mtconv.errors import GeometryError, message
from mtconv.problem.shapes import spec_from_shapes

if TYPE_CHECKING:
    from mtconv.spec import ConvSpec

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = """\
examples:
  mtconv draw 4 3 --stride 2 --padding 1
  mtconv draw 4,5 3,3 --stride 2 --overlap --theme dark -o overlap.png
  mtconv draw 4 3 --stride 2 -o steps.gif
  mtconv draw 4,5 3,3 --stride 2 --html explorer.html
"""

_STILL = (".svg", ".png", ".pdf")
_MOVING = (".svg", ".gif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv draw`."""
    add_geometry(parser)
    add = parser.add_argument
    add(
        "--form",
        choices=FORMS[:2],
        default=FORMS[0],
        help="X is the small side in both (default: conv_transpose)",
    )
    add("--theme", choices=("light", "dark"), help="(default: light)")
    add("--overlap", action="store_true", help="draw how often each element is met")
    add("--move", action="store_true", help="draw one element after another (.svg, .gif)")
    add(
        "-o",
        "--output",
        type=file_name,
        metavar="FILE",
        help="picture to write: .svg, .png, .pdf, or .gif, which moves "
        "(default: geometry.svg)",
    )
    add(
        "--html",
        type=file_name,
        metavar="FILE",
        help="write a page on which the geometry can be changed, instead of a picture",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the picture and say where it is."""
    path = arguments.output or Path("geometry.svg")
    _check(arguments, path)
    spec = spec_from_shapes(
        arguments.x_shape, arguments.kernel_shape, **geometric_options(arguments)
    )
    if arguments.html is not None:
        print(_explorer(spec, arguments))
        return 0
    _write(spec, arguments, path)
    print(path)
    return 0


def _check(arguments: argparse.Namespace, path: Path) -> None:
    """Refuse what does not go together, before anything is drawn."""
    refuse_together(arguments, "html", "overlap", "move", "output", "theme")
    refuse_together(arguments, "overlap", "move")
    if arguments.html is not None:
        return
    if arguments.overlap and arguments.form != FORMS[0]:
        rule = "must be left out with --form conv: overlaps are those of conv_transpose"
        raise GeometryError(message("draw", "overlap", rule, "both"))
    if arguments.overlap and path.suffix == ".gif":
        rule = "must be left out for a .gif, which moves"
        raise GeometryError(message("draw", "overlap", rule, f"-o {path}"))
    suffixes = _MOVING if arguments.move else (*_STILL, ".gif")
    if path.suffix not in suffixes:
        rule = f"must end in {', '.join(suffixes)}{' with --move' * arguments.move}"
        raise GeometryError(message("draw", "output", rule, repr(str(path))))


def _explorer(spec: ConvSpec, arguments: argparse.Namespace) -> Path:
    from mtconv.explorer import write_explorer

    return write_explorer(arguments.html, spec, arguments.form)


def _write(spec: ConvSpec, arguments: argparse.Namespace, path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        msg = "pictures need matplotlib; install it with: pip install 'mtconv[draw]'"
        raise ImportError(msg)
    from mtconv import drawing

    theme = arguments.theme or "light"
    if arguments.move or path.suffix == ".gif":
        drawing.animate(spec, path, arguments.form, theme=theme)
        return
    if arguments.overlap:
        figure = drawing.draw_overlap(spec, theme=theme)
    else:
        figure = drawing.draw(spec, arguments.form, theme=theme)
    figure.savefig(path, dpi=160)
