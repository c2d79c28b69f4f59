"""The page of the explorer as text: one file without anything external."""

from __future__ import annotations

import re

import pytest

import mtconv
from mtconv.explorer import explorer_page, write_explorer

SHAPES = ((1, 1, 5), (1, 1, 4))


def test_the_page_is_small_and_loads_nothing():
    page = explorer_page()
    assert len(page.encode()) < 200_000
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", page) == ["data:,"]
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page.replace("url(#hatch)", "")


@pytest.mark.parametrize(
    ("form", "options", "link"),
    [
        # size, kernel, stride, dilation, padding before and after, output padding
        ("conv_transpose", {"stride": 2, "padding": 1}, "5,4,2,1,1,1,0"),
        (
            "conv_transpose",
            {"stride": 2, "padding": 1, "output_padding": 1},
            "5,4,2,1,1,1,1",
        ),
        ("conv_transpose", {"stride": 3, "padding": ((2, 0),)}, "5,4,3,1,2,2,2"),
        ("conv_transpose", {"padding": ((0, 2),)}, "5,4,1,1,0,2,0"),
        ("conv", {"stride": 2, "padding": 1}, "10,4,2,1,1,1,0"),
        ("conv", {"dilation": 2, "padding": ((-1, 3),)}, "9,4,1,2,-1,3,0"),
    ],
)
def test_a_page_starts_with_its_geometry(form, options, link):
    spec = mtconv.ConvSpec.from_shapes(*SHAPES, **options)
    page = explorer_page(spec, form)
    assert f'const START = "form={form}&axes={link}";' in page


def test_two_axes_follow_each_other():
    spec = mtconv.ConvSpec.from_shapes(
        (1, 1, 4, 5), (1, 1, 3, 2), stride=(2, 3), padding=(1, 0)
    )
    assert "axes=4,3,2,1,1,1,0;5,2,3,1,0,0,0" in explorer_page(spec)


def test_a_file_is_written(tmp_path):
    path = write_explorer(tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == explorer_page()


@pytest.mark.parametrize(
    ("shapes", "options", "form", "text"),
    [
        (
            ((1, 1, 3, 3, 3), (1, 1, 2, 2, 2)),
            {},
            "conv",
            "explorer_page: `spec` must have one or two spatial axes; got 3 axes. "
            "Each axis has a relation of its own: explore them one by one.",
        ),
        (
            SHAPES,
            {"padding": 1, "padding_mode": "circular"},
            "conv",
            "explorer_page: `spec` must have padding_mode='zeros'; got 'circular'.",
        ),
        (
            ((1, 1, 100), (1, 1, 4)),
            {},
            "conv_transpose",
            "explorer_page: `spec` must have sizes and steps of at most 99; got 100.",
        ),
        (
            SHAPES,
            {},
            "kernel_grad",
            "explorer_page: `form` must be one of 'conv_transpose', 'conv'; "
            "got 'kernel_grad'.",
        ),
    ],
)
def test_what_the_page_cannot_show_is_refused(shapes, options, form, text):
    spec = mtconv.ConvSpec.from_shapes(*shapes, **options)
    with pytest.raises(mtconv.GeometryError) as caught:
        explorer_page(spec, form)
    assert str(caught.value) == text
