"""`import mtconv` brings in NumPy and the standard library; imports only go downwards."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mtconv

PACKAGE = Path(mtconv.__file__).parent
OPTIONAL = ("jax", "jaxlib", "scipy", "hypothesis", "matplotlib", "torch", "dask")
LATE = (*OPTIONAL, "threadpoolctl")  # a dependency, but imported when a pool starts

DESIGN = Path(__file__).parents[1] / "docs" / "design.md"

# Imports that go up, each with its reason in the design page.
UPWARD = {("testing", "strategies")}


def order():
    """List the parts of the package in the order of the design page."""
    text = DESIGN.read_text().split("## The folders")[1].split("## Decisions")[0]
    names = re.findall(r"^    (\w+)(?:/|\.py) ", text, re.MULTILINE)
    return [*names, "__main__"]


def modules_after(code, *flags):
    """Names of all modules that are loaded after some code has run in a new process."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.split(), done.stderr


def loaded_by(code):
    roots = {name.split(".")[0] for name in modules_after(code)[0]}
    return roots & set(LATE)


def test_importing_mtconv_loads_no_optional_library():
    assert loaded_by("import mtconv") == set()


def test_a_call_on_numpy_loads_no_optional_library():
    code = "import mtconv; mtconv.conv_transpose([[0, 1], [2, 3]], [[0, 1], [2, 3]])"
    assert loaded_by(code) == set()


LARGE = """
import mtconv, numpy
with mtconv.workers({}):
    mtconv.conv_transpose(numpy.ones((2, 64, 64, 64)), numpy.ones((64, 64, 4, 4)), stride=2)
"""


def test_a_call_on_a_pool_of_threads_loads_threadpoolctl_and_a_serial_one_does_not():
    assert loaded_by(LARGE.format(2)) == {"threadpoolctl"}
    assert loaded_by(LARGE.format(1)) == set()


def test_what_must_be_installed_is_numpy_and_threadpoolctl():
    path = PACKAGE.parent / "pyproject.toml"
    if not path.exists():
        pytest.skip("needs the sources")
    project = tomllib.loads(path.read_text())["project"]
    assert project["dependencies"] == ["numpy>=2", "threadpoolctl>=3.5"]
    extras = [name for row in project["optional-dependencies"].values() for name in row]
    assert not [name for name in extras if name.startswith("threadpoolctl")]


@pytest.mark.parametrize("library", ["scipy", "hypothesis"])
def test_the_tests_above_can_fail(library):
    pytest.importorskip(library)
    assert loaded_by(f"import mtconv, {library}") == {library}


def test_importtime_lists_mtconv_and_no_optional_library():
    report = modules_after("import mtconv", "-X", "importtime")[1]
    names = {line.split("|")[-1].strip() for line in report.splitlines()}
    assert "mtconv.functional" in names
    assert not {name.split(".")[0] for name in names} & set(LATE)


def test_importing_mtconv_needs_few_modules_beyond_numpy():
    # What importing costs is the number of files: time would be another on each machine.
    # The newest NumPy brings dataclasses and what those bring; older ones do not. What
    # logging brings, which forks need, is another number of modules in each Python.
    with_numpy = set(modules_after("import dataclasses, logging, numpy")[0])
    added = set(modules_after("import mtconv")[0]) - with_numpy
    foreign = {name for name in added if name.split(".")[0] != "mtconv"}
    assert len(added - foreign) <= 31
    assert len(foreign) <= 4, sorted(foreign)


def test_explaining_shapes_loads_neither_operators_nor_compiled_kernels():
    code = "import mtconv; print(mtconv.explain((1, 1, 4, 4), (1, 1, 3, 3)))"
    names = modules_after(code)[0]
    assert "mtconv.explaining.explanation" in names
    assert not [
        n for n in names if n.startswith(("mtconv.operators", "mtconv.backends._n"))
    ]


def test_an_operator_loads_no_random_numbers():
    # Old NumPy imports them itself.
    code = "import numpy, mtconv; mtconv.Conv([1, 2], input_size=4)"
    added = set(modules_after(code)[0]) - set(modules_after("import numpy")[0])
    assert "mtconv.operators.spectrum" in added
    assert not [name for name in added if name.startswith("numpy.random")]


# What is imported by its name, in the middle of a call.
LATER = re.compile(r"mtconv(\.\w+)+")

# Functions that `mtconv.importing` calls, so that no fork comes between, and what runs on
# its own: reading and writing the stored rates, and finding BLAS.
GUARDED = {
    "planning/rates.py": {"rates_file", "_read_stored", "write_stored"},
    "backends/host/blas.py": {"_blas_libraries"},
    "backends/_numba/cache.py": {"cache_folder"},
    # torch.compile follows import statements only.
    "backends/dispatch.py": {"load"},
    "backends/_torch/symbols.py": {"is_fixed", "is_sure"},
}

# Commands, tests, pages and rewritten models, which nobody makes beside a fork.
ALONE = {"cli", "drawing", "explorer", "rewrite", "strategies", "testing", "verify"}


def imports_in_bodies(path):
    """Functions of a file that have an import statement."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            inner = [
                n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))
            ]
            if inner:
                yield node.name


def part(path):
    """The part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def names_in(path):
    """Modules that a file imports when it is loaded, not inside functions."""
    todo = list(ast.parse(path.read_text()).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.ImportFrom) and node.module == "mtconv":
            yield from (f"mtconv.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try)):
            todo += node.body + node.orelse


def imports_of(path):
    """Parts of mtconv that a file imports when it is loaded."""
    return [name.split(".")[1] for name in names_in(path) if name.startswith("mtconv.")]


def roots_of(path):
    return {name.split(".")[0] for name in names_in(path)}


def graph():
    """Each part of the package with the parts that it imports."""
    got = {}
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "__init__.py":
            got.setdefault(part(path), set()).update(imports_of(path))
    return {
        name: {other for other in others if other in got} - {name}
        for name, others in got.items()
    }


def all_imports(path):
    """Parts of mtconv that a file imports anywhere, except for type checkers alone."""
    tree = ast.parse(path.read_text())
    checked = (n for n in ast.walk(tree) if isinstance(n, ast.If))
    typing = [n for n in checked if "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(n) for block in typing for n in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            module = node.module or ""
            if module == "mtconv":
                yield from (alias.name for alias in node.names)
            elif module.startswith("mtconv."):
                yield module.split(".")[1]
        elif isinstance(node, ast.Constant) and LATER.fullmatch(str(node.value)):
            yield node.value.split(".")[1]


def test_the_design_page_lists_every_part():
    parts = {part(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert sorted(order()) == sorted(parts)


def test_imports_go_downwards_function_bodies_included():
    names = order()
    upward = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name == "__init__.py" and path.parent == PACKAGE:
            continue
        name = part(path)
        higher = set(names[names.index(name) + 1 :])
        upward |= {(name, other) for other in all_imports(path) if other in higher}
    assert upward == UPWARD


def test_imports_in_the_middle_of_calls_go_through_the_gate():
    seen = {}
    for path in PACKAGE.rglob("*.py"):
        names = set(imports_in_bodies(path))
        if names and part(path) not in ALONE:
            seen[path.relative_to(PACKAGE).as_posix()] = names
    assert seen == GUARDED


def test_no_part_imports_in_a_circle():
    graphlib.TopologicalSorter(graph()).prepare()


def test_only_strategies_imports_hypothesis():
    importers = {part(p) for p in PACKAGE.rglob("*.py") if "hypothesis" in roots_of(p)}
    assert importers == {"strategies"}


def test_imports_are_read_from_the_source(tmp_path):
    path = tmp_path / "some.py"
    path.write_text("from mtconv.functional import conv\nfrom mtconv import geometry\n")
    assert sorted(imports_of(path)) == ["functional", "geometry"]
