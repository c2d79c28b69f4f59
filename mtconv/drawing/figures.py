"""The three pictures that users ask for: still, moving, and the overlap of taps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mtconv.drawing.model import Scene
from mtconv.drawing.motion import animated_svg, write_gif
from mtconv.drawing.overlap import overlap_figure
from mtconv.drawing.picture import Picture
from mtconv.drawing.theme import theme_named
from mtconv.errors import GeometryError, message
from mtconv.spec import ConvSpec

__all__ = ["animate", "draw", "draw_overlap"]


def draw(
    spec: ConvSpec,
    form: str = "conv_transpose",
    *,
    theme: str = "light",
    matrix: bool = True,
    cell: tuple[int, ...] | None = None,
) -> Figure:
    """Draw input, kernel and result, where each tap lands, and the matrix beside.

    Parameters
    ----------
    spec : ConvSpec
        A geometry of one or two spatial axes. Channels are not drawn: every pair of
        them looks the same. Of long axes, the first elements are drawn.
    form : str
        "conv_transpose" or "conv": which side is the input.
    theme : str
        "light" or "dark".
    matrix : bool
        Whether the matrix is drawn beside; one of more than 100 000 entries never is.
    cell : tuple of int, optional
        Element of the small side whose taps are marked, one index per axis. With two axes,
        the default is an element in the middle; with one axis, all taps are drawn and none
        is marked.

    Returns
    -------
    matplotlib.figure.Figure
        The picture; save it by its ``savefig``.

    Raises
    ------
    GeometryError
        If the spec has three axes or more, or an argument is not one of those above.

    Examples
    --------
    >>> spec = ConvSpec.from_shapes((4,), (3,), stride=2, padding=1)
    >>> figure = draw(spec)
    >>> figure.texts[0].get_text()
    'conv_transpose:  o = 2i + j − 1'
    """
    picture = Picture(Scene(spec, form), theme_named(theme), matrix=matrix)
    picture.show(_marked(picture.scene, cell))
    return picture.figure


def animate(
    spec: ConvSpec,
    path: str | Path,
    form: str = "conv_transpose",
    *,
    theme: str = "light",
    matrix: bool = True,
    seconds: float = 0.8,
) -> None:
    """Write a moving picture that marks the taps of one small element after another.

    Parameters
    ----------
    spec : ConvSpec
        As in `draw`.
    path : str or path
        A file that ends in ".gif" or ".svg". The SVG moves in every browser, and stands
        still where its reader asked for reduced motion.
    form : str
        As in `draw`.
    theme : str
        As in `draw`.
    matrix : bool
        As in `draw`.
    seconds : float
        How long each element is marked.

    Raises
    ------
    GeometryError
        As in `draw`, and if the file ends otherwise.

    Examples
    --------
    >>> spec = ConvSpec.from_shapes((2, 2), (2, 2))
    >>> animate(spec, "basic.bmp")
    Traceback (most recent call last):
    mtconv.errors.GeometryError: animate: `path` must end in .gif or .svg; got 'basic.bmp'.
    """
    target = Path(path)
    if target.suffix not in (".gif", ".svg"):
        msg = message("animate", "path", "must end in .gif or .svg", repr(str(path)))
        raise GeometryError(msg)
    picture = Picture(Scene(spec, form), theme_named(theme), matrix=matrix)
    if target.suffix == ".svg":
        target.write_text(animated_svg(picture, seconds), encoding="utf-8")
    else:
        write_gif(picture, target, seconds)


def draw_overlap(spec: ConvSpec, *, theme: str = "light") -> Figure:
    """Draw how many taps reach each element of the result, and advise.

    Parameters
    ----------
    spec : ConvSpec
        A geometry of one or two spatial axes.
    theme : str
        "light" or "dark".

    Returns
    -------
    matplotlib.figure.Figure
        A map of `mtconv.overlap_count` with one line of advice per axis.

    Raises
    ------
    GeometryError
        As in `draw`.

    Examples
    --------
    >>> figure = draw_overlap(ConvSpec.from_shapes((4,), (3,), stride=2))
    >>> figure.texts[1].get_text()
    'uneven: phases of 2 and 1 taps; a kernel size that 2 divides is even'
    """
    Scene(spec, "conv_transpose")  # refuses what cannot be drawn
    return overlap_figure(spec, theme_named(theme))


def _marked(scene: Scene, cell: tuple[int, ...] | None) -> int | None:
    """Return the number of the small element that is marked."""
    if cell is None:
        if len(scene.lines) == 1:
            return None
        cell = tuple(n // 2 for n in scene.small)
    good = len(cell) == len(scene.small) and all(
        0 <= i < n for i, n in zip(cell, scene.small, strict=True)
    )
    if not good:
        msg = message(
            "draw", "cell", f"must be one of the {scene.small} cells drawn", repr(cell)
        )
        raise GeometryError(msg)
    return int(np.ravel_multi_index(cell, scene.small))
