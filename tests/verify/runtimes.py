"""What runs the exported files: a function of a path for each runtime that has one.

Every function compiles what is in the files, runs it, and returns its one result. Each
imports its runtime itself, so that those that are not installed do not matter.
"""

import ast
import re
import tempfile
from pathlib import Path

import numpy as np


def onnx_arrays(folder):
    """Load the inputs of a node test by name, and its output if it has one."""
    import onnx

    data = folder / "test_data_set_0"
    tensors = [onnx.load_tensor(path) for path in sorted(data.glob("input_*.pb"))]
    inputs = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in tensors}
    output = data / "output_0.pb"
    if not output.exists():
        return inputs, None
    return inputs, onnx.numpy_helper.to_array(onnx.load_tensor(output))


def by_onnxruntime(folder):
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    model = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(model, quiet, ["CPUExecutionProvider"])
    return session.run(None, onnx_arrays(folder)[0])[0]


def by_reference_evaluator(folder):
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(folder / "model.onnx"))
    return evaluator.run(None, onnx_arrays(folder)[0])[0]


def by_shape_inference(folder):
    """Return the shape alone, of a model that does not say its result's."""
    import onnx

    model = onnx.load(folder / "model.onnx")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    shape = inferred.graph.output[0].type.tensor_type.shape
    return tuple(size.dim_value for size in shape.dim)


def by_openvino(folder):
    import openvino

    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(core.read_model(folder / "model.onnx"), "CPU", exact)
    return model(onnx_arrays(folder)[0])[0]


def by_tvm(folder):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = from_onnx(onnx.load(folder / "model.onnx"), keep_params_in_input=False)
    program = tvm.compile(relax.transform.LegalizeOps()(module), target="llvm")
    machine = relax.VirtualMachine(program, tvm.cpu())
    inputs = map(tvm.runtime.tensor, onnx_arrays(folder)[0].values())
    return machine["main"](*inputs).numpy()


def by_iree_from_onnx(folder):
    from iree.compiler.tools.import_onnx import __main__ as importer

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "model.mlir")
        words = [str(folder / "model.onnx"), "-o", str(target)]
        importer.main(importer.parse_arguments(words))
        text = target.read_text()
    inputs = onnx_arrays(folder)[0].values()
    return iree_result(text, "onnx", re.search(r"func\.func @(\w+)", text)[1], inputs)


def iree_result(text, kind, name, inputs=()):
    """Compile a module for this machine's CPU, and call one of its functions."""
    from iree import compiler, runtime

    code = compiler.compile_str(
        text,
        input_type=kind,
        target_backends=["llvm-cpu"],
        extra_args=["--iree-llvmcpu-target-cpu=host"],
    )
    module = runtime.load_vm_flatbuffer(code, driver="local-sync")
    return module[name](*inputs).to_host()


def stablehlo_parts(path):
    """Split a module: what computes, without the check, and the expected result."""
    text = path.read_text()
    check = text.partition("check.expect_eq_const %0, dense<")[2]
    # Only @case: the dialect of the check belongs to StableHLO's own interpreter.
    body = text.partition("  func.func @main()")[0].replace("@case", "public @main")
    return body + "}", np.array(ast.literal_eval(check.partition(">")[0]))


def by_iree(path):
    return iree_result(stablehlo_parts(path)[0], "stablehlo", "main")


def by_xla(path):
    """Run a module by jax's own compiler."""
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax.extend.backend import get_backend
    from jaxlib.mlir import ir

    client = get_backend("cpu")
    devices = xla_client.DeviceList(tuple(client.local_devices()[:1]))
    with mlir.make_ir_context():
        module = ir.Module.parse(stablehlo_parts(path)[0])
        code = mlir.module_to_bytecode(module)
    compiled = client.compile_and_load(code, devices, xla_client.CompileOptions())
    outputs = compiled.execute_sharded([])
    return np.asarray(outputs.disassemble_into_single_device_arrays()[0][0])
