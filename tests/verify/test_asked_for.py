"""What was asked for must run; what cannot start otherwise is skipped, and named."""

import sys
from dataclasses import replace

import pytest

import mtconv
from mtconv.cli.main import main
from mtconv.compat.registry import FRAMEWORKS
from mtconv.verify import Report, Tally, verify


@pytest.fixture
def without_torch(monkeypatch):
    got = mtconv.verify.frameworks.find_spec
    hidden = ("torch", "keras")
    monkeypatch.setattr(
        "mtconv.verify.frameworks.find_spec", lambda n: None if n in hidden else got(n)
    )


@pytest.fixture
def keras_without_engine(monkeypatch, tmp_path):
    """A package keras that raises when it is imported, as the real one does."""
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError('No module tensorflow')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)


def test_a_framework_that_is_not_installed_is_an_error(without_torch, capsys):  # noqa: ARG001
    with pytest.raises(ImportError) as caught:
        verify(seconds=0, backends=(), frameworks=["torch"])
    assert str(caught.value) == (
        "torch was asked for, but torch cannot be found here. Install it with: pip install "
        "torch"
    )
    assert main(["verify", "--framework", "torch"]) == 2
    assert capsys.readouterr().err == f"mtconv verify: error: {caught.value}\n"


def test_a_framework_that_cannot_start_is_skipped_and_named(
    keras_without_engine,  # noqa: ARG001
    monkeypatch,
    capsys,
):
    monkeypatch.setattr("mtconv.verify.run.implementations", lambda _: [("numpy", "gemm")])
    monkeypatch.setattr("mtconv.verify.frameworks.live", lambda: iter(["keras"]))
    report = verify(seconds=0)
    assert report.passed
    assert report.skipped == {"keras": "ModuleNotFoundError: No module tensorflow"}
    assert main(["verify", "--seconds", "0"]) == 0
    out = capsys.readouterr().out
    assert "cannot run here: keras: ModuleNotFoundError: No module tensorflow" in out


def test_a_framework_that_cannot_start_and_was_asked_for_is_an_error(
    keras_without_engine,  # noqa: ARG001
    capsys,
):
    assert main(["verify", "--framework", "keras", "--seconds", "0"]) == 2
    assert capsys.readouterr().err == (
        "mtconv verify: error: keras was asked for, but cannot start: ModuleNotFoundError: "
        "No module tensorflow\n"
    )


def test_a_backend_that_is_not_installed_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr("mtconv.verify.run.missing_packages", lambda _: ("cupy",))
    assert main(["verify", "--backend", "cupy", "--seconds", "0"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "mtconv verify: error: cupy was asked for, but cupy cannot be found"
    )
    assert "pip install 'mtconv[cupy]'" in err


def test_nothing_that_ran_is_not_a_pass():
    assert not Report([]).passed
    assert not Report([Tally("compat.torch", "its own")]).passed
    assert Report([Tally("numpy", "gemm", cases=3)]).passed


def test_a_framework_that_refuses_everything_has_not_passed(monkeypatch):
    row = replace(FRAMEWORKS["torch"], packages=("numpy",))
    monkeypatch.setitem(FRAMEWORKS, "torch", row)
    monkeypatch.setattr("mtconv.verify.frameworks.run", lambda *_: 1 / 0)
    report = verify(seconds=0, backends=(), frameworks=["torch"])
    assert not report.passed
    assert report.lines[0].refusals[0].endswith("ZeroDivisionError: division by zero")


def test_a_framework_that_can_say_nothing_does_not_run_forever(monkeypatch):
    row = replace(FRAMEWORKS["torch"], packages=("numpy",))
    monkeypatch.setitem(FRAMEWORKS, "torch", row)
    monkeypatch.setattr("mtconv.verify.frameworks.converted", lambda *_: None)
    report = verify(seconds=0, backends=(), frameworks=["torch"])
    assert (report.passed, report.lines[0].cases) == (False, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"seconds": float("nan")},
            "verify: `seconds` must be a finite number of seconds, and not negative; got "
            "nan.",
        ),
        (
            {"seconds": -5},
            "verify: `seconds` must be a finite number of seconds, and not negative; got "
            "-5.",
        ),
        ({"seed": -1}, "verify: `seed` must be an integer, and not negative; got -1."),
        (
            {"backends": ()},
            "verify: `backends` must name at least one, or nothing would be checked; got "
            "none.",
        ),
    ],
)
def test_numbers_and_names_that_cannot_be_asked_for(options, message):
    with pytest.raises(mtconv.GeometryError) as caught:
        verify(**options)
    assert str(caught.value) == message


def test_names_that_are_not_known():
    with pytest.raises(mtconv.GeometryError, match=r"`backends` .* Did you mean 'numpy'\?"):
        verify(backends=["nunpy"])
    with pytest.raises(mtconv.GeometryError, match=r"`frameworks` .*; got 'theano'\."):
        verify(frameworks=["theano"])
