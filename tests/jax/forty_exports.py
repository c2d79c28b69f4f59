"""Forty geometries under jax.export with symbolic batch and space; takes minutes.

`nox -s tracing` runs them; `test_symbolic_sizes.py` has a few.
"""

import pytest

from tests.geometries import GEOMETRIES
from tests.jax import exports

every = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


@every
def test_a_saved_program_gives_what_loops_give(geometry):
    exports.a_saved_program_gives_what_loops_give(geometry, calls=3)


@every
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_programs_for_accelerators_are_written(geometry, platform):
    assert exports.exported(geometry, platforms=[platform]).serialize()
