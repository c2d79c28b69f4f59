"""Tests with the real packages of others; each file is run where its package is."""

from importlib.util import find_spec

collect_ignore = [
    f"test_{package}.py" for package in ("pylops", "lineax") if find_spec(package) is None
]
