"""What runs files in other runtimes: it sees each kind of failure, and says it briefly."""

import json
from pathlib import Path

import pytest

from mtconv.verify import export_conformance
from tests.verify import broken, sweep
from tests.verify.causes import causes, module_properties, node_properties
from tests.verify.implementers import agrees, reason_of
from tests.verify.plain import as_stablehlo_says
from tests.verify.smallest import smallest_node, written
from tests.verify.smallest_module import smallest_module
from tests.verify.sweep import outcome, outcomes


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Transposed convolutions of the core set."""
    pytest.importorskip("onnx")
    root = export_conformance(tmp_path_factory.mktemp("core"), format="onnx")
    return sorted((root / "node").glob("convtranspose_*"))


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Random modules."""
    root = export_conformance(tmp_path_factory.mktemp("random"), 80, "stablehlo")
    return sorted(root.glob("*.mlir"))


def kinds(results):
    return {path.name: kind for path, (kind, _) in results.items() if kind != "equal"}


def test_a_right_runtime_has_equal_values_alone(nodes, tmp_path):
    results = outcomes(broken.right, nodes, tmp_path / "results")
    assert list(results) == nodes
    assert kinds(results) == {}


def test_a_process_that_ends_is_started_again_behind_the_file(nodes, tmp_path):
    chosen = [path for path in nodes if "groups" in path.name or "1d" in path.name]
    results = outcomes(broken.ends_the_process, chosen, tmp_path / "results")
    assert list(results) == chosen
    assert set(kinds(results).values()) == {"crashed"}
    assert set(kinds(results)) == {path.name for path in chosen if "groups" in path.name}
    assert {detail for kind, detail in results.values() if kind == "crashed"} == {
        "exit status 3"
    }


def test_a_process_that_hangs_is_ended(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "SECONDS", 8.0)
    chosen = [path for path in nodes if path.name.endswith(("depthwise", "plain_1d"))]
    results = outcomes(broken.hangs, chosen, tmp_path / "results")
    assert kinds(results) == {"convtranspose_depthwise": "crashed"}
    assert results[chosen[0]][1] == "no result after 8 s"


def test_what_has_a_result_is_not_run_again(nodes, tmp_path):
    line = [str(nodes[0]), "refused", "ValueError: as it was"]
    (tmp_path / "results").write_text(json.dumps(line) + "\n")
    results = outcomes(broken.right, nodes[:2], tmp_path / "results")
    assert results[nodes[0]] == ("refused", "ValueError: as it was")
    assert results[nodes[1]][0] == "equal"


def test_properties_that_all_failures_have_are_found(nodes):
    run = broken.ignores_output_padding_of_groups
    failed = [path for path in nodes if outcome(run, path)[0] == "shape"]
    assert failed
    properties = {path: node_properties(path) for path in nodes}
    failed.append(Path("another"))
    properties[failed[-1]] = {"groups", "`output_padding`"}
    known, rest = causes(properties, failed, failed)
    assert known[0].words == ("`output_padding`", "groups")
    assert rest == []


def test_what_no_property_explains_remains():
    a, b, c = map(Path, "abc")
    properties = {a: {"stride"}, b: {"stride"}, c: {"stride", "groups"}}
    assert causes(properties, [a], [a]) == ([], [a])


def test_a_node_is_made_as_small_as_it_still_fails(nodes):
    (folder,) = (path for path in nodes if path.name.endswith("three_axes_everything"))
    smaller = smallest_node(broken.negates_dilated, folder, "values")
    assert written(smaller[0], *smaller[1]) == (
        "ConvTranspose: X (1, 1, 1), W (1, 1, 1), dilations=[2]"
    )
    smaller = smallest_node(broken.ignores_output_padding_of_groups, folder, "shape")
    assert written(smaller[0], *smaller[1]) == (
        "ConvTranspose: X (1, 2, 1), W (2, 1, 1), group=2, output_padding=[1], strides=[2]"
    )


def test_a_module_is_made_as_small_as_it_still_fails(modules):
    run = broken.adds_to_negative_pads_of_groups
    failed = [path for path in modules if outcome(run, path)[0] == "values"]
    assert len(failed) > 2
    known, _ = causes({path: module_properties(path) for path in modules}, failed, failed)
    assert "negative pads" in known[0].words
    text = smallest_module(run, failed[0], "values", 0)
    result, expected = as_stablehlo_says(text)
    assert result.size == expected.size <= 4
    assert (result == expected).all()


def test_a_file_that_plain_loops_do_not_agree_with_is_seen(nodes, modules, tmp_path):
    assert all(map(agrees, [*nodes[:5], *modules[:5]]))
    text = modules[0].read_text()
    head, _, tail = text.partition("expect_eq_const %0, dense<[")
    changed = tmp_path / modules[0].name
    changed.write_text(f"{head}expect_eq_const %0, dense<[{tail.replace('1', '7', 1)}")
    assert changed.read_text() != text
    assert not agrees(changed)


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ("ValueError: cannot reshape 16 into (1, 8)", "ValueError: cannot reshape into"),
        ("ToolError: at\n<stdin>:6:10: error: no shape 3\n", "ToolError: no shape"),
    ],
)
def test_reasons_do_not_depend_on_sizes(detail, reason):
    assert reason_of(detail) == reason
