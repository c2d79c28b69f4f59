"""Random calls over each framework's whole option space, compared with the framework live.

What a framework refuses mtconv refuses too, and results without an element count as
refused. ``MTCONV_CALLS`` is the number of legal calls compared for each framework.
"""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import mtconv
from tests.compat.deviations import DEVIATIONS
from tests.compat.draws import DRAWS
from tests.compat.pins import ours, pinned
from tests.compat.real import run
from tests.conformance.conftest import FRAMEWORKS

CALLS = int(os.environ.get("MTCONV_CALLS", "300"))
REFUSALS = (mtconv.GeometryError, mtconv.BackendError)


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.filterwarnings("ignore")  # the frameworks' own
def test_random_calls(name, same, record_property):
    rng = np.random.default_rng(int(os.environ.get("MTCONV_SEED", "0")))
    legal = refused = 0
    while legal < CALLS:
        drawn = DRAWS[name](rng)
        try:
            expected = run(name, drawn)
        except Exception:
            expected = np.empty(0)
        if expected.size:
            same(ours(drawn, "numpy"), expected)
            same(ours(drawn, "jax"), expected)
            legal += 1
        else:
            with pytest.raises(REFUSALS):
                ours(drawn, "numpy")
            refused += 1
    record_property("cases", legal)
    print(f"\n{name}: {legal} calls equal on NumPy and JAX, {refused} refused by both")


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.filterwarnings("ignore")
def test_pinned_results_are_still_what_the_framework_gives(name, same):
    for drawn, expected in pinned(name):
        same(run(name, drawn), expected)


@pytest.mark.skipif("equinox" not in FRAMEWORKS, reason="equinox is not asked for")
def test_xla_still_aborts_on_a_grouped_volume_of_equinox():
    """What `tests.compat.real` gets round by leaving out a pass of the compiler."""
    abort = """
import jax, equinox
jax.config.update("jax_enable_x64", True)
layer = equinox.nn.ConvTranspose(
    3, 3, 6, (2, 3, 3), (2, 2, 1), padding=((1, 1), (1, -1), (0, 0)), groups=3,
    key=jax.random.key(0),
)
layer(jax.numpy.ones((3, 3, 1, 3)))
"""
    done = subprocess.run([sys.executable, "-c", abort], capture_output=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert b"Window dimensions do not match" in done.stderr


@pytest.mark.parametrize("case", [d for d in DEVIATIONS if d.framework in FRAMEWORKS])
@pytest.mark.filterwarnings("ignore")
def test_deviations_are_still_there(case, same):
    """A framework that has changed its mind takes its entry out of the list."""
    try:
        got = run(case.framework, case.drawn)
    except Exception:
        got = None
    if case.theirs is None:
        assert got is None or got.size == 0
    else:
        same(got, case.theirs)
