"""The command: what it prints, its exit status, and its words for wrong input."""

import json
import re
from pathlib import Path

import pytest

import mtconv
from mtconv.cli.main import COMMANDS, main
from mtconv.planning.choose import DECLARED


def run(capsys, line):
    """Run a command line; return status, standard output and standard error."""
    try:
        status = main(line.split())
    except SystemExit as stop:  # argparse leaves this way
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


def test_shape_prints_the_result_and_the_legal_sizes(capsys):
    status, out, err = run(capsys, "shape 1,3,16,16 3,8,4,4 --stride 2,3 --padding 1:2,0:1")
    assert status == 0
    assert err == ""
    assert out == (
        "(1, 8, 31, 48)\n"
        "axis  small side  big side  legal big sides\n"
        "H             16        31  31, 32\n"
        "W             16        48  48, 49, 50\n"
    )


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("--stride 3 --output-padding 2", {"stride": 3, "output_padding": 2}),
        ("--stride 2 --output-size 9,8", {"stride": 2, "output_size": (9, 8)}),
        ("--padding=-1", {"padding": -1}),
        ("--padding=-1:2,0:1", {"padding": ((-1, 2), (0, 1))}),
        ("--padding 1,2", {"padding": (1, 2)}),
        ("--padding same --stride 3", {"padding": "same", "stride": 3}),
        ("--dilation 2,1", {"dilation": (2, 1)}),
        ("--groups 3", {"groups": 3}),
        ("--padding-mode circular --padding 1", {"padding": 1}),
    ],
)
def test_options_of_the_command_are_those_of_the_library(capsys, words, options):
    status, out, _ = run(capsys, f"shape 2,6,4,4 6,5,3,2 {words} --json")
    assert status == 0
    expected = mtconv.conv_transpose_shape((2, 6, 4, 4), (6, 5, 3, 2), **options)
    assert tuple(json.loads(out)["shape"]) == expected


def test_layouts_name_the_axes(capsys):
    status, out, _ = run(
        capsys, "shape 8,9,3 4,2,3,5 --layout HWC --kernel-layout HWIO --stride 2"
    )
    assert (status, out.splitlines()[0]) == (0, "(18, 18, 5)")


def test_a_convolution_has_its_shape_too(capsys):
    status, out, _ = run(
        capsys, "shape 1,8,33,32 3,8,4,4 --stride 2 --padding 1 --form conv --json"
    )
    assert (status, json.loads(out)["shape"]) == (0, [1, 3, 16, 16])


def test_explain_prints_what_the_library_explains(capsys):
    status, out, _ = run(capsys, "explain 1,3,16,16 3,8,4,4 --stride 2 --dtype float64")
    expected = mtconv.explain((1, 3, 16, 16), (3, 8, 4, 4), "float64", stride=2)
    assert (status, out) == (0, f"{expected}\n")


def test_explain_as_json_is_the_same_in_numbers(capsys):
    status, out, _ = run(
        capsys, "explain 6,7 2,3 --backend sparse --form kernel_grad --json"
    )
    expected = mtconv.explain((6, 7), (2, 3), backend="sparse", form="kernel_grad")
    assert (status, json.loads(out)) == (0, json.loads(json.dumps(expected.as_dict())))


def test_explain_times_every_algorithm_and_marks_the_choice(capsys):
    status, out, _ = run(capsys, "explain 2,2,8,8 2,3,3,3 --stride 2 --time")
    before, _, times = out.partition("the choice of 'auto' marked:\n")
    rows = [line.split() for line in times.splitlines()[1:]]
    assert status == 0
    assert before.startswith("conv_transpose of float32")
    assert {row[0] for row in rows} == set(DECLARED["numpy"].algorithms)
    (chosen,) = (row[0] for row in rows if row[-1] == "*")
    assert chosen == mtconv.explain((2, 2, 8, 8), (2, 3, 3, 3), stride=2).plan.algorithm


def test_times_are_in_the_json_too(capsys):
    status, out, _ = run(capsys, "explain 8,8 3,3 --time --json --backend sparse")
    seconds = json.loads(out)["seconds"]
    assert status == 0
    assert list(seconds) == ["native"]
    assert seconds["native"] > 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            "shape 1,3,16,16 3,8,4,4 --stride 0",
            "error: --stride must be at least 1; got 0 on axis 'H'",
        ),
        ("shape 1,2,4 3,8,4", "must have as many channels as the kernel's I axis"),
        ("shape 1,3,x 3,8,4", "argument X: must be integers with commas between"),
        (
            "shape 1,3,4 3,8,4 --padding a:b",
            "argument --padding: must be a word, or integers",
        ),
        (
            "shape 1,3,4 3,8,4 --padding all",
            "error: --padding must be one of 'valid', 'same'",
        ),
        (
            "shape 1,8,9 3,8,4 --form conv --output-size 3",
            "error: --output-size must be left",
        ),
        (
            "explain 1,3,4 3,8,4 --backend torch9",
            "argument --backend: invalid choice: 'torch9'",
        ),
        ("explain 1,3,4 3,8,4 --dtype bool", "error: --dtype must be an integer, floating"),
        (
            "explain 1,3,4 3,8,4 --algorithm native",
            "error: --algorithm must be 'auto', 'exact'",
        ),
        ("explain 1,3,4 3,8,4 --form conv3", "argument --form: invalid choice: 'conv3'"),
        ("", "the following arguments are required: command"),
        ("nothing", "invalid choice: 'nothing'"),
    ],
)
def test_wrong_input_has_status_2_and_says_what_is_wrong(capsys, words, text):
    status, out, err = run(capsys, words)
    assert (status, out) == (2, "")
    assert text in err
    assert "Traceback" not in err


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"mtconv {mtconv.__version__}\n", "")


def test_every_command_module_is_registered_and_helps(capsys):
    folder = Path(mtconv.__file__).parent / "cli"
    modules = {path.stem for path in folder.glob("*.py")} - {
        "__init__",
        "files",
        "geometry",
        "main",
        "photograph",
        "words",
    }
    assert modules == set(COMMANDS)
    _, out, _ = run(capsys, "--help")
    for name in COMMANDS:
        assert re.search(rf"^    {name} +[A-Z].*$", out, re.MULTILINE), name


def test_draw_writes_a_page_on_which_the_geometry_can_be_changed(capsys, tmp_path):
    page = tmp_path / "page.html"
    line = f"draw 1,1,5 1,1,4 --stride 3 --padding 1 --form conv --html {page}"
    assert run(capsys, line) == (0, f"{page}\n", "")
    assert "form=conv&axes=14,4,3,1,1,1,0" in page.read_text()


@pytest.mark.parametrize("option", ["--overlap", "--move", "--output x.svg"])
def test_a_page_and_a_picture_are_not_written_at_once(capsys, tmp_path, option):
    page = tmp_path / "page.html"
    status, out, err = run(capsys, f"draw 1,1,5 1,1,4 {option} --html {page}")
    name = option.split()[0]
    assert (status, out) == (2, "")
    assert f"must be left out with {name}" in err
    assert not page.exists()
