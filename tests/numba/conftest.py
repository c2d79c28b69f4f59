"""Tests that compile kernels run where the backend is asked for, as `nox -s kernels` does.

Compiling takes seconds for every dtype; units and tables are tested without numba.
"""

import os

ASKED = "numba" in os.environ.get("MTCONV_TEST_BACKENDS", "").split(",")

collect_ignore = [] if ASKED else ["test_backend.py", "test_guards.py", "test_warm.py"]
