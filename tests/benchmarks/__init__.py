"""Benchmarks: what `nox -s bench` runs; no test asserts a time."""
