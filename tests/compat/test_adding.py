"""The page on adding a framework: its file and its row are all that is needed."""

import re
import sys
from types import ModuleType

import numpy as np
import pytest

from mtconv import compat
from mtconv.compat.registry import FRAMEWORKS
from mtconv.conventions.framework import Framework
from tests.compat.tables import DOCS
from tests.compat.test_registry import differences, missing


@pytest.fixture
def row(monkeypatch):
    """The row of the page, in the registry."""
    file, row = re.findall(
        r"```py\n(.*?)```", (DOCS / "adding-a-framework.md").read_text(), re.S
    )
    module = ModuleType("mtconv.compat.toy")
    monkeypatch.setitem(sys.modules, "mtconv.compat.toy", module)
    exec(file, vars(module))
    made = eval(row, {"Framework": Framework, "toy": module})
    monkeypatch.setitem(FRAMEWORKS, "toy", made)
    return made


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
