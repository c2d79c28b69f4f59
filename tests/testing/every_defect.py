"""Every defect is caught within ten seconds of a processor, every style passes 20 times.

For a session of its own: `python -m nox -s checkers`.
"""

from time import process_time

import pytest

from mtconv.testing import assert_adjoint, assert_matches_reference
from tests.testing.adjoint_defects import DEFECTS, POINT
from tests.testing.defects import all_defects
from tests.testing.styles import STYLES


@pytest.mark.parametrize("name", all_defects())
def test_caught_in_time(name):
    start = process_time()
    with pytest.raises(AssertionError, match=r"^conv_transpose\(x="):
        assert_matches_reference(all_defects()[name])
    seconds = process_time() - start
    print(f"{name}: {seconds:.2f} s")
    assert seconds < 10


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("time", range(20))
def test_right_implementations_pass_every_time(style, time):
    assert assert_matches_reference(STYLES[style]).dtypes, time


@pytest.mark.parametrize("time", range(20))
@pytest.mark.parametrize("name", DEFECTS)
def test_defects_of_a_pair_are_caught_every_time(name, time):
    f, f_transposed = DEFECTS[name]()
    with pytest.raises(AssertionError):
        assert_adjoint(f, f_transposed, POINT + time)
