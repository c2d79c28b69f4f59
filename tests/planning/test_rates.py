"""Stored rates: what is written is read back, and anything else is left aside."""

from __future__ import annotations

import json
import warnings

import pytest

from mtconv.planning import rates
from mtconv.planning.rates import SHIPPED, WarmState, stored, write_stored

STATE = WarmState(SHIPPED._replace(tile=1e-9), "digest", ("float32", "int64"))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file for the rates, in a folder that is not there yet."""
    file = tmp_path / "folder" / "rates.json"
    monkeypatch.setattr(rates, "rates_file", lambda: file)
    stored.cache_clear()
    yield file
    stored.cache_clear()


@pytest.fixture
def document(path):
    write_stored(path, STATE)
    return json.loads(path.read_text())


def refusal(path):
    """Return the one warning about a file that is left aside."""
    with pytest.warns(RuntimeWarning) as caught:
        assert stored() is None
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith(f"mtconv ignores {path}: ")
    assert text.endswith(". `mtconv warm` writes it anew.")
    return text.removeprefix(f"mtconv ignores {path}: ")


def test_what_is_written_is_read_once(path):
    assert stored() is None
    stored.cache_clear()
    write_stored(path, STATE)
    assert stored() == STATE
    path.unlink()
    assert stored() == STATE
    assert list(path.parent.iterdir()) == []


def test_it_is_written_over_in_one_step(path):
    write_stored(path, STATE)
    other = STATE._replace(kernels="other")
    write_stored(path, other)
    assert stored() == other
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text().endswith("}\n")


def test_nothing_is_stored_without_a_place(monkeypatch):
    monkeypatch.setattr(rates, "rates_file", lambda: None)
    stored.cache_clear()
    assert stored() is None
    stored.cache_clear()


@pytest.mark.parametrize("machine", ["00000000", "ffffffff", "", "~"])
def test_rates_of_another_machine_are_left_aside(path, document, machine):
    path.write_text(json.dumps({**document, "machine": machine}))
    assert refusal(path).startswith("ValueError: it is of another machine. ")


@pytest.mark.parametrize("rate", SHIPPED._fields)
@pytest.mark.parametrize("seconds", [0, -1e-9, 1e-15, 1, 2.0, float("nan")])
def test_a_rate_is_a_time_between_a_femtosecond_and_a_second(path, document, rate, seconds):
    document["rates"][rate] = seconds
    path.write_text(json.dumps(document))
    reason = "ValueError: a rate is no number of seconds between 1e-15 and 1. "
    assert refusal(path).startswith(reason)


@pytest.mark.parametrize("seconds", [1.1e-15, 0.99])
def test_slow_and_fast_machines_have_rates_too(path, document, seconds):
    document["rates"]["tile"] = seconds
    path.write_text(json.dumps(document))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stored().rates == SHIPPED._replace(tile=seconds)


@pytest.mark.parametrize("part", ["machine", "rates", "kernels", "dtypes"])
def test_a_part_that_is_missing_is_named(path, document, part):
    del document[part]
    path.write_text(json.dumps(document))
    assert refusal(path).startswith(f"KeyError: '{part}'. ")


@pytest.mark.parametrize(
    ("text", "error"), [("{", "JSONDecodeError"), ("[]", "TypeError"), ("", "JSONDecode")]
)
def test_a_file_of_something_else_is_left_aside(path, text, error):
    path.parent.mkdir()
    path.write_text(text)
    assert refusal(path).startswith(error)


def test_a_file_that_cannot_be_read_is_left_aside(path):
    path.mkdir(parents=True)
    assert refusal(path).split(":")[0] in ("IsADirectoryError", "PermissionError")


def test_every_machine_has_a_file_of_its_own():
    pytest.importorskip("platformdirs")
    path = rates.rates_file()
    assert path.name.startswith("rates-")
    assert path.suffix == ".json"
    number = path.stem.removeprefix("rates-")
    assert len(number) == 8
    assert int(number, 16) >= 0
    assert path.parent.name in ("mtconv", "Cache")


def test_rates_of_the_process_are_those_that_are_shipped_or_stored(path, monkeypatch):
    """The tests run with those that are shipped; without that, what is stored counts."""
    write_stored(path, STATE)
    ask = rates._rates_of_process  # kept for the process, so asked without the cache
    assert ask.__wrapped__() == rates.current_rates() == SHIPPED
    monkeypatch.delenv("MTCONV_RATES")
    assert ask.__wrapped__() == STATE.rates
    path.unlink()
    stored.cache_clear()
    assert ask.__wrapped__() == SHIPPED
