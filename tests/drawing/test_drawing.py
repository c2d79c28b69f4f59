"""What the pictures show is the index relation: cells, lines, marks and matrix.

The expected taps come from plain loops over ``o = stride*i + dilation*j - lo``.
"""

import re
from itertools import pairwise, product
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import mtconv
from mtconv import ConvSpec, drawing
from mtconv.cli.main import main
from mtconv.drawing.model import Scene
from mtconv.drawing.theme import THEMES
from mtconv.geometry import Axis

PIL = pytest.importorskip("PIL.Image")

LINES = {
    "stride": ConvSpec.from_shapes((4,), (3,), stride=2, padding=1),
    "dilation": ConvSpec.from_shapes((5,), (3,), dilation=2, padding=1),
    "holes": ConvSpec.from_shapes((4,), (3,), stride=4, dilation=2),
    "asymmetric": ConvSpec.from_shapes((3,), (4,), stride=3, padding=((2, 0),)),
    "extended": ConvSpec.from_shapes((3,), (2,), stride=2, padding=-1),
    "size": ConvSpec.from_shapes((3,), (2,), stride=3, output_size=9),
}
GRIDS = {
    "basic": ConvSpec.from_shapes((2, 2), (2, 2)),
    "stride": ConvSpec.from_shapes((3, 2), (3, 2), stride=(2, 3), padding=((1, 0), (0, 0))),
    "dilation": ConvSpec.from_shapes((3, 3), (2, 3), dilation=(2, 1), padding=1),
}
FORMS = ("conv_transpose", "conv")


def relation(axis):
    """List (i, j, o) of all taps, those that land beside the big side included."""
    return {
        (i, j, axis.stride * i + axis.dilation * j - axis.lo)
        for i in range(axis.small)
        for j in range(axis.kernel)
    }


def artist(figure, gid):
    """Return the one artist of a figure that has this id."""
    (got,) = figure.findobj(lambda a: a.get_gid() == gid)
    return got


def centres(collection):
    """Return the centre of each cell of a collection."""
    corners = [path.vertices[:4] for path in collection.get_paths()]
    return np.array(corners).reshape(-1, 4, 2).mean(axis=1)


def fills(collection):
    return [tuple(colour[:3]) for colour in collection.get_facecolor()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spec", LINES.values(), ids=LINES)
def test_lines_connect_the_cells_that_the_relation_connects(spec, form):
    (axis,) = spec.axes
    figure = drawing.draw(spec, form)
    small, big = (centres(artist(figure, side))[:, 0] for side in ("small", "big"))
    drawn = {}
    for line in figure.axes[0].lines:
        if name := re.fullmatch(r"tap-(\d+)-(\d+)", line.get_gid()):
            ends = line.get_xdata()
            start, stop = ends[::-1] if form == "conv" else ends
            (i,) = np.flatnonzero(np.isclose(small, start))
            o = round(stop - big[0])
            assert stop == pytest.approx(big[0] + o)
            assert i == int(name[1])
            drawn[i, int(name[2]), o] = line
    assert set(drawn) == relation(axis)
    for (_, _, o), line in drawn.items():
        assert (line.get_linestyle() == "-") == (0 <= o < axis.big)


def test_lines_of_a_convolution_run_from_the_big_side_to_the_small_one():
    spec = LINES["stride"]
    figure = drawing.draw(spec, "conv")
    down = centres(artist(figure, "big"))[0, 1], centres(artist(figure, "small"))[0, 1]
    start, stop = artist(figure, "tap-0-1").get_ydata()
    assert down[0] < start < stop < down[1]


@pytest.mark.parametrize("spec", LINES.values(), ids=LINES)
def test_cells_taps_and_lines_of_a_phase_have_one_colour(spec):
    (axis,) = spec.axes
    theme = THEMES["light"]
    figure = drawing.draw(spec)
    reached = {o for _, _, o in relation(axis)}
    expected = [
        theme.phase(o % axis.stride) if o in reached else (1, 1, 1) for o in range(axis.big)
    ]
    assert fills(artist(figure, "big")) == [pytest.approx(c) for c in expected]
    taps = fills(artist(figure, "kernel"))
    for i, j, o in relation(axis):
        assert taps[j] == pytest.approx(theme.phase(o % axis.stride))
        if 0 <= o < axis.big:
            line = artist(figure, f"tap-{i}-{j}")
            assert line.get_color() == theme.phase_line(o % axis.stride)


@pytest.mark.parametrize("spec", LINES.values(), ids=LINES)
def test_hatched_cells_are_those_that_are_cropped(spec):
    (axis,) = spec.axes
    figure = drawing.draw(spec)
    zero = centres(artist(figure, "big"))[0, 0]
    hatched = {round(x - zero) for x in centres(artist(figure, "padding"))[:, 0]}
    beside = {o for _, _, o in relation(axis) if not 0 <= o < axis.big}
    assert hatched == set(range(min(beside, default=0), 0)) | set(
        range(axis.big, max(beside, default=0) + 1)
    )


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({"stride": 2, "padding": 1, "output_padding": 1}, 1),
        ({"stride": 3, "padding": 1, "output_padding": 2}, 2),
        ({"stride": 3, "output_padding": 2}, 2),
        ({"stride": 2, "padding": 1}, 0),
    ],
)
def test_cells_that_output_padding_adds_have_a_dashed_outline(options, last):
    spec = ConvSpec.from_shapes((4,), (3,), **options)
    figure = drawing.draw(spec)
    (size,) = spec.big
    zero = centres(artist(figure, "big"))[0, 0]
    dashed = [round(x - zero) for x in centres(artist(figure, "output-padding"))[:, 0]]
    assert dashed == list(range(size - last, size))
    words = f"dashed: {last} more by output padding"
    assert (words in [text.get_text() for text in figure.texts]) == bool(last)
    plain = drawing.draw(spec, "conv")
    assert not artist(plain, "output-padding").get_paths()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spec", GRIDS.values(), ids=GRIDS)
def test_no_line_of_a_grid_crosses_the_kernel(spec, form):
    figure = drawing.draw(spec, form)
    right = centres(artist(figure, "kernel"))[:, 0].max() + 0.5
    for line in figure.axes[0].lines:
        assert min(line.get_xdata()) >= right


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spec", GRIDS.values(), ids=GRIDS)
def test_numbers_of_a_grid_stand_where_the_taps_land(spec, form):
    rows, columns = spec.axes
    for cell in np.ndindex(*spec.small):
        figure = drawing.draw(spec, form, cell=cell)
        zero = centres(artist(figure, "big"))[0]
        number = np.ravel_multi_index(cell, spec.small)
        drawn = set()
        for text in figure.axes[0].texts:
            if text.get_gid() and text.get_visible():
                assert text.get_gid().startswith(f"frame-{number}-")
                across, down = np.rint(np.array(text.get_position()) - zero).astype(int)
                drawn.add((text.get_text(), down, across))
        expected = {
            (f"{j}{m}", o, p)
            for (i, j, o), (k, m, p) in product(relation(rows), relation(columns))
            if (i, k) == cell and 0 <= o < rows.big and 0 <= p < columns.big
        }
        assert drawn == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spec", [*LINES.values(), *GRIDS.values()])
def test_matrix_has_the_entries_of_the_map_in_the_colours_of_their_phases(spec, form):
    kernel = 1 + np.arange(np.prod(spec.kernel_size)).reshape(spec.kernel_size)
    units = np.eye(np.prod(spec.small), dtype=int).reshape(-1, *spec.small)
    dense = np.stack([spec.conv_transpose(unit, kernel).ravel() for unit in units], 1)
    big = list(np.ndindex(*spec.big))
    image = artist(drawing.draw(spec, form), "matrix").get_array()
    if form == "conv":
        image = image.swapaxes(0, 1)
    assert image.shape == (*dense.shape, 4)
    np.testing.assert_array_equal(image[..., 3] > 0, dense > 0)
    scene = Scene(spec, form)
    np.testing.assert_array_equal(scene.matrix(), (dense if form[4:] else dense.T) - 1)
    for row, column in np.argwhere(dense):
        colour = THEMES["light"].phase(scene.phase(big[row]))
        assert tuple(image[row, column, :3]) == pytest.approx(colour)


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
def test_padded_cells_carry_the_number_of_the_cell_they_repeat(mode):
    spec = ConvSpec.from_shapes((4,), (3,), padding=1, padding_mode=mode)
    figure = drawing.draw(spec, "conv")
    zero = centres(artist(figure, "big"))[0, 0]
    below = centres(artist(figure, "big"))[0, 1]
    written = {
        round(text.get_position()[0] - zero): int(text.get_text())
        for text in figure.axes[0].texts
        if text.get_position()[1] == below and text.get_text().isdigit()
    }
    numpy_mode = {"circular": "wrap", "replicate": "edge"}.get(mode, mode)
    padded = np.pad(np.arange(spec.big[0]), 1, mode=numpy_mode)
    assert [written[o] for o in range(-1, spec.big[0] + 1)] == padded.tolist()


def test_every_small_relation_is_read_off_in_full():
    cases = 0
    for n, k, stride, dilation, lo in product(
        (1, 3), (1, 2, 3), (1, 2, 3), (1, 2), (-1, 0, 2)
    ):
        for big in range(1, stride * (n - 1) + dilation * (k - 1) + 4):
            axis = Axis(n, big, k, stride, dilation, lo)
            scene = Scene(ConvSpec((axis,)), "conv_transpose")
            got = {(t.small[0], t.tap[0], t.big[0]): t.kept for t in scene.taps}
            assert got == {tap: 0 <= tap[2] < big for tap in relation(axis)}
            cases += 1
    assert cases == 702


def test_a_long_axis_is_drawn_by_its_first_cells():
    spec = ConvSpec.from_shapes((1, 1, 500), (1, 1, 4), stride=2, padding=1)
    figure = drawing.draw(spec)
    small = len(centres(artist(figure, "small")))
    assert figure.texts[2].get_text() == f"drawn: the first {small} of 500 cells"
    lines = [line for line in figure.axes[0].lines if line.get_gid().startswith("tap")]
    assert len(lines) == 4 * small
    assert "n = 500, k = 4, N = 1000" in figure.texts[1].get_text()


def test_moving_gif_has_a_frame_for_each_cell_and_no_two_are_alike(tmp_path):
    path = tmp_path / "basic.gif"
    drawing.animate(GRIDS["basic"], path, theme="dark")
    with PIL.open(path) as image:
        assert image.n_frames == 4
        frames = []
        for number in range(4):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
    assert all((a != b).any() for a, b in pairwise(frames))
    assert tuple(frames[0][0, 0]) == (0x13, 0x14, 0x16)


@pytest.mark.parametrize("spec", [LINES["stride"], GRIDS["basic"]])
def test_moving_svg_shows_every_mark_in_its_own_turn(tmp_path, spec):
    path = tmp_path / "moving.svg"
    drawing.animate(spec, path, seconds=0.5)
    text = path.read_text()
    root = ET.fromstring(text)
    marks = [i for e in root.iter() if (i := e.get("id", "")).startswith("frame-")]
    cells = int(np.prod(spec.small))
    assert {mark.split("-")[1] for mark in marks} == set(map(str, range(cells)))
    for number in range(cells):
        rule = rf'\[id\^="frame-{number}-"\] {{ animation-delay: {(number - cells) / 2:g}s'
        assert re.search(rule, text)
    assert "http" not in re.sub(r'xmlns[:\w]*="[^"]*"|<!DOCTYPE[^>]*>', "", text).replace(
        "http://purl.org", ""
    ).replace("http://www.w3.org", "")


def test_overlap_counts_are_the_transposed_convolution_of_ones():
    for options in (
        {"stride": 2},
        {"stride": (3, 2), "dilation": (2, 1), "padding": ((1, 0), (2, 1))},
        {"stride": 2, "padding": 1, "padding_mode": "circular"},
        {"padding": 1, "padding_mode": "reflect"},
        {"stride": 2, "padding": -1, "output_padding": 1},
    ):
        counts = mtconv.overlap_count((4, 5), (3, 4), **options)
        ones = mtconv.conv_transpose(np.ones((4, 5), int), np.ones((3, 4), int), **options)
        np.testing.assert_array_equal(counts, ones)
        assert counts.dtype == np.int64


def test_overlap_ignores_batch_and_channels():
    counts = mtconv.overlap_count((2, 6, 3), (6, 4, 2), groups=2, stride=2)
    assert counts.tolist() == [1, 1, 1, 1, 1, 1]


def test_overlap_picture_shows_the_counts_and_the_advice():
    spec = ConvSpec.from_shapes((3, 3), (3, 4), stride=2)
    figure = drawing.draw_overlap(spec)
    (image,) = figure.axes[0].images
    np.testing.assert_array_equal(
        image.get_array(), mtconv.overlap_count((3, 3), (3, 4), stride=2)
    )
    assert [text.get_text() for text in figure.texts[1:]] == [
        "rows uneven: phases of 2 and 1 taps; a kernel size that 2 divides is even",
        "columns even: every phase has 2 taps",
    ]


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"stride": 3, "kernel": 2}, "holes: 2 taps cannot fill 3 phases; choose at least"),
        ({"stride": 2, "dilation": 2}, "holes: stride 2 and dilation 2 share the factor 2"),
        ({"stride": 1}, "even: every phase has 3 taps"),
    ],
)
def test_advice_names_what_is_wrong_and_what_mends_it(options, advice):
    kernel = options.pop("kernel", 3)
    spec = ConvSpec.from_shapes((4,), (kernel,), **options)
    assert drawing.draw_overlap(spec).texts[1].get_text().startswith(advice)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: drawing.draw(ConvSpec(s.axes * 3)), "must have one or two spatial axes"),
        (lambda s: drawing.draw(s, "kernel_grad"), "`form` must be one of"),
        (lambda s: drawing.draw(s, theme="blue"), "`theme` must be one of 'light', 'dark'"),
        (
            lambda s: drawing.draw(s, cell=(4,)),
            "`cell` must be one of the (4,) cells drawn",
        ),
        (lambda s: drawing.animate(s, "a.png"), "`path` must end in .gif or .svg"),
    ],
)
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(mtconv.GeometryError) as caught:
        call(LINES["stride"])
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("-o {}/a.svg", b"<?xml"),
        ("-o {}/a.png --theme dark --form conv", b"\x89PNG"),
        ("-o {}/a.gif", b"GIF89a"),
        ("-o {}/a.svg --move", b"<?xml"),
        ("-o {}/a.pdf --overlap", b"%PDF"),
    ],
)
def test_the_command_writes_each_kind_of_picture(capsys, tmp_path, words, starts):
    words = words.format(tmp_path)
    assert main(f"draw 1,1,3,3 1,1,3,3 --stride 2 {words}".split()) == 0
    (path,) = tmp_path.iterdir()
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes().startswith(starts)
    assert (b"@keyframes" in path.read_bytes()) == ("--move" in words)


def test_the_command_says_how_to_install_what_it_draws_with(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    assert main(["draw", "3", "2"]) == 2
    assert "pip install 'mtconv[draw]'" in capsys.readouterr().err


def test_the_command_refuses_other_kinds(capsys, tmp_path):
    assert main(f"draw 3 2 -o {tmp_path}/a.bmp".split()) == 2
    assert "--output must end in .svg, .png, .pdf, .gif; got" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
