"""Nothing that can be typed leads to a traceback; what does not go together is refused."""

import os
import re
import subprocess
import sys

import pytest

from mtconv.cli.main import COMMANDS, main
from tests.cli.lines import command_line


def run(capsys, words):
    """Run a command line; return status, standard output and standard error."""
    try:
        status = main(words)
    except SystemExit as stop:  # argparse leaves this way
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("block", range(8))
def test_random_command_lines(capsys, tmp_path, monkeypatch, block):
    monkeypatch.chdir(tmp_path)
    for seed in range(25 * block, 25 * block + 25):
        words = command_line(seed)
        if words[0] == "demo" and not any("output" in word for word in words):
            continue
        status, _, err = run(capsys, words)
        assert status in (0, 2), words
        assert "Traceback" not in err, words
        assert "`" not in err, words
        assert (status == 0) or err.strip(), words


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "draw 4 3 --overlap -o x.gif",
            "mtconv draw: error: --overlap must be left out for a .gif, which moves; got "
            "-o x.gif.",
        ),
        (
            "draw 4 3 --overlap --move",
            "mtconv draw: error: --overlap must be left out with --move; got both.",
        ),
        (
            "draw 4 3 --overlap --form conv",
            "mtconv draw: error: --overlap must be left out with --form conv: overlaps are "
            "those of conv_transpose; got both.",
        ),
        (
            "draw 4 3 --move -o x.png",
            "mtconv draw: error: --output must end in .svg, .gif with --move; got 'x.png'.",
        ),
        (
            "draw 4 3 --html x.html --theme dark",
            "mtconv draw: error: --html must be left out with --theme; got both.",
        ),
        (
            "demo --output x.foo",
            "mtconv demo: error: --output must end in .png, .svg, .pdf; got 'x.foo'.",
        ),
        (
            "shape 1,8,9 3,8,4 --form conv --output-size 3",
            "mtconv shape: error: --output-size must be left out for --form conv, whose "
            "result has one size; got --output-size.",
        ),
        (
            "verify --seconds nan",
            "mtconv verify: error: --seconds must be a finite number of seconds, and not "
            "negative; got nan.",
        ),
        (
            "verify --seconds -5",
            "mtconv verify: error: --seconds must be a finite number of seconds, and not "
            "negative; got -5.0.",
        ),
        (
            "verify --seed -1",
            "mtconv verify: error: --seed must be an integer, and not negative; got -1.",
        ),
        (
            "verify --cases 3",
            "mtconv verify: error: --cases must be left out without --export, which it "
            "is for; got 3.",
        ),
        (
            "verify --export x --cases -3",
            "mtconv verify: error: --cases must be an integer from 1 to 100000; got -3.",
        ),
        (
            "verify --export x --cases 99999999999999999999",
            "mtconv verify: error: --cases must be an integer from 1 to 100000; got "
            "99999999999999999999.",
        ),
        (
            "draw 1,4,6 4,2,3 --groups 2 --html x.html",
            "mtconv draw: error: the geometry must have --groups 1, as the calls on the "
            "page have; got 2. Groups do not change which elements meet: leave them out.",
        ),
        (
            "draw 4 3 --output-padding 1",
            "mtconv draw: error: --output-padding must be less than the stride, 1; got 1 "
            "on axis 'W'. For a larger result give a smaller hi in --padding lo:hi.",
        ),
        (
            "draw 4 3 --html no/x.html",
            "mtconv draw: error: no/x.html: No such file or directory",
        ),
        (
            "rewrite no.onnx x.json",
            "mtconv rewrite: error: TARGET must end in .onnx; got x.json.",
        ),
        (
            "rewrite no.onnx x.onnx",
            "mtconv rewrite: error: no.onnx: No such file or directory",
        ),
        (
            "verify --export x --cases 3 --seed -1",
            "mtconv verify: error: --seed must be an integer, and not negative; got -1.",
        ),
        (
            "verify --export x --seed 3",
            "mtconv verify: error: --seed must be left out without --cases: the core set "
            "is always the same; got 3.",
        ),
        (
            "verify --export noxfile.py/x --cases 3",
            "mtconv verify: error: --export must name a folder that can be made and "
            "written to; got noxfile.py/x (Not a directory).",
        ),
        (
            "verify --export x --backend numpy",
            "mtconv verify: error: --export must be left out with --backend; got both.",
        ),
        (
            "verify --thorough --seconds 3",
            "mtconv verify: error: --thorough must be left out with --seconds; got both.",
        ),
    ],
)
def test_what_does_not_go_together_or_has_no_meaning(capsys, line, message):
    assert run(capsys, line.split()) == (2, "", message + "\n")


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "4", "3", "--dtype", ","],  # NumPy parses commas
        ["explain", "4", "3", "--dtype", "(2,2)f4,i4"],
        ["explain", "4", "3", "--dtype", "a\nb\x1b[2J"],
        ["convert", "a.npz", "b.npz", "--groups", "9" * 5000],
        ["verify", "--seed", "9" * 5000],
        ["shape", "4", "3", "--layout", "N\rCH"],
        ["shape", "4", "3", "--padding-mode", "9" * 5000],
        ["shape", "4", "3", "--stride=--"],  # argparse reads an empty list
        ["convert", "a.npz", "b.npz", "--multiplier=--"],
        ["draw", "4", "3", "-o--"],
    ],
)
def test_any_value_is_refused_in_one_short_line_that_harms_no_terminal(capsys, words):
    status, out, err = run(capsys, words)
    line = err.splitlines()[-1]
    assert (status, out) == (2, "")
    assert re.match(rf"mtconv( {words[0]})?: error: ", line)
    assert line.isprintable()
    assert len(line) < 1100
    assert err.startswith(("usage:", line))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["draw", "4", "3", "--html", ""], "--html: must name a file or folder; got ''"),
        (["verify", "--export", ""], "--export: must name a file or folder; got ''"),
        (["rewrite", "", "x.onnx"], "source: must name a file or folder; got ''"),
        (["rewrite", "x.onnx", ""], "target: must name a file or folder; got ''"),
        (["convert", "", "--list"], "source: must name a file or folder; got ''"),
        (
            ["draw", "4", "3", "--padding", "1,valid"],
            "--padding: must be a word, or integers or lo:hi pairs with commas between, "
            "for example same or 1 or 1:2,0:1; got '1,valid'",
        ),
    ],
)
def test_words_that_cannot_be_read(capsys, words, message):
    status, out, err = run(capsys, words)
    assert (status, out) == (2, "")
    assert err.endswith(f"mtconv {words[0]}: error: argument {message}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_and_defaults(capsys, command):
    status, out, _ = run(capsys, [command, "--help"])
    assert status == 0
    assert f"  mtconv {command}" in out.split("examples:")[1]
    assert "(default" in out or command == "convert"
    assert " or conv\n" not in out  # a word that only makes sense beside the option


def test_examples_of_the_help_work(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("shape", "draw"):
        examples = run(capsys, [command, "--help"])[1].split("examples:")[1].splitlines()
        lines = [line.split()[1:] for line in examples if line.startswith("  mtconv")]
        assert len(lines) >= 3
        assert [run(capsys, words)[0] for words in lines] == [0] * len(lines)


def test_a_fault_of_mtconv_is_one_line_and_has_its_own_status(capsys, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("inside")  # noqa: EM101

    monkeypatch.setattr("mtconv.cli.shape.explain", broken)
    assert run(capsys, ["shape", "4", "3"]) == (
        3,
        "",
        "mtconv shape: error: ZeroDivisionError: inside. This is a fault of mtconv: please "
        "report it with the command. MTCONV_TRACEBACK=1 shows where it happened.\n",
    )
    monkeypatch.setenv("MTCONV_TRACEBACK", "1")
    assert "line " in run(capsys, ["shape", "4", "3"])[2]


def test_too_little_memory_and_interrupts(capsys, monkeypatch):
    for error, status, text in (
        (MemoryError("no room"), 2, "error: no room"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ):

        def broken(*_, error=error, **__):
            raise error

        monkeypatch.setattr("mtconv.cli.shape.explain", broken)
        expected = (status, "", f"mtconv shape: {text}\n")
        assert run(capsys, ["shape", "4", "3"]) == expected


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys; from mtconv.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "explain", "4", "3"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_a_backend_of_matplotlib_that_is_none_does_not_matter(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    words = [sys.executable, "-m", "mtconv", "draw", "4", "3", "-o", "x.svg"]
    subprocess.run(words, check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "x.svg").stat().st_size > 1000
