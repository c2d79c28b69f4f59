"""Folders of the package are attributes after `import mtconv`, loaded when asked for."""

import subprocess
import sys

import pytest

import mtconv

MODULES = ("compat", "drawing", "kernels", "nn", "strategies", "streaming", "testing")

PROBE = """
import sys
import mtconv
assert not [name for name in sys.modules if name.startswith("mtconv.{0}")]
assert "{0}" in dir(mtconv)
assert mtconv.{0}.__name__ == "mtconv.{0}"
assert mtconv.{0} is sys.modules["mtconv.{0}"]
"""


@pytest.mark.parametrize("name", MODULES)
def test_attributes_are_imported_when_they_are_asked_for(name):
    subprocess.run([sys.executable, "-c", PROBE.format(name)], check=True)


def test_without_its_library_a_module_is_no_attribute():
    code = """
import sys
sys.modules["hypothesis"] = None
import mtconv
assert not hasattr(mtconv, "strategies")
try:
    mtconv.strategies
except AttributeError as error:
    assert str(error).startswith("mtconv.strategies cannot be imported here: "), error
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="module 'mtconv' has no attribute 'compta'"):
        mtconv.compta  # noqa: B018
