"""The words beside a picture: the relation, sizes, borders and phases of each axis."""

from __future__ import annotations

from mtconv.drawing.model import Scene
from mtconv.geometry import Axis, phases
from mtconv.sketch.line import AxisStrip

__all__ = ["legend", "title"]

# More counts than these say nothing at a glance.
_COUNTS = 8


def title(scene: Scene) -> str:
    """Say which map is drawn, and the relation of each axis."""
    relations = dict.fromkeys(relation(line.whole) for line in scene.lines)
    return f"{scene.form}:  {',  '.join(relations)}"


def relation(axis: Axis) -> str:
    """Write the relation of an axis with its numbers.

    Examples
    --------
    >>> relation(Axis(small=4, big=7, kernel=3, stride=2, dilation=1, lo=1))
    'o = 2i + j − 1'
    """
    stride, dilation = ("" if step == 1 else step for step in (axis.stride, axis.dilation))
    shift = f" {'−' if axis.lo > 0 else '+'} {abs(axis.lo)}" if axis.lo else ""
    return f"o = {stride}i + {dilation}j{shift}"


def legend(scene: Scene) -> list[str]:
    """Describe each axis in a line or more; two axes that are alike share theirs."""
    texts = [_axis(line, scene.form) for line in scene.lines]
    if len(texts) == 1:
        return texts[0]
    if texts[0] == texts[1]:
        return [f"both axes: {texts[0][0]}", *texts[0][1:]]
    return [
        f"{name}: {line}"
        for name, text in zip(("rows", "columns"), texts, strict=True)
        for line in text
    ]


def _axis(line: AxisStrip, form: str) -> list[str]:
    axis = line.whole
    first = f"n = {axis.small}, k = {axis.kernel}, N = {axis.big}"
    ends = ((axis.lo, "before"), (axis.hi, "after"))
    borders = [
        f"{abs(cells)} {_border(cells, line.mode, form)} {end}"
        for cells, end in ends
        if cells
    ]
    if borders:
        first += "; " + ", ".join(borders)
    lines = [first]
    if form == "conv_transpose" and line.added:
        lines.append(f"dashed: {line.added} more by output padding")
    if line.cut:
        lines.append(f"drawn: the first {line.axis.small} of {axis.small} cells")
    if 1 < axis.stride <= _COUNTS:
        lines.append("taps in each phase: " + ", ".join(str(p.taps) for p in phases(axis)))
    return lines


def _border(cells: int, mode: str, form: str) -> str:
    """Name what happens at one end: cells that are padded, folded, cropped or added."""
    if form == "conv":
        return "unread" if cells < 0 else "padded" if mode == "zeros" else mode
    if cells < 0:
        return "untouched"
    return "cropped" if mode == "zeros" else f"folded back ({mode})"
