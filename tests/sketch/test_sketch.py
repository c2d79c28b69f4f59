"""The small pictures in notebooks: what they draw, made without another library."""

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mtconv import Conv, ConvSpec, explain
from mtconv.geometry import Axis
from mtconv.sketch.html import svg

CELL = 18


def shapes(axis):
    """Return the lines and cells of the picture of one axis, as dicts of numbers."""
    root = ET.fromstring(svg((axis,)))
    got = {"line": [], "rect": []}
    for element in root.iter():
        kind = element.tag.split("}")[1]
        if kind in got:
            got[kind].append(element.attrib)
    return got["line"], got["rect"]


@pytest.mark.parametrize(
    "axis",
    [
        Axis(small=4, big=7, kernel=3, stride=2, lo=1),
        Axis(small=3, big=9, kernel=2, stride=3),
        Axis(small=3, big=4, kernel=3, dilation=2, lo=2),
        Axis(small=2, big=6, kernel=2, stride=2, lo=-1),
    ],
)
def test_lines_join_the_cells_of_the_relation(axis):
    lines, cells = shapes(axis)
    middles = [float(cell["x"]) + CELL / 2 for cell in cells]
    small, big = middles[: axis.small], middles[axis.small :]
    first = min(0, -axis.lo)  # the first cell drawn, cropped or not
    drawn = {
        (
            small.index(float(line["x1"])),
            first + big.index(float(line["x2"])),
            "stroke-dasharray" not in line,
        )
        for line in lines
    }
    assert drawn == {
        (i, o, 0 <= o < axis.big)
        for i in range(axis.small)
        for j in range(axis.kernel)
        for o in [axis.stride * i + axis.dilation * j - axis.lo]
    }


def test_each_axis_of_a_spec_has_its_own_strip_and_long_ones_are_cut():
    spec = ConvSpec.from_shapes((1, 3, 500, 4, 5), (3, 2, 4, 3, 2), stride=(2, 1, 3))
    text = spec._repr_html_()
    strips = re.findall(r"n=(\d+) k=(\d+) N=(\d+) stride=(\d) dilation=1 lo=0( …)?<", text)
    assert strips == [
        ("500", "4", "1002", "2", " …"),
        ("4", "3", "6", "1", ""),
        ("5", "2", "14", "3", ""),
    ]
    assert len(text) < 40_000


def test_a_plan_says_what_it_would_do():
    plan = explain((4,), (3,), algorithm="direct", stride=2).plan
    assert (
        "<code>conv_transpose by direct of the numpy backend</code>" in plan._repr_html_()
    )


def test_an_operator_shows_itself_and_its_relation():
    operator = Conv(np.arange(6.0).reshape(1, 2, 3), input_size=8, stride=2)
    text = operator._repr_html_()
    assert f"<code>{operator!r}</code>" in text
    assert operator.spec._repr_html_().split("<svg")[1] == text.split("<svg")[1]


def test_nothing_but_numpy_is_imported_for_it():
    code = (
        "import sys, mtconv; mtconv.ConvSpec.from_shapes((4,), (3,))._repr_html_(); "
        "print([m for m in ('matplotlib', 'jax', 'scipy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
