"""Tests are where their subject is, and every path that is written down leads to a file."""

import re
from pathlib import Path

import pytest

import mtconv

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = Path(mtconv.__file__).parent

# Subjects whose tests have another place, and where that is.
ELSEWHERE = {
    "__init__": "test_public_api.py",
    "__main__": "cli",
    "errors": "problem/test_long_values.py",
    "functional": "functional",
    "conventions": "compat",
    "matrix": "operators/test_matrix.py",
}
BACKENDS = {
    "_numpy": "numpy",
    "_numba": "numba",
    "_jax": "jax",
    "_torch": "backends/torch",
    "_dask": "backends/dask",
    "_array_api": "backends/test_array_api.py",
    "dispatch": "backends/test_dispatch.py",
    "register": "backends/test_register.py",
    "host": "host",
}
PAGES = (
    "noxfile.py",
    "CONTRIBUTING.md",
    "README.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").glob("*.md"))),
)


def place_of(part):
    """Where the tests of a part of the package belong."""
    if part in ELSEWHERE:
        return TESTS / ELSEWHERE[part]
    file = (PACKAGE / f"{part}.py").exists()
    return TESTS / (f"test_{part}.py" if file else part)


@pytest.mark.parametrize(
    "part", sorted({path.stem for path in PACKAGE.iterdir() if path.suffix in ("", ".py")})
)
def test_every_part_of_the_package_has_its_tests(part):
    if part != "__pycache__":
        assert place_of(part).exists()


@pytest.mark.parametrize("part", BACKENDS)
def test_every_backend_has_its_tests(part):
    folder = PACKAGE / "backends"
    assert (folder / part).exists() or (folder / f"{part}.py").exists()
    assert (TESTS / BACKENDS[part]).exists()


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_a_test_is_there(page):
    if not (ROOT / page).exists():
        pytest.skip("needs the sources")
    paths = re.findall(r"\btests/[\w/.]+\w", (ROOT / page).read_text())
    assert all((ROOT / path).exists() for path in paths), paths


def test_every_module_on_the_page_of_the_design_is_there():
    page = ROOT / "docs" / "design.md"
    if not page.exists():
        pytest.skip("needs the sources")
    names = set(re.findall(r"`([\w/]+\.py)`", page.read_text()))
    assert {"problem/options.py", "planning/tuning.py", "cli/main.py"} < names
    assert [n for n in names if not (ROOT / n).exists() and not [*PACKAGE.rglob(n)]] == []


def test_the_tests_that_hold_mutants_are_there():
    text = (TESTS / "heavy" / "mutate.py").read_text()
    names = re.findall(r"[\w/]*test_\w+\.py", text)
    assert len(names) > 8
    assert [name for name in names if not (TESTS / name).exists()] == []
