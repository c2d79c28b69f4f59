"""The core set in its three formats: right in real runtimes, and no defect gets through."""

import ast

import numpy as np
import pytest

from mtconv.cli.main import main
from mtconv.verify import export_conformance
from mtconv.verify.core import core_cases
from tests.testing.styles import STYLES
from tests.verify.defects import DEFECTS
from tests.verify.readers import read_json, read_onnx, read_stablehlo

READERS = {"json": read_json, "onnx": read_onnx, "stablehlo": read_stablehlo}


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


def run(call, case, **wrong):
    options = case.options | wrong
    return np.asarray(call(case.x, case.kernel, case.bias, **options))


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
    for style in STYLES:
        failed = []
        for case in READERS[form](exported(form)):
            got = np.asarray(
                DEFECTS[defect](
                    STYLES[style], case.x, case.kernel, case.bias, **case.options
                )
            )
            if got.shape != case.result.shape or (got != case.result).any():
                failed.append(case.name)
        assert len(failed) >= 2, (defect, style, failed)


@pytest.mark.parametrize("form", READERS)
def test_files_are_the_same_each_time_and_small(exported, form, tmp_path):
    first, second = exported(form), export_conformance(tmp_path, format=form)
    files = {
        path.relative_to(root): path.read_bytes()
        for root in (first,)
        for path in ([root] if root.is_file() else sorted(root.rglob("*.*")))
        if path.is_file()
    }
    assert sum(map(len, files.values())) < 10**6
    for name, content in files.items():
        assert (second / name if second.is_dir() else second).read_bytes() == content


def test_names_are_unique_and_say_something():
    names = [core.name for core in core_cases()]
    assert len(names) == len(set(names)) >= 30
    assert all(name.isidentifier() for name in names)


def onnx_folders(root, part):
    onnx = pytest.importorskip("onnx")
    for folder in sorted((root / part).iterdir()):
        model = onnx.load(folder / "model.onnx")
        files = sorted((folder / "test_data_set_0").glob("input_*.pb"))
        arrays = [onnx.numpy_helper.to_array(onnx.load_tensor(file)) for file in files]
        inputs = dict(zip([i.name for i in model.graph.input], arrays, strict=True))
        output = folder / "test_data_set_0" / "output_0.pb"
        expected = None
        if output.exists():
            expected = onnx.numpy_helper.to_array(onnx.load_tensor(output))
        yield folder.name, model, inputs, expected


def by_onnxruntime(model, inputs):
    runtime = pytest.importorskip("onnxruntime")
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 4
    session = runtime.InferenceSession(
        model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0]


def by_reference(model, inputs):
    reference = pytest.importorskip("onnx.reference")
    return reference.ReferenceEvaluator(model).run(None, inputs)[0]


# The evaluator of onnx 1.23 raises ValueError for groups of several outputs; the values
# are those of plain loops, and onnxruntime's.
FAULTS = {
    "onnxruntime": set(),
    "reference": {
        f"convtranspose_{name}: ValueError"
        for name in (
            *("groups_2", "groups_2_stride_2", "batch_2_groups_2"),
            *("depthwise_multiplier", "three_axes_everything"),
        )
    },
}
RUNTIMES = {"onnxruntime": by_onnxruntime, "reference": by_reference}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_onnx_runtimes(exported, runtime):
    wrong = set()
    for name, model, inputs, expected in onnx_folders(exported("onnx"), "node"):
        pytest.importorskip("onnx").checker.check_model(model, full_check=True)
        try:
            got = RUNTIMES[runtime](model, inputs)
        except Exception as error:
            wrong.add(f"{name}: {type(error).__name__}")
            continue
        if got.shape != expected.shape or (got != expected).any():
            wrong.add(name)
    assert wrong == FAULTS[runtime]


def test_onnxruntime_refuses_what_is_no_transposed_convolution(exported):
    folders = list(onnx_folders(exported("onnx"), "refused"))
    assert len(folders) >= 4
    for _, model, inputs, expected in folders:
        assert expected is None
        with pytest.raises(Exception, match=r"(?i)conv|shape|group"):
            by_onnxruntime(model, inputs)


def test_stablehlo_modules_give_their_values_when_jax_compiles_them(exported):
    compile_module = jax_compiler()
    paths = sorted(exported("stablehlo").glob("*.mlir"))
    assert len(paths) == 2 * len(list(core_cases()))
    for path in paths:
        text = path.read_text()
        check = text.partition("check.expect_eq_const %0, dense<")[2]
        wanted = np.array(ast.literal_eval(check.partition(">")[0]))
        # Only @case: the dialect of the check belongs to StableHLO's own interpreter.
        body = text.partition("  func.func @main()")[0].replace("@case", "public @main")
        np.testing.assert_array_equal(compile_module(body + "}"), wanted, path.name)


def jax_compiler():
    """Return a function that compiles and runs a module by jax's own compiler."""
    jax = pytest.importorskip("jax")
    try:
        from jax._src.interpreters import mlir
        from jax._src.lib import xla_client
        from jax.extend.backend import get_backend
        from jaxlib.mlir import ir
    except ImportError:
        pytest.skip(f"jax {jax.__version__} keeps its compiler elsewhere")
    client = get_backend("cpu")
    devices = xla_client.DeviceList(tuple(client.local_devices()[:1]))

    def run_module(text):
        with mlir.make_ir_context():
            module = ir.Module.parse(text)
            code = mlir.module_to_bytecode(module)
        compiled = client.compile_and_load(code, devices, xla_client.CompileOptions())
        outputs = compiled.execute_sharded([])
        return np.asarray(outputs.disassemble_into_single_device_arrays()[0][0])

    return run_module


@pytest.mark.parametrize("form", ["json", "stablehlo"])
def test_the_command_writes_each_format(capsys, tmp_path, form):
    assert main(["verify", "--export", str(tmp_path), "--format", form]) == 0
    assert capsys.readouterr().out.startswith(str(tmp_path))


def test_random_problems_are_of_json_alone(capsys, tmp_path):
    words = ["verify", "--export", str(tmp_path), "--format", "stablehlo", "--cases", "3"]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "mtconv verify: error: --cases must be left out for this format, which has the "
        "core set alone; got 3.\n"
    )
