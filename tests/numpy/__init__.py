"""Tests of what only the NumPy backend promises."""
