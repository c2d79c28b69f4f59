"""The core set as ONNX node tests: a folder each, as the ONNX backend tests have them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.reference import reference_conv_transpose
from mtconv.verify.core import CoreCase, core_cases

__all__ = ["export_onnx"]

# What every runtime reads: ConvTranspose has not changed its meaning since.
_OPSET, _IR = 11, 8

# Calls that a runtime has to refuse: what is wrong, shapes of X and W, and attributes.
_REFUSALS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "channels_of_x_and_w_differ": ((1, 3, 4), (2, 2, 3), {}),
    "groups_do_not_divide_the_channels": ((1, 3, 4), (3, 2, 3), {"group": 2}),
    "one_stride_for_two_axes": ((1, 1, 4, 4), (1, 1, 3, 3), {"strides": [2]}),
    "padding_leaves_nothing": ((1, 1, 2), (1, 1, 2), {"pads": [2, 2]}),
}


def export_onnx(folder: Path) -> Path:
    """Write the core set as node tests, and refusals beside them; return the folder.

    Negative paddings are left out, which ONNX does not have. Needs the package onnx.
    """
    onnx = _onnx()
    root = folder / "onnx"
    for core in core_cases():
        if min(end for pair in core.case.options["padding"] for end in pair) >= 0:
            _write_case(onnx, root / "node" / f"convtranspose_{core.name}", core)
    for name, (x_shape, w_shape, attributes) in _REFUSALS.items():
        arrays = [
            1 + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
            for shape in (x_shape, w_shape)
        ]
        _write(onnx, root / "refused" / f"convtranspose_{name}", arrays, None, attributes)
    return root


def _write_case(onnx: Any, folder: Path, core: CoreCase) -> None:
    case, options = core.case, core.case.options
    pads = [*zip(*options["padding"], strict=True)]
    attributes = {
        "strides": list(options["stride"]),
        "dilations": list(options["dilation"]),
        "pads": [*pads[0], *pads[1]],
        "output_padding": list(core.extra),
        "group": options["groups"],
        "kernel_shape": list(case.spec.kernel_size),
    }
    arrays = [case.x, case.kernel]
    if core.name.endswith(("extra", "everything", "groups_2")):
        arrays.append(1 + 2 * np.arange(case.y.shape[1]))
    bias = arrays[2] if len(arrays) > 2 else None
    result = reference_conv_transpose(case.x, case.kernel, bias, **options)
    _write(onnx, folder, arrays, result, attributes)


def _write(
    onnx: Any,
    folder: Path,
    arrays: list[NDArray[Any]],
    result: NDArray[Any] | None,
    attributes: dict[str, Any],
) -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = ["X", "W", "B"][: len(arrays)]
    node = helper.make_node("ConvTranspose", names, ["Y"], **attributes)
    inputs = [
        helper.make_tensor_value_info(name, kind, list(array.shape))
        for name, array in zip(names, arrays, strict=True)
    ]
    shape = None if result is None else list(result.shape)
    output = helper.make_tensor_value_info("Y", kind, shape)
    graph = helper.make_graph([node], folder.name, inputs, [output])
    imports = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=_IR)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    _save(folder / "model.onnx", model)
    for number, (name, array) in enumerate(zip(names, arrays, strict=True)):
        _save(data / f"input_{number}.pb", _tensor(onnx, array, name))
    if result is not None:
        _save(data / "output_0.pb", _tensor(onnx, result, "Y"))


def _tensor(onnx: Any, array: NDArray[Any], name: str) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(array, np.float32), name)


def _save(path: Path, message: Any) -> None:
    path.write_bytes(message.SerializeToString(deterministic=True))


def _onnx() -> Any:
    try:
        onnx = importlib.import_module("onnx")
        importlib.import_module("onnx.helper")
        importlib.import_module("onnx.numpy_helper")
    except ImportError:
        msg = "ONNX files need the package onnx. Install it with: pip install onnx"
        raise ImportError(msg) from None
    return onnx
