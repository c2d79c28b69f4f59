"""The same calls in the frameworks themselves, each imported only when it is run."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from mtconv.compat.registry import FRAMEWORKS
from mtconv.verify.frameworks import run_function
from tests.compat.sizes import Drawn

# Read when keras is imported, which TensorFlow does too.
os.environ["KERAS_BACKEND"] = "jax"

# XLA's simplifier aborts the process on some grouped convolutions in three dimensions.
NO_SIMPLIFIER = {"xla_disable_hlo_passes": "algsimp"}

DISTRIBUTIONS = {
    "torch": ("torch",),
    "jax": ("jax",),
    "flax": ("flax", "jax"),
    "haiku": ("dm-haiku", "jax"),
    "equinox": ("equinox", "jax"),
    "keras": ("keras", "jax"),
    "tensorflow": ("tensorflow-cpu",),
    "onnx": ("onnxruntime", "onnx"),
    "tinygrad": ("tinygrad",),
    "mlx": ("mlx",),
}


def versions(name: str) -> dict[str, str]:
    """Versions of what a framework's calls run on; raises where it is not installed."""
    names = importlib.metadata.packages_distributions()
    own = [names[package][0] for package in FRAMEWORKS[name].packages if package in names]
    packages = DISTRIBUTIONS.get(name, own)
    return {package: importlib.metadata.version(package) for package in packages}


def run(name: str, drawn: Drawn) -> np.ndarray:
    """Run a call in its framework; raises what the framework raises."""
    function = drawn.function.split(".")[1]
    if name not in REAL:  # nothing of its own: the function that the registry names
        x, kernel, *bias = drawn.arrays.values()
        return run_function(name, x, kernel, drawn.options, *bias)
    return np.asarray(REAL[name](function, drawn.arrays, drawn.options))


def _tuples(value: Any) -> Any:
    """Write lists as tuples, which every framework takes."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _torch(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    import torch

    call = getattr(torch.nn.functional, function)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return call(**tensors, **options).numpy()


def _x64() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)


def _jax(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    _x64()
    from jax import lax

    return getattr(lax, function)(**arrays, **_tuples(options))


def _flax(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """Run nnx where the kernel is transposed or has a bias, linen otherwise."""
    del function
    _x64()
    import flax.linen
    from flax import nnx

    kernel, bias = arrays["kernel"], arrays.get("bias")
    channels = kernel.shape[-2:]
    if options["transpose_kernel"]:
        channels = channels[::-1]
    words = dict(_tuples(options), use_bias=bias is not None, param_dtype=np.float64)
    if bias is None and not options["transpose_kernel"]:
        layer = flax.linen.ConvTranspose(channels[1], kernel.shape[:-2], **words)
        return layer.apply({"params": {"kernel": kernel}}, arrays["inputs"])
    module = nnx.ConvTranspose(*channels, kernel.shape[:-2], **words, rngs=nnx.Rngs(0))
    module.kernel[...] = kernel
    if bias is not None:
        module.bias[...] = bias
    return module(arrays["inputs"])


def _haiku(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    del function
    _x64()
    import haiku

    w = arrays["w"]
    words = _tuples(options)

    def forward(x: Any) -> Any:
        layer = haiku.ConvNDTranspose(
            w.ndim - 2,
            w.shape[-2],
            w.shape[:-2],
            with_bias="b" in arrays,
            **words,
            name="c",
        )
        return layer(x)

    params = {name: array for name, array in arrays.items() if name != "inputs"}
    return haiku.transform(forward).apply({"c": params}, None, arrays["inputs"])


def _equinox(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    del function
    _x64()
    import equinox
    import jax

    weight, bias = arrays["weight"], arrays.get("bias")
    layer = equinox.nn.ConvTranspose(
        weight.ndim - 2,
        len(arrays["x"]),
        weight.shape[0],
        weight.shape[2:],
        use_bias=bias is not None,
        key=jax.random.key(0),
        **_tuples(options),
    )
    layer = equinox.tree_at(lambda leaf: leaf.weight, layer, weight)
    if bias is not None:
        layer = equinox.tree_at(lambda leaf: leaf.bias, layer, bias)
    parameters, rest = equinox.partition(layer, equinox.is_array)

    def call(parameters: Any, x: Any) -> Any:
        return equinox.combine(parameters, rest)(x)

    compiled = jax.jit(call, compiler_options=NO_SIMPLIFIER)
    return compiled(parameters, jax.numpy.asarray(arrays["x"]))


def _keras(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    _x64()
    import keras

    assert keras.backend.backend() == "jax"
    return getattr(keras.ops, function)(**arrays, **_tuples(options))


def _tensorflow(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """Run eagerly where the CPU can, otherwise compiled by XLA."""
    import tensorflow as tf

    def call() -> Any:
        return getattr(tf.nn, function)(**arrays, **options)

    first = "data_format" in options
    groups = options["output_shape"][1 if first else -1] // arrays["filters"].shape[-2]
    compiled = first or "dilations" in options or groups > 1
    return (tf.function(call, jit_compile=True) if compiled else call)().numpy()


def _onnx(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """Run in onnxruntime, in float32: it has no float64 here."""
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node(function, list(arrays), ["Y"], **options)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in arrays]
    result = helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", values, [result])
    imports = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    feed = {name: array.astype(np.float32) for name, array in arrays.items()}
    return session.run(None, feed)[0]


def _tinygrad(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """Run on tinygrad's own interpreter, which needs no compiler."""
    os.environ.setdefault("DEV", "PYTHON")
    from tinygrad import Tensor

    x, *others = arrays.items()
    tensors = {name: Tensor(array) for name, array in others}
    return getattr(Tensor(x[1]), function)(**tensors, **_tuples(options)).numpy()


def _mlx(function: str, arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """Run in float32: mlx has no convolution of float64."""
    import mlx.core as mx

    data, kernel = (mx.array(array, dtype=mx.float32) for array in arrays.values())
    return np.array(getattr(mx, function)(data, kernel, **_tuples(options)))


REAL: dict[str, Callable[[str, dict[str, Any], dict[str, Any]], Any]] = {
    "torch": _torch,
    "jax": _jax,
    "flax": _flax,
    "haiku": _haiku,
    "equinox": _equinox,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "onnx": _onnx,
    "tinygrad": _tinygrad,
    "mlx": _mlx,
}
