"""The glossary: in order, complete where the code has a list, and without stale words."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import mtconv
from mtconv.geometry import Axis
from mtconv.problem.options import ALGORITHMS, PADDING_MODES
from mtconv.spec import FORMS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "glossary.md").read_text()
TERMS = re.findall(r"^\*\*(.+?)\*\*\n: [A-Z`<]", PAGE, re.MULTILINE)
SOURCES = "\n".join(path.read_text() for path in Path(mtconv.__file__).parent.rglob("*.py"))


def test_terms_are_in_order_and_explained():
    assert re.findall(r"^\*\*(.+?)\*\*$", PAGE, re.MULTILINE) == TERMS
    assert sorted(TERMS, key=str.lower) == TERMS
    assert len(set(TERMS)) == len(TERMS) > 60


@pytest.mark.parametrize("name", [*FORMS, *ALGORITHMS, *PADDING_MODES])
def test_every_value_of_an_option_is_explained(name):
    assert name in TERMS


def test_the_six_integers_are_explained():
    explained = PAGE.split("**axis**")[1].split("\n\n")[0]
    assert all(f"`{field.name}`" in explained for field in fields(Axis))


@pytest.mark.parametrize("term", TERMS)
def test_the_package_uses_the_word(term):
    word = term.removeprefix("the ").split()[0].rstrip("s")
    assert re.search(rf"\b{re.escape(word)}", SOURCES, re.IGNORECASE), term
