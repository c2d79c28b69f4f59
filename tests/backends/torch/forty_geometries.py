"""Forty geometries compiled with sizes that vary, in three modes; takes many minutes."""

from __future__ import annotations

import pytest

from tests.backends.torch import checks
from tests.geometries import GEOMETRIES, Geometry

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
every = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


@every
@pytest.mark.parametrize("mode", checks.MODES)
def test_two_programs_do_for_all_sizes(geometry: Geometry, mode: str) -> None:
    checks.two_programs_do_for_all_sizes(geometry, mode)


@every
def test_gradients_are_those_of_loops(geometry: Geometry) -> None:
    checks.gradients_are_those_of_loops(geometry)


@every
def test_transforms_inside_of_compiled_programs(geometry: Geometry) -> None:
    checks.transforms_are_those_of_loops(geometry, inside=True)


@every
def test_transforms_of_plain_calls(geometry: Geometry) -> None:
    checks.transforms_are_those_of_loops(geometry, inside=False)


@every
def test_a_saved_program_gives_what_loops_give(geometry: Geometry) -> None:
    checks.a_saved_program_gives_what_loops_give(geometry)
