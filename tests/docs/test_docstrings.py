"""Public docstrings are complete by numpydoc's rules, each with an example."""

import importlib
import inspect

import pytest

numpydoc = pytest.importorskip("numpydoc.validate")
pytest.importorskip("matplotlib")
pytest.importorskip("hypothesis")

MODULES = (
    "mtconv",
    "mtconv.testing",
    "mtconv.strategies",
    "mtconv.drawing",
    "mtconv.compat",
)

# Matters of taste: where a summary starts, blank lines, an extended summary, a section
# See Also and capital letters in it, and the yields of what the reader uses as a list.
IGNORED = {"GL01", "GL02", "GL03", "ES01", "SA01", "SA03", "YD01"}


def public_names():
    """List every public function, class, and method of a public class."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if not callable(value):
                continue
            yield f"{module_name}.{name}"
            if inspect.isclass(value):
                for method, function in inspect.getmembers(value, inspect.isfunction):
                    ours = function.__module__.startswith("mtconv")
                    if ours and not method.startswith("_"):
                        yield f"{module_name}.{name}.{method}"


def faults(name):
    found = numpydoc.validate(name)
    ignored = set(IGNORED)
    *_, parent, last = name.split(".")
    if found["type"] != "function" or parent[0].isupper() or last.endswith("Error"):
        ignored.add("EX01")  # the examples of a class show its methods, if it has any
    return [f"{code}: {text}" for code, text in found["errors"] if code not in ignored]


@pytest.mark.parametrize("name", list(public_names()))
def test_docstring_is_complete(name):
    assert faults(name) == []


def incomplete(x, y):
    """Add two numbers

    Parameters
    ----------
    x : int
    """
    return x + y


def test_the_test_above_can_fail():
    codes = {fault[:4] for fault in faults(f"{__name__}.incomplete")}
    assert {"SS03", "PR01", "PR07", "RT01"} <= codes
