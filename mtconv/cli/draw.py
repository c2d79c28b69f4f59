"""Picture of a geometry, still or moving, or a page on which it can be changed."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from mtconv.cli.geometry import add_geometry, geometric_options
from mtconv.errors import GeometryError, message
from mtconv.problem.shapes import spec_from_shapes

if TYPE_CHECKING:
    from mtconv.spec import ConvSpec

__all__ = ["add_arguments", "run"]

_STILL = (".svg", ".png", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mtconv draw`."""
    add_geometry(parser)
    add = parser.add_argument
    add("--form", default="conv_transpose", help="or conv; X is the small side in both")
    add("--theme", default="light", help="or dark")
    add("--overlap", action="store_true", help="draw how often each cell is met")
    add("--move", action="store_true", help="draw one cell after another (.svg, .gif)")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="picture to write: .svg, .png, .pdf, or .gif, which moves "
        "(default: geometry.svg)",
    )
    add(
        "--html",
        type=Path,
        metavar="FILE",
        help="write a page on which the geometry can be changed, instead of a picture",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the picture and say where it is."""
    spec = spec_from_shapes(
        arguments.x_shape, arguments.kernel_shape, **geometric_options(arguments)
    )
    if arguments.html is not None:
        print(_explorer(spec, arguments))
        return 0
    path = arguments.output or Path("geometry.svg")
    _write(spec, arguments, path)
    print(path)
    return 0


def _explorer(spec: ConvSpec, arguments: argparse.Namespace) -> Path:
    for name in ("overlap", "move", "output"):
        if getattr(arguments, name):
            rule = f"must be left out with --{name}"
            raise GeometryError(message("draw", "--html", rule, str(arguments.html)))
    from mtconv.explorer import write_explorer

    return write_explorer(arguments.html, spec, arguments.form)


def _write(spec: ConvSpec, arguments: argparse.Namespace, path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        msg = "pictures need matplotlib; install it with: pip install 'mtconv[draw]'"
        raise ImportError(msg)
    from mtconv import drawing

    if arguments.move or path.suffix == ".gif":
        drawing.animate(spec, path, arguments.form, theme=arguments.theme)
        return
    if path.suffix not in _STILL:
        rule = f"must end in .gif, {', '.join(_STILL)}"
        raise GeometryError(message("draw", "output", rule, repr(str(path))))
    if arguments.overlap:
        figure = drawing.draw_overlap(spec, theme=arguments.theme)
    else:
        figure = drawing.draw(spec, arguments.form, theme=arguments.theme)
    figure.savefig(path, dpi=160)
