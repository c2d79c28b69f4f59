"""The page on adding a framework: what it lists is all that is needed."""

import os
import re
import shutil
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from mtconv import compat
from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.framework import Framework
from tests.compat.tables import DOCS
from tests.compat.test_registry import differences, missing

FILE, ROW = re.findall(
    r"```py\n(.*?)```", (DOCS / "adding-a-framework.md").read_text(), re.S
)


@pytest.fixture
def registered(monkeypatch):
    """Put the text of a file, with the row of the page, into the registry."""

    def register(text):
        module = ModuleType("mtconv.compat.toy")
        monkeypatch.setitem(sys.modules, "mtconv.compat.toy", module)
        exec(text, vars(module))
        made = eval(ROW, {"Framework": Framework, "toy": module})
        monkeypatch.setitem(FRAMEWORKS, "toy", made)
        return made

    return register


@pytest.fixture
def row(registered):
    """The row of the page, in the registry."""
    return registered(FILE)


def test_only_the_pinned_results_are_missing(row):
    assert missing(row) == ["pins", "draws"]


def test_its_table_is_right(row):
    for rule in row.file.SIZES:
        assert differences(row, rule, 200) == []


def test_it_computes_and_converts(row, same):
    x, kernel = np.arange(24.0).reshape(1, 2, 3, 4), np.arange(36.0).reshape(2, 2, 3, 3) % 5
    options = {"stride": 2, "padding": 1}
    wanted = compat.torch.conv_transpose2d(x, kernel, **options)
    size = {"kernel_size": (3, 3)}
    theirs = compat.convert(options, "torch", "toy", **size)
    assert theirs == {"step": (2, 2), "crop": (1, 1)}
    there = compat.convert_kernel(kernel, "torch", "toy")
    got = row.function(x.transpose(0, 2, 3, 1), there, **theirs)
    same(got.transpose(0, 3, 1, 2), wanted)
    assert compat.convert(theirs, "toy", "torch", **size)["padding"] == (1, 1)
    assert (
        compat.convert({"crop": "SAME", "step": 2}, "toy", "keras", **size)["padding"]
        == "same"
    )


def test_its_options_are_drawn_and_legal(row):
    hypothesis = pytest.importorskip("hypothesis")
    from mtconv.strategies import options_for

    seen = set()

    @hypothesis.settings(max_examples=40, deadline=None, database=None)
    @hypothesis.given(options=options_for("toy", size=(2, 3), kernel_size=(3, 2)))
    def check(options):
        seen.add(isinstance(options["crop"], str))
        result = row.function(np.ones((1, 2, 3, 1)), np.ones((1, 3, 2, 1)), **options)
        assert result.size

    check()
    assert seen == {True, False}


def test_the_real_framework_is_called_with_what_is_converted(row, monkeypatch):
    """A package `toy`, whose call is the one of the page, passes `mtconv verify`."""
    from mtconv.verify import verify

    package = ModuleType("toy")
    package.conv_transpose2d = lambda x, w, **options: by_rank(row, x, w, options)
    monkeypatch.setitem(sys.modules, "toy", package)
    monkeypatch.setattr("mtconv.verify.frameworks.find_spec", lambda _: True)
    assert verify(seconds=0, backends=(), frameworks=["toy"]).passed


def by_rank(row, x, w, options):
    """Run signals as images of one row."""
    if x.ndim == 4:
        return row.function(x, w, **options)
    two = {
        name: v if isinstance(v, str) else (1 - (name == "crop"), *v)
        for name, v in options.items()
    }
    return row.function(x[:, None], w[:, None], **two)[:, 0]


def test_a_padding_that_depends_on_the_size_needs_one(row):
    """TensorFlow's meaning of SAME on the input: what the row lists asks for the size."""
    from dataclasses import replace

    FRAMEWORKS["toy"] = replace(row, sized={"crop": ("SAME",)})
    with pytest.raises(ValueError, match="`input_size` must be given"):
        compat.convert({"crop": "SAME"}, "toy", "torch", kernel_size=(3, 3))
    same = {"stride": 2, "padding": ((0, 1), (0, 1))}
    with pytest.raises(ValueError, match="`input_size` must be given"):
        compat.convert(same, "mtconv", "toy", kernel_size=(3, 3))
    sized = {"kernel_size": (3, 3), "input_size": (5, 5)}
    assert compat.convert(same, "mtconv", "toy", **sized)["crop"] == "SAME"


def test_a_dilation_is_refused_without_code_of_the_file(row):
    assert not hasattr(row.file, "refusals")
    with pytest.raises(ValueError, match="cannot be said in toy") as refusal:
        compat.convert({"dilation": 2}, "torch", "toy", kernel_size=(3, 3))
    assert str(refusal.value) == (
        "convert: `options` cannot be said in toy: it has no dilation; got crops (lo, hi) "
        "= ((0, 0), (0, 0)), dilation=(2, 2), groups=1, padding_mode='zeros'. Put dilation "
        "- 1 zeros between the taps of the kernel instead."
    )


def test_an_argument_that_repeats_the_kernel_size_is_drawn_as_written(registered):
    hypothesis = pytest.importorskip("hypothesis")
    from mtconv.strategies import options_for

    text = FILE.replace("    *,\n", "    window: Any = None,\n    *,\n")
    written = '"crop": crop, "window": geometry.per_axis("kernel")}'
    text = text.replace('"crop": crop}', written)
    row = registered(re.sub(r"DRAWS = .*", 'DRAWS = draw_rules("written")', text))

    @hypothesis.settings(max_examples=10, deadline=None, database=None)
    @hypothesis.given(options=options_for("toy", size=(2, 3), kernel_size=(3, 2)))
    def check(options):
        assert options["window"] == (3, 2)
        assert row.function(np.ones((1, 2, 3, 1)), np.ones((1, 3, 2, 1)), **options).size

    check()


# The framework of the page, by its description.
TOY = """
import numpy as np


def conv_transpose2d(x, w, step=1, crop=0):
    (samples, *sizes, _), (channels, *taps, _) = x.shape, w.shape
    steps = np.broadcast_to(step, 2)
    ends = [(n - 1) * s + 1 for n, s in zip(sizes, steps)]
    whole = [end + max(k, s) - 1 for end, k, s in zip(ends, taps, steps)]
    full = np.zeros((samples, *whole, channels))
    for a, b in np.ndindex(*taps):
        rows, columns = (slice(j, j + e, s) for j, e, s in zip((a, b), ends, steps))
        full[:, rows, columns] += x @ w[:, a, b].T
    if isinstance(crop, str):
        lows = [max(k - s, 0) // 2 for k, s in zip(taps, steps)]
        highs = [low + n * s for low, n, s in zip(lows, sizes, steps)]
    else:
        lows = np.broadcast_to(crop, 2)
        highs = [end + k - 1 - low for end, k, low in zip(ends, taps, lows)]
    return full[:, lows[0] : highs[0], lows[1] : highs[1]]
"""


# Names of tests: those with toy as a parameter, and those that list the frameworks.
TOYS = "toy or hostile or page or package"


class Copy:
    """A copy of mtconv and these tests in a folder, to which `toy` is added."""

    def __init__(self, folder):
        self.folder = folder
        root, skipped = DOCS.parent, shutil.ignore_patterns("__pycache__", "test_adding.py")
        for name in ("mtconv", "tests/compat"):
            shutil.copytree(root / name, folder / name, ignore=skipped)
        pages = ("docs/conventions.md", "docs/api-frameworks.md")
        for name in (*pages, "pyproject.toml", "tests/conftest.py"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(root / name, folder / name)
        (folder / "installed").mkdir()

    def add(self):
        """Do what the page says: the file, and three things in the registry."""
        (self.folder / "mtconv/compat/toy.py").write_text(FILE)
        registry = self.folder / "mtconv/compat/registry.py"
        text = registry.read_text()
        for before, added in (
            ("    torch,\n)\n", "    toy,\n"),
            ('    "torch",\n]\n', '    "toy",\n'),
            (")\n\nFRAMEWORKS", ROW.strip() + ",\n"),
        ):
            assert text.count(before) == 1, before
            text = text.replace(before, added + before)
        registry.write_text(text)

    def run(self, module, *arguments):
        """Run a module on the copy, and return its exit code and what it prints."""
        paths = (self.folder, self.folder / "installed")
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        env["MTCONV_TEST_BACKENDS"] = "numpy"
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def test_the_tests_follow_from_what_the_page_lists(tmp_path):
    """What has toy as a parameter or lists all names, before and after the results."""
    copy = Copy(tmp_path)
    copy.add()
    quiet = ("-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning")
    wanted = (*quiet, "tests/compat", "-k", TOYS)
    code, text = copy.run("pytest", *wanted)
    assert code == 1
    hints = {"make_pins toy` where toy is installed", "python -m tests.compat.tables"}
    assert all(hint in text for hint in hints), text
    failed = {*re.findall(r"^FAILED tests/compat/\w+.py::(\w+)", text, re.M)}
    assert failed == {
        "test_a_call_gives_what_its_framework_gave",
        "test_arrays_of_the_standard_and_nothing_more_will_do",
        "test_a_row_is_complete",
        "test_the_pages_have_the_tables_of_the_registry",
    }

    code, text = copy.run("tests.compat.make_pins", "toy")
    assert (code, text) == (
        1,
        "toy cannot be imported (ModuleNotFoundError: No module named 'toy'); install it: "
        "python -m pip install toy\n",
    )
    (tmp_path / "installed/toy.py").write_text(TOY)
    assert copy.run("tests.compat.make_pins", "toy") == (0, "toy: 48 calls\n")
    (tmp_path / "installed/toy.py").unlink()
    assert copy.run("tests.compat.tables") == (0, "")
    code, text = copy.run("pytest", *wanted)
    assert code == 0, text
