"""The page of the explorer, put together from its files."""

from __future__ import annotations

import json
from importlib.resources import files
from os import PathLike
from pathlib import Path

from mtconv.errors import GeometryError, message
from mtconv.geometry import Axis
from mtconv.sketch.line import PHASE_COLOURS
from mtconv.spec import ConvSpec

__all__ = ["explorer_page", "write_explorer"]

_SCRIPTS = ("geometry.js", "state.js", "calls.js", "picture.js", "page.js")

# The largest number of a field, as in state.js.
_LARGEST = 99

_START = ConvSpec.from_shapes((4,), (3,), stride=2, padding=1, output_padding=1)


def explorer_page(spec: ConvSpec | None = None, form: str = "conv_transpose") -> str:
    """Make the explorer, a page on which a reader changes a geometry and sees it drawn.

    Parameters
    ----------
    spec : ConvSpec, optional
        The geometry that the page starts with, of one or two spatial axes and with
        ``padding_mode="zeros"``. It has one group, and channels are not drawn.
    form : str
        "conv_transpose" or "conv": which map the page starts with.

    Returns
    -------
    str
        The HTML of the page. It loads nothing and works without a network.

    Raises
    ------
    GeometryError
        If the page cannot show the geometry.

    Examples
    --------
    >>> import mtconv
    >>> spec = mtconv.ConvSpec.from_shapes((5,), (4,), stride=2, padding=1)
    >>> page = explorer_page(spec)
    >>> "form=conv_transpose&axes=5,4,2,1,1,1,0" in page
    True
    """
    start = _link(_START if spec is None else spec, form)
    constants = (
        f"const PALETTE = {json.dumps(_fills())};\nconst START = {json.dumps(start)};\n"
    )
    script = constants + "\n".join(map(_read, _SCRIPTS)).replace('"use strict";\n', "")
    page = _read("page.html").replace("/*STYLE*/", _read("style.css"))
    return page.replace("/*SCRIPT*/", '"use strict";\n' + script)


def write_explorer(
    path: str | PathLike[str], spec: ConvSpec | None = None, form: str = "conv_transpose"
) -> Path:
    """Write the explorer to a file; the arguments are those of `explorer_page`.

    Returns
    -------
    Path
        The file that was written.
    """
    page = explorer_page(spec, form)
    target = Path(path)
    target.write_text(page, encoding="utf-8")
    return target


def _read(name: str) -> str:
    return files("mtconv.explorer").joinpath(name).read_text(encoding="utf-8")


def _fills() -> list[str]:
    """Blend the colours of phases with white, so that dark text is readable on them."""
    fills = []
    for colour in PHASE_COLOURS:
        parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        blended = (round(0.65 * part + 0.35 * 255) for part in parts)
        fills.append("#" + "".join(f"{part:02x}" for part in blended))
    return fills


def _link(spec: ConvSpec, form: str) -> str:
    """Write a geometry as the part of the page's address that holds it."""
    if form not in ("conv_transpose", "conv"):
        rule = "must be one of 'conv_transpose', 'conv'"
        raise GeometryError(message("explorer_page", "form", rule, repr(form)))
    if spec.rank not in (1, 2):
        fix = "Each axis has a relation of its own: explore them one by one."
        rule = "must have one or two spatial axes"
        got = f"{spec.rank} axes"
        raise GeometryError(message("explorer_page", "spec", rule, got, fix=fix))
    if spec.groups != 1:
        rule = "must have groups=1, as the calls on the page have"
        fix = "Groups do not change which elements meet: leave them out."
        raise GeometryError(message("explorer_page", "spec", rule, spec.groups, fix=fix))
    if spec.padding_mode != "zeros":
        rule = "must have padding_mode='zeros'"
        got = repr(spec.padding_mode)
        raise GeometryError(message("explorer_page", "spec", rule, got))
    groups = ";".join(",".join(map(str, _numbers(axis, form))) for axis in spec.axes)
    return f"form={form}&axes={groups}"


def _numbers(axis: Axis, form: str) -> tuple[int, ...]:
    """Return the seven numbers that state.js calls FIELDS."""
    if form == "conv":
        numbers = (axis.big, axis.kernel, axis.stride, axis.dilation, axis.lo, axis.hi, 0)
    else:
        # Both ends padded alike if an output padding makes up for it, as in torch.
        extra = axis.lo - axis.hi
        if not 0 <= extra < axis.stride:
            extra = min(max(-axis.hi, 0), axis.stride - 1)
        numbers = (
            axis.small,
            axis.kernel,
            axis.stride,
            axis.dilation,
            axis.lo,
            axis.hi + extra,
            extra,
        )
    if max(map(abs, numbers)) > _LARGEST:
        rule = f"must have sizes and steps of at most {_LARGEST}"
        raise GeometryError(message("explorer_page", "spec", rule, max(map(abs, numbers))))
    return numbers
