"""The explorer in a real browser: every number that it shows is mtconv's.

Needs a browser; `nox -s explorer` runs it.
"""

from __future__ import annotations

import os
import random
from itertools import product

import numpy as np
import pytest

import mtconv
import mtconv.compat
from mtconv.explorer import explorer_page
from tests.chromium import AXE, chromium, needs_axe
from tests.explorer.printed_calls import run

SEED = int(os.environ.get("MTCONV_EXPLORER_SEED", "20261127"))
GEOMETRIES = 100


def draw_axis(rng):
    """Draw what the fields of one axis say: size, kernel, steps, paddings, the rest."""
    stride = rng.randint(1, 5)
    low, high = rng.randint(-1, 3), rng.randint(-1, 3)
    return (
        rng.randint(1, 9),
        rng.randint(1, 6),
        stride,
        rng.randint(1, 3),
        low,
        rng.choice([low, high]),
        rng.randint(0, stride - 1),
    )


def draw_geometries():
    """Draw legal geometries of both maps; at most one side of each has nothing."""
    rng = random.Random(SEED)
    drawn = []
    while len(drawn) < GEOMETRIES:
        form = rng.choice(["conv_transpose", "conv"])
        axes = [draw_axis(rng) for _ in range(rng.choice([1, 2]))]
        if form == "conv":
            axes = [(*axis[:6], 0) for axis in axes]
        try:
            result(form, axes)
        except mtconv.GeometryError:
            continue
        drawn.append((form, axes))
    return drawn


def options_of(form, axes):
    """Write the fields as options of mtconv."""
    _, _, stride, dilation, low, high, extra = zip(*axes, strict=True)
    options = {
        "stride": stride,
        "dilation": dilation,
        "padding": tuple(zip(low, high, strict=True)),
    }
    if form == "conv_transpose":
        options["output_padding"] = extra
    return options


def arrays(form, axes, channels=(2, 3)):
    """Make data and a kernel of small integers, with channels first."""
    rng = np.random.default_rng(5)
    size, kernel, *_ = zip(*axes, strict=True)
    here, there = channels
    x = rng.integers(-9, 10, (2, here, *size)).astype(np.float64)
    leading = (here, there) if form == "conv_transpose" else (there, here)
    return x, rng.integers(-9, 10, (*leading, *kernel)).astype(np.float64)


def result(form, axes):
    """Compute the map of mtconv."""
    return getattr(mtconv, form)(*arrays(form, axes), **options_of(form, axes))


def link(form, axes):
    """Write the part of the address that holds a geometry."""
    return f"form={form}&axes={';'.join(','.join(map(str, axis)) for axis in axes)}"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser, tmp_path):
    """Open the explorer; whatever the console says or the page loads is a failure."""
    path = tmp_path / "explorer.html"
    path.write_text(explorer_page(), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    noise = []
    opened.on("console", lambda message: noise.append(message.text))
    opened.on("pageerror", lambda error: noise.append(str(error)))
    opened.on("request", lambda request: noise.append(request.url))
    opened.goto(path.as_uri())
    noise.clear()  # the page itself
    yield opened
    assert noise == []
    opened.close()


def show(page, form, axes):
    """Bring a geometry onto the page through its address."""
    page.evaluate("text => { location.hash = text; }", link(form, axes))
    page.wait_for_function("text => writeLink(state) === text", arg=link(form, axes))
    assert page.text_content("#problem") == ""


def legal_sizes(axis):
    """List the sizes that a convolution takes to the small size, by trying them."""
    size, kernel, stride, dilation, low, high, _ = axis
    sizes = []
    for big in range(1, 120):
        try:
            spec = mtconv.ConvSpec.from_shapes(
                (1, 1, size),
                (1, 1, kernel),
                stride=stride,
                dilation=dilation,
                padding=((low, high),),
                output_size=big,
            )
        except mtconv.GeometryError:
            continue
        assert spec.big == (big,)
        sizes.append(big)
    return sizes


def terms_of(form, axes, place):
    """List the products of one element of the result, by plain loops over the relation."""
    along = []
    for (size, kernel, stride, dilation, low, *_), at in zip(axes, place, strict=True):
        taps = []
        smalls = range(size) if form == "conv_transpose" else [at]
        for i, j in product(smalls, range(kernel)):
            o = stride * i + dilation * j - low
            if form == "conv_transpose" and o == at:
                taps.append((i, j))
            if form == "conv" and 0 <= o < size:
                taps.append((o, j))
        along.append(taps)
    return sorted(
        (tuple(tap[0] for tap in pick), tuple(tap[1] for tap in pick))
        for pick in product(*along)
    )


def shown_terms(text):
    """Read the products off the sum that the page prints."""
    if text.endswith("no tap reaches it"):
        return []
    terms = []
    for term in text.split(" = ")[1].split(" + "):
        x, w = term.split("·")
        numbers = [tuple(map(int, part[2:-1].split(","))) for part in (x, w)]
        terms.append(tuple(numbers))
    return sorted(terms)


def test_a_hundred_random_geometries_show_the_numbers_of_mtconv(page):
    rng = random.Random(SEED + 1)
    for form, axes in draw_geometries():
        show(page, form, axes)
        expected = result(form, axes)
        sizes = expected.shape[2:]
        x = arrays(form, axes)[0]
        both = [" × ".join(map(str, shape)) for shape in (x.shape[2:], sizes)]
        assert page.text_content("#sizes") == " → ".join(both)
        for _ in range(4):
            place = tuple(rng.randrange(size) for size in sizes)
            page.evaluate("place => choose(place)", list(place))
            assert shown_terms(page.text_content("#sum")) == terms_of(form, axes, place)
        if form == "conv_transpose":
            check_counts(page, axes)
            for n, axis in enumerate(axes):
                listed = page.locator(f"#output-{n} option").all_text_contents()
                assert list(map(int, listed)) == legal_sizes(axis)
        check_calls(page, form, axes, expected)


def check_counts(page, axes):
    size, kernel, *_ = zip(*axes, strict=True)
    counts = mtconv.overlap_count(size, kernel, **options_of("conv_transpose", axes))
    rows = page.evaluate(
        "() => [...document.querySelectorAll('#counts tr')].map("
        "row => [...row.cells].map(cell => Number(cell.textContent)))"
    )
    assert np.array_equal(np.array(rows).reshape(counts.shape), counts)
    # The picture numbers its elements by the same counts.
    page.select_option("#show", "count")
    where = "#line" if len(axes) == 1 else "#output"
    drawn = page.evaluate(
        "where => [...document.querySelectorAll(where + ' [data-big]')].map("
        "cell => [cell.dataset.big, Number(cell.textContent)])",
        where,
    )
    assert drawn
    for place, count in drawn:
        assert counts[tuple(map(int, place.split(",")))] == count
    page.select_option("#show", "index")


def check_calls(page, form, axes, expected):
    calls = page.evaluate("() => describe(state).calls")
    names = {"mtconv", "torch", "jax", "flax", "keras", "tensorflow", "onnx"}
    assert set(calls) == names
    x, kernel = arrays(form, axes)
    for name, written in calls.items():
        if "text" in written:
            assert page.text_content(f"pre[data-call={name}]") == written["text"]
            printed = run(form, name, written["text"], x, kernel)
            assert np.array_equal(printed, expected), (name, written["text"])
        if form == "conv_transpose":
            assert ("text" in written) == can_be_said(axes, name), (name, axes)


def can_be_said(axes, framework):
    """Return whether mtconv's own converter has options for a framework."""
    size, kernel, *_ = zip(*axes, strict=True)
    try:
        mtconv.compat.convert(
            options_of("conv_transpose", axes),
            "mtconv",
            framework,
            input_size=size,
            kernel_size=kernel,
        )
    except mtconv.GeometryError:
        return False
    return True


def test_illegal_geometries_say_why(page):
    for name, text in (
        (
            "form=conv&axes=2,4,1,1,0,0,0",
            "Axis: The kernel spans 4 elements and the padded input has only 2. "
            "Pad more, or choose a smaller kernel or dilation.",
        ),
        (
            "form=conv_transpose&axes=1,2,1,1,2,2,0",
            "Axis: The padding leaves -2 elements of the result. "
            "Pad less, or choose a larger input.",
        ),
        (
            "form=conv_transpose&axes=4,3,2,1,0,0,2",
            "Axis: The output padding must be less than the stride, 2. "
            "A larger result needs a larger input.",
        ),
    ):
        page.evaluate("text => { location.hash = text; }", name)
        page.wait_for_function("text => writeLink(state) === text", arg=name)
        assert page.text_content("#problem") == text
        assert page.is_hidden("#results")


def test_fields_sliders_and_the_keyboard_change_the_geometry(page):
    page.fill("#kernel-0", "5")
    assert "axes=4,5,2,1,1,1,1" in page.url
    page.locator("input[type=range][data-field=stride]").focus()
    page.keyboard.press("ArrowRight")
    assert "axes=4,5,3,1,1,1,1" in page.url
    page.locator("#element").focus()
    page.keyboard.press("ArrowRight")
    assert page.text_content("#sum") == "y[0] = x[0]·w[1]"
    page.check("input[name=rank][value='2']")
    assert "axes=4,5,3,1,1,1,1;4,5,3,1,1,1,1" in page.url
    page.select_option("#output-1", "0")
    assert "axes=4,5,3,1,1,1,1;4,5,3,1,1,1,0" in page.url


def test_the_other_map_takes_the_result_back(page):
    assert page.text_content("#sizes") == "4 → 8"
    page.check("input[name=form][value=conv]")
    assert page.text_content("#sizes") == "8 → 4"
    page.check("input[name=form][value=conv_transpose]")
    assert page.text_content("#sizes") == "4 → 8"


def test_an_element_that_is_clicked_shows_its_sum(page):
    page.click("#line [data-big='3'] rect")
    assert page.text_content("#sum") == "y[3] = x[1]·w[2] + x[2]·w[0]"


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(page, scheme):
    page.emulate_media(color_scheme=scheme)
    line = ("conv_transpose", [(4, 3, 2, 1, 1, 1, 1)])
    for form, axes in [line, *draw_geometries()[:3]]:
        show(page, form, axes)
        page.add_script_tag(path=AXE)
        report = page.evaluate("() => axe.run()")
        problems = [(rule["id"], rule["help"]) for rule in report["violations"]]
        assert problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for form, axes in draw_geometries()[:20]:
        show(page, form, axes)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
