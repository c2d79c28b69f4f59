"""Public docstrings are complete by numpydoc's rules, each with an example."""

import importlib
import inspect

import pytest

from mtconv import compat

numpydoc = pytest.importorskip("numpydoc.validate")
for package in ("matplotlib", "hypothesis", "jax", "flax", "equinox"):
    pytest.importorskip(package)

CALLS = [f"mtconv.compat.{name}" for name in compat.__all__ if "convert" not in name]
MODULES = (
    "mtconv",
    "mtconv.backends",
    "mtconv.testing",
    "mtconv.strategies",
    "mtconv.verify",
    "mtconv.drawing",
    "mtconv.sharding",
    "mtconv.streaming",
    "mtconv.rewrite",
    "mtconv.nn.flax",
    "mtconv.nn.equinox",
    "mtconv.compat",
    *CALLS,
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
                    field = method in getattr(value, "__dataclass_fields__", ())
                    ours = function.__module__.startswith("mtconv") and not field
                    if ours and not method.startswith("_"):
                        yield f"{module_name}.{name}.{method}"


def faults(name):
    got = numpydoc.validate(name)
    ignored = set(IGNORED)
    *_, parent, last = name.split(".")
    if got["type"] != "function" or parent[0].isupper() or last.endswith("Error"):
        ignored.add("EX01")  # the examples of a class show its methods, if it has any
    return [f"{code}: {text}" for code, text in got["errors"] if code not in ignored]


@pytest.mark.parametrize("name", list(public_names()))
def test_docstring_is_complete(name):
    assert faults(name) == []


@pytest.mark.parametrize(
    "name",
    [
        f"{module}.{name}"
        for module in ("mtconv.functional", "mtconv.sharding", *CALLS)
        for name in importlib.import_module(module).__all__
        if name not in ("Traffic", "traffic", "apply_spec")
    ],
)
def test_whoever_calls_a_map_reads_of_dtypes_errors_and_costs(name):
    module, _, function = name.rpartition(".")
    text = getattr(importlib.import_module(module), function).__doc__.lower()
    assert [word for word in ("dtype", "error", "cost") if word not in text] == []


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
