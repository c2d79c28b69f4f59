"""What is public is listed, documented and typed, and no file outgrows a reader."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import mtconv

PACKAGE = Path(mtconv.__file__).parent
CORE = {
    "BackendError",
    "ConvSpec",
    "GeometryError",
    "conv",
    "conv_shape",
    "conv_transpose",
    "conv_transpose_shape",
    "input_sizes",
    "kernel_grad",
}
MODULES = (
    "mtconv",
    "mtconv.backends",
    "mtconv.testing",
    "mtconv.strategies",
    "mtconv.streaming",
    "mtconv.rewrite",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def public():
    for module in MODULES:
        pytest.importorskip("hypothesis")
        got = import_module(module)
        for name in got.__all__:
            yield module, name, getattr(got, name)


PUBLIC = [pytest.param(value, id=f"{module}.{name}") for module, name, value in public()]
FUNCTIONS = [param for param in PUBLIC if inspect.isfunction(param.values[0])]


def test_the_names_are_there_and_sorted():
    assert set(mtconv.__all__) >= CORE
    assert sorted(mtconv.__all__) == sorted(set(mtconv.__all__))
    assert len(mtconv.__all__) <= 20


@pytest.mark.parametrize("module", MODULES)
def test_all_lists_what_a_module_imports_under_its_own_name(module):
    tree = ast.parse(Path(import_module(module).__file__).read_text())
    exported = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    lazy = set(import_module(module).__all__) - exported
    assert exported <= set(import_module(module).__all__)
    assert all(hasattr(import_module(module), name) for name in lazy)


@pytest.mark.parametrize("value", PUBLIC)
def test_everything_public_is_documented(value):
    text = inspect.getdoc(value)
    assert text
    summary = text.splitlines()[0]
    assert summary.endswith((".", "``."))
    assert len(summary) <= 92


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_have_all_sections_and_name_every_parameter(function):
    text = inspect.getdoc(function)
    for section in ("Parameters", "Examples"):
        assert f"{section}\n{'-' * len(section)}\n" in text
    assert ">>> " in text
    described = text.split("Parameters\n", 1)[1].split("\n\n", 1)[0]
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.name in described, parameter.name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_are_annotated(function):
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize(
    "function",
    [
        mtconv.conv_transpose,
        mtconv.conv,
        mtconv.kernel_grad,
        mtconv.Conv,
        mtconv.ConvTranspose,
    ],
)
def test_arrays_are_positional_and_options_keyword_only(function):
    kinds = [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]
    arrays = {"x", "y", "kernel", "bias", "input_size"}
    for name, kind in kinds:
        assert (kind is inspect.Parameter.KEYWORD_ONLY) is (name not in arrays)


def test_errors_are_named_in_the_docstrings():
    for function in (mtconv.conv_transpose, mtconv.conv, mtconv.kernel_grad):
        assert "GeometryError" in function.__doc__
        assert "BackendError" in function.__doc__


def test_the_version_is_a_release():
    assert [int(part) for part in mtconv.__version__.split(".")]
    assert np.lib.NumpyVersion(mtconv.__version__) >= "0.1.0"


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_outgrows_a_reader(path):
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= 350, "split it"
    assert ast.get_docstring(ast.parse(path.read_text())), "says nothing about itself"


@pytest.mark.parametrize(
    ("function", "second", "needed"),
    [
        ("conv_transpose", "kernel", {}),
        ("conv", "kernel", {}),
        ("kernel_grad", "y", {"kernel_size": (2,)}),
    ],
)
def test_arrays_may_be_named_and_options_must_be(function, second, needed):
    call = getattr(mtconv, function)
    x, other = np.arange(5.0), np.array([1.0, -2.0])
    if function == "kernel_grad":
        other = np.arange(6.0)
    named = call(**{"x": x, second: other}, **needed)
    assert (named == call(x, other, **needed)).all()
    with pytest.raises(TypeError, match="positional"):
        call(x, other, None, 2, **needed)
