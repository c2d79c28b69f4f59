"""`mtconv verify`: it passes here, it sees what is wrong, and its exports can be read."""

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

import mtconv
from mtconv import compat
from mtconv.cli.main import main
from mtconv.compat.registry import FRAMEWORKS
from mtconv.verify import export_conformance, random_cases, read_conformance, verify
from mtconv.verify.frameworks import LAYERS, installed


@pytest.fixture
def wrong_polyphase(monkeypatch):
    """One algorithm that is off by one in the last element of convolutions."""
    right = mtconv.conv

    def wrong(*arrays, **options):
        got = right(*arrays, **options)
        if options["algorithm"] == "polyphase":
            got.flat[-1] += 1
        return got

    monkeypatch.setattr(mtconv, "conv", wrong)


def test_all_is_well_with_numpy():
    report = verify(seconds=0.5, backends=["numpy"])
    assert report.passed
    assert {line.algorithm for line in report.lines} >= {
        "gemm",
        "polyphase",
        "direct",
        "fft",
    }
    assert all(line.cases >= 3 for line in report.lines)


def test_an_error_is_seen_and_described(wrong_polyphase):  # noqa: ARG001
    report = verify(seconds=0.5, backends=["numpy"])
    assert not report.passed
    for line in report.lines:
        assert line.passed is (line.algorithm != "polyphase")
        if not line.passed:
            assert not line.failures["conv_transpose"]
            assert len(line.failures["conv"]) == line.cases
            assert "1 of" in line.failures["conv"][0]
            assert "o = " in line.failures["conv"][0]


def test_an_exception_is_a_failure(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("inside")  # noqa: EM101

    monkeypatch.setattr(mtconv, "kernel_grad", broken)
    report = verify(seconds=0.1, backends=["numpy"])
    assert report.lines[0].failures["kernel_grad"][0] == "ZeroDivisionError: inside"


def as_torch(monkeypatch, call):
    """Put a call in the place of torch's, which need not be installed."""
    row = replace(FRAMEWORKS["torch"], packages=("numpy",))
    monkeypatch.setitem(FRAMEWORKS, "torch", row)
    monkeypatch.setitem(LAYERS, "torch", call)
    return verify(seconds=0.3, backends=(), frameworks=["torch"])


def torch_by_loops(x, kernel, options):
    function = getattr(compat.torch, f"conv_transpose{x.ndim - 2}d")
    return function(x, kernel, **options)


def test_a_framework_is_right_if_its_converted_calls_are(monkeypatch):
    report = as_torch(monkeypatch, torch_by_loops)
    (line,) = report.lines
    assert (line.backend, line.algorithm) == ("compat.torch", "its own")
    assert report.passed
    assert line.cases >= 3
    assert line.failures == {"conv_transpose": []}


def test_what_a_framework_gets_wrong_is_described(monkeypatch):
    report = as_torch(monkeypatch, lambda *call: 1 + torch_by_loops(*call))
    (line,) = report.lines
    assert not report.passed
    assert len(line.failures["conv_transpose"]) == line.cases
    assert "torch with {'stride'" in line.failures["conv_transpose"][0]


def test_a_framework_may_refuse_some_calls_but_not_all(monkeypatch):
    def narrow(x, kernel, options):
        if options["groups"] > 1:
            raise NotImplementedError("groups")  # noqa: EM101
        return torch_by_loops(x, kernel, options)

    report = as_torch(monkeypatch, narrow)
    (line,) = report.lines
    assert report.passed
    assert 0 < len(line.refusals) < line.cases
    assert line.refusals[0].endswith("NotImplementedError: groups")
    assert not as_torch(monkeypatch, lambda *_: 1 / 0).passed


@pytest.mark.parametrize("name", list(installed()))
def test_installed_frameworks(name):
    report = verify(seconds=0, backends=(), frameworks=[name])
    assert report.passed
    assert [line.backend for line in report.lines] == [f"compat.{name}"]


def test_frameworks_are_left_out_where_backends_are_named(monkeypatch, capsys):
    as_torch(monkeypatch, torch_by_loops)
    lines = verify(seconds=0, backends=["sparse"]).lines
    assert [line.backend for line in lines] == ["sparse"]
    assert main(["verify", "--seconds", "0", "--framework", "torch"]) == 0
    assert "compat.torch  its own           3              ok     -" in (
        capsys.readouterr().out
    )


def test_progress_goes_up_to_one():
    shares = []
    verify(seconds=0.2, backends=["sparse"], progress=lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_terminal_sees_a_bar_that_is_wiped_at_the_end(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["verify", "--seconds", "0", "--backend", "sparse"]) == 0
    bars = capsys.readouterr().err.split("\r\033[K")
    assert bars[1:] == [
        *(f"[{'#' * 30}] sparse native: {n} problems" for n in (1, 2, 3)),
        "",
    ]


def test_what_is_not_installed_is_named_with_its_installation(capsys, monkeypatch):
    absent = {"jax": ("jax",), "cupy": ("cupy",)}
    monkeypatch.setattr("mtconv.verify.run.missing_packages", lambda n: absent.get(n, ()))
    monkeypatch.setattr("mtconv.verify.run.implementations", lambda _: [("numpy", "gemm")])
    monkeypatch.setattr("mtconv.verify.frameworks.find_spec", lambda _: None)
    assert main(["verify", "--seconds", "0"]) == 0
    out = capsys.readouterr().out
    assert "not installed: jax (jax): pip install 'mtconv[jax]'" in out
    assert "not installed: cupy (cupy)" in out


def test_failures_are_shown_in_full(capsys, wrong_polyphase):  # noqa: ARG001
    assert main(["verify", "--seconds", "0", "--backend", "numpy"]) == 1
    out = capsys.readouterr().out
    assert "numpy polyphase, conv:\nAssertionError: " in out
    assert out.rstrip().endswith("problems: NOT all right")


def test_the_command_says_so_and_exits_with_0(capsys):
    assert main(["verify", "--seconds", "0.2", "--backend", "numpy"]) == 0
    out = capsys.readouterr().out
    assert "all equal to the plain loops" in out
    assert out.startswith("backend  algorithm  problems")


def test_the_command_exits_with_1_where_anything_is_wrong(
    capsys,
    wrong_polyphase,  # noqa: ARG001
):
    assert main(["verify", "--seconds", "0.2", "--backend", "numpy", "--json"]) == 1
    got = json.loads(capsys.readouterr().out)
    assert got["passed"] is False
    assert [line["algorithm"] for line in got["lines"] if line["failures"]["conv"]] == [
        "polyphase"
    ]


def test_cases_are_a_function_of_seed_and_number():
    first, second = (list(islice(random_cases(), 20)) for _ in range(2))
    assert list(map(repr, first)) == list(map(repr, second))
    assert list(map(repr, first)) != list(map(repr, islice(random_cases(1), 20)))


def test_cases_reach_what_goes_wrong_elsewhere():
    cases = list(islice(random_cases(), 200))
    axes = [axis for case in cases for axis in case.spec.axes]
    assert any(axis.kernel < axis.stride for axis in axes)
    assert any(axis.lo < 0 for axis in axes)
    assert any(axis.lo >= axis.extent for axis in axes)
    assert {case.spec.rank for case in cases} == {1, 2, 3}
    assert any(
        case.spec.groups > 1 and case.spec.small_channels != case.spec.big_channels
        for case in cases
    )


def test_a_conformance_set_reads_back_what_was_written(tmp_path):
    path = export_conformance(tmp_path / "new" / "folder", cases=30)
    entries = list(read_conformance(path))
    assert len(entries) == 30
    for entry, case in zip(entries, random_cases(), strict=False):
        assert repr(entry.case) == repr(case)
        got = mtconv.conv_transpose(case.x, case.kernel, **case.options)
        np.testing.assert_array_equal(entry.conv_transpose, got)
        np.testing.assert_array_equal(
            entry.conv, mtconv.conv(case.y, case.kernel, **case.conv_options)
        )
        np.testing.assert_array_equal(
            entry.kernel_grad, mtconv.kernel_grad(case.x, case.y, **case.grad_options)
        )


def test_a_conformance_set_needs_nothing_but_its_own_numbers(tmp_path):
    # What an implementer in another language does: axes, arrays and the relation.
    whole = json.loads(export_conformance(tmp_path, cases=30).read_text())
    assert (whole["format"], whole["version"]) == ("mtconv-conformance", 1)
    for entry in whole["cases"]:
        if len(entry["axes"]) > 1:
            continue
        (axis,) = entry["axes"]
        x, w, wanted = (
            np.reshape(entry[name]["data"], entry[name]["shape"])
            for name in ("x", "kernel", "conv_transpose")
        )
        y = np.zeros_like(wanted)
        each = x.shape[1] // entry["groups"]
        for s in range(x.shape[1]):
            for c in range(w.shape[1]):
                for i in range(axis["small"]):
                    for j in range(axis["kernel"]):
                        o = axis["stride"] * i + axis["dilation"] * j - axis["lo"]
                        if 0 <= o < axis["big"]:
                            channel = s // each * w.shape[1] + c
                            y[:, channel, o] += x[:, s, i] * w[s, c, j]
        np.testing.assert_array_equal(y, wanted)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"format": "mtconv-conformance", "version": 99, "cases": []}')
    with pytest.raises(ValueError, match="not a mtconv-conformance file of version 1"):
        next(read_conformance(path))


def test_the_command_exports(tmp_path, capsys):
    assert main(["verify", "--export", str(tmp_path), "--cases", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "conformance-v1.json")
