"""`mtconv warm`, the rates that it stores, and who goes to the kernels afterwards."""

import json
import os
import subprocess
import sys

import pytest

from mtconv.planning import rates

pytest.importorskip("numba")
pytest.importorskip("platformdirs")
warm = pytest.importorskip("mtconv.backends._numba.warm")

WHO = """
import numpy, mtconv, sys
from mtconv.backends.dispatch import neutral_backend
x = numpy.ones((1, 2, 9), {dtype!r})
mtconv.conv(x, numpy.ones((3, 2, 4), {dtype!r}))
print(neutral_backend({dtype!r}), "numba" in sys.modules)
"""


def run(home, *arguments, **variables):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MTCONV_", "NUMBA_"))}
    environment = {**kept, "XDG_CACHE_HOME": str(home), "HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )


def who(home, dtype="float64", **variables):
    done = run(home, "-c", WHO.format(dtype=dtype), **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home where `mtconv warm` has run for one dtype."""
    home = tmp_path_factory.mktemp("home")
    assert who(home)[0] == ["numpy", "False"]  # before
    done = run(home, "-m", "mtconv", "warm", "--dtype", "float64")
    assert done.returncode == 0, done.stderr
    assert "compiled for float64 in" in done.stdout
    return home


def file_of(home):
    return next(home.rglob("rates-*.json"))


def test_warmed_dtypes_go_to_the_kernels_and_others_to_numpy(home):
    assert who(home)[0] == ["numba", "True"]
    assert who(home, "float32")[0] == ["numpy", "False"]


def test_explain_says_what_is_warmed_and_which_rates_are_used(home):
    words = ("-m", "mtconv", "explain", "1,2,9", "2,3,4", "--backend", "numba")
    told = run(home, *words).stdout
    assert "numba is installed, warmed for float64; the rates are measured here" in told
    told = run(home, *words, MTCONV_NUMBA="0", MTCONV_RATES="default").stdout
    assert "warmed for no dtype; the rates are those that mtconv ships" in told


def test_a_variable_turns_the_kernels_off(home):
    assert who(home, MTCONV_NUMBA="0")[0] == ["numpy", "False"]


def test_stored_rates_are_used_unless_a_variable_says_default(home):
    code = "from mtconv.planning.rates import *; print(current_rates() == SHIPPED)"
    assert run(home, "-c", code).stdout == "False\n"
    assert run(home, "-c", code, MTCONV_RATES="default").stdout == "True\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"machine": "another"}', "it is of another machine"),
    ],
)
def test_a_damaged_or_foreign_file_is_ignored_with_one_warning(home, text, words):
    path = file_of(home)
    before = path.read_text()
    path.write_text(text)
    try:
        names, warnings = who(home)
    finally:
        path.write_text(before)
    assert names == ["numpy", "False"]
    assert warnings.count("mtconv ignores") == 1
    assert words in warnings


def test_a_rate_that_is_no_time_is_damage(home):
    path = file_of(home)
    before = path.read_text()
    document = json.loads(before)
    document["rates"]["tile"] = 0
    path.write_text(json.dumps(document))
    try:
        warnings = who(home)[1]
    finally:
        path.write_text(before)
    assert "a rate is no number of seconds" in warnings


def test_an_unknown_dtype_is_refused_before_anything_is_compiled(tmp_path):
    done = run(tmp_path, "-m", "mtconv", "warm", "--dtype", "complex64")
    assert done.returncode == 2
    assert "must be one that there are kernels for: float32, float64" in done.stderr


def test_a_cache_that_cannot_be_written_leaves_calls_as_they_were(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    code = (
        "import mtconv, numpy; x = numpy.ones((1, 1, 3)); "
        "print(mtconv.conv(x, numpy.ones((1, 1, 2)), backend='numba').tolist())"
    )
    done = run(blocked, "-c", code)
    assert done.stdout == "[[[2.0, 2.0]]]\n", done.stderr


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "rates.json"
    got = rates.WarmState(rates.SHIPPED, "digest", ("float32",))
    rates.write_stored(path, got)
    assert rates._parsed(json.loads(path.read_text())) == got


def test_rates_solve_the_two_measured_problems():
    # Two and one nanoseconds: 10 * 2 + 1 * 1 = 21, and 1 * 2 + 2 * 1 = 4.
    rates_of_two = warm.solve_rates([(10, 1), (1, 2)], [21e-9, 4e-9])
    assert rates_of_two == pytest.approx((2e-9, 1e-9))


@pytest.mark.parametrize("flat", [1e-12, 1.0])
def test_a_disturbed_measurement_leaves_the_ratio_of_rates_within_two(flat):
    tile, move = warm.solve_rates([(10, 1), (1, 2)], [21e-9, flat])
    assert 10 * tile + move == pytest.approx(21e-9)
    shipped = rates.SHIPPED.tile / rates.SHIPPED.move
    assert tile / move == pytest.approx(2 * shipped if flat < 1e-9 else shipped / 2)
