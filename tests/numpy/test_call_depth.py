"""A repeated call is short: few files of the package, and few of its functions."""

from __future__ import annotations

import mtconv
from tests.heavy.call_depth import calls_of, layer


def test_a_repeated_call_enters_12_files_and_makes_150_calls():
    with mtconv.workers(1):
        seen = calls_of(*layer())
    files = {file for file, _ in seen}
    assert "functional.py" in files
    assert len(files) <= 12, sorted(files)
    assert sum(seen.values()) <= 150
