"""The core set in its three formats: every defect, and every misreading, fails in it."""

import numpy as np
import pytest

from mtconv import GeometryError
from mtconv.cli.main import main
from mtconv.verify import export_conformance
from mtconv.verify.core import core_cases
from tests.testing.styles import STYLES
from tests.verify.defects import DEFECTS
from tests.verify.mistakes import CONV_MISTAKES, MISTAKES
from tests.verify.plain import as_stablehlo_says, correlate
from tests.verify.readers import ONNX_CONV, READERS


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export each format once."""
    folder, paths = tmp_path_factory.mktemp("core"), {}

    def export(form):
        if form == "onnx":
            pytest.importorskip("onnx")
        if form not in paths:
            paths[form] = export_conformance(folder, format=form)
        return paths[form]

    return export


def run(call, case):
    return np.asarray(call(case.x, case.kernel, case.bias, **case.options))


def is_wrong(call, case):
    """Return whether a call raises, or gives anything but the expected result."""
    try:
        result = run(call, case)
    except (ValueError, IndexError):
        return True
    return result.shape != case.result.shape or (result != case.result).any()


def failures(reader, path, mistake, call):
    """Count the problems that a reader with a mistake cannot read, or gets wrong."""
    count = 0
    for record in reader.records(path):
        try:
            case = reader.call(mistake(record))
        except (ValueError, IndexError):
            count += 1
        else:
            count += is_wrong(call, case)
    return count


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("style", STYLES)
def test_right_implementations_pass(exported, form, style):
    cases = list(READERS[form](exported(form)))
    assert len(cases) >= 28
    for case in cases:
        np.testing.assert_array_equal(run(STYLES[style], case), case.result, case.name)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_fails_at_least_two_cases(exported, form, defect):
    cases = list(READERS[form](exported(form)))
    for style, right in STYLES.items():

        def wrong(*arrays, call=right, **options):
            return DEFECTS[defect](call, *arrays, **options)

        failed = [case.name for case in cases if is_wrong(wrong, case)]
        assert len(failed) >= 2, (defect, style, failed)


@pytest.mark.parametrize(
    ("form", "mistake"), [(form, name) for form in READERS for name in MISTAKES[form]]
)
def test_every_misreading_fails_at_least_two_cases(exported, form, mistake):
    path, change = exported(form), MISTAKES[form][mistake]
    assert failures(READERS[form], path, lambda record: record, STYLES["scatter"]) == 0
    assert failures(READERS[form], path, change, STYLES["scatter"]) >= 2


def test_a_right_convolution_passes_the_nodes_of_conv(exported):
    cases = list(ONNX_CONV(exported("onnx")))
    assert len(cases) >= 28
    for case in cases:
        np.testing.assert_array_equal(run(correlate, case), case.result, case.name)


@pytest.mark.parametrize("mistake", CONV_MISTAKES)
def test_every_misreading_fails_at_least_two_nodes_of_conv(exported, mistake):
    change = CONV_MISTAKES[mistake]
    assert failures(ONNX_CONV, exported("onnx"), change, correlate) >= 2


def files_of(path):
    """Read everything below a folder, or one file, by its name."""
    paths = [path] if path.is_file() else sorted(path.rglob("*"))
    root = path.parent if path.is_file() else path
    return {str(p.relative_to(root)): p.read_bytes() for p in paths if p.is_file()}


@pytest.mark.parametrize("form", READERS)
def test_files_are_the_same_each_time_and_small(exported, form, tmp_path):
    files = files_of(exported(form))
    size = sum(map(len, files.values())) / 1000
    assert size == pytest.approx(
        {"json": 81, "onnx": 102, "stablehlo": 201}[form], rel=0.05
    )
    assert files_of(export_conformance(tmp_path, format=form)) == files


def test_values_are_small_integers(exported):
    for form, reader in READERS.items():
        for case in reader(exported(form)):
            for array, most in ((case.x, 4), (case.kernel, 4), (case.result, 999)):
                assert np.abs(array).max() <= most
                assert (array == np.round(array)).all()


def test_biases_are_small_or_odd(exported):
    biases = [
        c.bias.tolist() for c in READERS["onnx"](exported("onnx")) if c.bias is not None
    ]
    odd = [bias for bias in biases if bias == list(range(1, 2 * len(bias), 2))]
    assert len(odd) == 13
    assert all(max(map(abs, bias)) <= 4 for bias in biases if bias not in odd)


def test_how_many_problems_there_are():
    cases = [core.case for core in core_cases()]
    assert len(cases) == 76
    ends = [np.ravel(case.options["padding"]) for case in cases]
    assert sum(min(row) < 0 for row in ends) == 7


def test_names_are_unique_and_say_something():
    names = [core.name for core in core_cases()]
    assert len(names) == len(set(names)) >= 30
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize("form", ["json", "stablehlo"])
def test_the_command_writes_each_format(capsys, tmp_path, form):
    assert main(["verify", "--export", str(tmp_path), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(str(tmp_path))


@pytest.mark.parametrize("form", READERS)
def test_random_files_depend_on_the_seed_and_the_number_alone(form, tmp_path):
    if form == "onnx":
        pytest.importorskip("onnx")

    def export(name, *choice):
        return files_of(export_conformance(tmp_path / name, choice[0], form, *choice[1:]))

    files = export("first", 12, 7)
    assert export("again", 12, 7) == files
    assert export("other", 12, 8) != files
    assert export("default", 12) == export("zero", 12, 0)
    if form != "json":
        longer = export("longer", 15, 7)
        assert len(longer) > len(files)
        assert files.items() <= longer.items()


def test_random_nodes_have_the_values_of_plain_loops(tmp_path):
    pytest.importorskip("onnx")
    root = export_conformance(tmp_path, 150, "onnx", seed=5)
    cases = [(READERS["onnx"], STYLES["scatter"]), (ONNX_CONV, correlate)]
    for reader, call in cases:
        read = list(reader(root))
        assert len(read) > 30
        for case in read:
            np.testing.assert_array_equal(run(call, case), case.result, case.name)


def test_modules_have_the_values_of_their_definition(exported, tmp_path):
    random = export_conformance(tmp_path, 60, "stablehlo", seed=5)
    paths = [*exported("stablehlo").glob("*.mlir"), *random.glob("*.mlir")]
    assert len(paths) > 140
    for path in paths:
        result, expected = as_stablehlo_says(path.read_text())
        np.testing.assert_array_equal(result, expected, path.name)


def test_the_command_takes_a_seed(capsys, tmp_path):
    words = ["--format", "stablehlo", "--cases", "3", "--seed", "7"]
    assert main(["verify", "--export", str(tmp_path / "a"), *words]) == 0
    root = export_conformance(tmp_path / "b", 3, "stablehlo", 7)
    assert files_of(tmp_path / "a" / "stablehlo") == files_of(root)
    assert capsys.readouterr().out == f"{tmp_path / 'a' / 'stablehlo'}\n"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"cases": 0}, "`cases` must be an integer from 1 to 100000; got 0."),
        ({"cases": True}, "`cases` must be an integer from 1 to 100000; got True."),
        ({"cases": 10**20}, f"`cases` must be an integer from 1 to 100000; got {10**20}."),
        ({"seed": 1.0}, "`seed` must be an integer, and not negative; got 1.0."),
    ],
)
def test_numbers_that_are_none(tmp_path, choice, message):
    with pytest.raises(GeometryError) as error:
        export_conformance(tmp_path / "x", **choice)
    assert str(error.value) == f"verify: {message}"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("form", "others"),
    [
        # The third random node has a bias with the first seed only.
        ("onnx", "9 of them, the first node/convtranspose_random_000002/test_data_set_0/i"),
        ("stablehlo", "4 of them, the first random_000000_conv_transpose.mlir"),
    ],
)
def test_files_of_another_export_are_not_mixed_with_new_ones(form, others, tmp_path):
    if form == "onnx":
        pytest.importorskip("onnx")
    root = export_conformance(tmp_path, 6, form, seed=0)
    files = files_of(root)
    assert files_of(export_conformance(tmp_path, 6, form, seed=0)) == files
    with pytest.raises(GeometryError) as error:
        export_conformance(tmp_path, 6, form, seed=1)
    assert f"got {root} with {others}" in str(error.value)
    assert files_of(root) == files
    with pytest.raises(GeometryError, match="without other files"):
        export_conformance(tmp_path, format=form)


def test_folders_of_users_are_not_touched(tmp_path):
    (tmp_path / "stablehlo").mkdir()
    (tmp_path / "stablehlo" / "notes.txt").write_text("mine")
    with pytest.raises(GeometryError) as error:
        export_conformance(tmp_path, format="stablehlo")
    assert str(error.value) == (
        "verify: `folder` must name a folder without other files, such as those of another "
        f"export; got {tmp_path / 'stablehlo'} with 1 of them, the first notes.txt. Remove "
        "them, or name a new folder."
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["stablehlo", "notes.txt"]
