"""Other frameworks that are installed, called with what `mtconv.compat` converts for them.

A problem's options and kernel are rewritten in the framework's convention, the framework
itself runs, and its result is compared with the plain loops: that checks the conversions
on this machine's versions. Nothing is imported before its name is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.compat import convert, convert_kernel
from mtconv.errors import GeometryError
from mtconv.testing.case import Case

__all__ = ["FRAMEWORKS", "Converted", "Framework", "converted", "installed", "run"]

Array = NDArray[Any]
Options = dict[str, Any]


class Framework(NamedTuple):
    """A call of a framework on float32, and the packages that it needs."""

    packages: tuple[str, ...]
    call: Callable[[Array, Array, Options], Any]
    channels_last: bool = False


class Converted(NamedTuple):
    """A problem in the words of a framework; ``options`` are mtconv's for the same."""

    options: Options
    x: Array
    kernel: Array
    theirs: Options


def installed(names: Collection[str] | None = None) -> Iterator[str]:
    """Yield the frameworks that are there, out of these or of all."""
    for name, framework in FRAMEWORKS.items():
        wanted = names is None or name in names
        if wanted and all(find_spec(package) for package in framework.packages):
            yield name


def converted(name: str, case: Case) -> Converted | None:
    """Rewrite a problem; None where the framework cannot say it.

    Few random paddings can be said elsewhere, so plain and "same" ones are tried too.
    """
    if case.spec.rank > 2:  # not all of them have three axes, with groups no one but torch
        return None
    options = {k: v for k, v in case.options.items() if k not in ("padding", "output_size")}
    sized = {k: case.options[k] for k in ("padding", "output_size")}
    groups = case.spec.groups
    if name == "tensorflow":
        groups = 1  # its own are in output_shape, where conversion leaves None
    for more in (sized, {"padding": 0}, {"padding": "same"}):
        given = options | more
        try:
            theirs = convert(
                given | {"groups": groups},
                "mtconv",
                name,
                kernel_size=case.spec.kernel_size,
                input_size=case.spec.small,
            )
            kernel = convert_kernel(case.kernel, "mtconv", name, groups=case.spec.groups)
        except GeometryError:
            continue
        return Converted(given, case.x, kernel, theirs)
    return None


def run(name: str, call: Converted) -> Array:
    """Run the framework; the result is channels first, as x and mtconv's are."""
    framework = FRAMEWORKS[name]
    x = np.moveaxis(call.x, 1, -1) if framework.channels_last else call.x
    x, kernel = (np.ascontiguousarray(array, np.float32) for array in (x, call.kernel))
    result = np.asarray(framework.call(x, kernel, call.theirs))
    return np.moveaxis(result, -1, 1) if framework.channels_last else result


def _torch(x: Array, kernel: Array, options: Options) -> Any:
    torch = import_module("torch")
    call = getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d")
    return call(torch.from_numpy(x), torch.from_numpy(kernel), **options).numpy()


def _jax(x: Array, kernel: Array, options: Options) -> Any:
    lax = import_module("jax.lax")
    return lax.conv_transpose(x, kernel, precision="highest", **options)


def _flax(x: Array, kernel: Array, options: Options) -> Any:
    linen = import_module("flax.linen")
    taps, features = kernel.shape[:-2], kernel.shape[-1]
    said = dict(use_bias=False, precision="highest", **options)
    layer = linen.ConvTranspose(features, taps, **said)
    return layer.apply({"params": {"kernel": kernel}}, x)


def _haiku(x: Array, kernel: Array, options: Options) -> Any:
    haiku = import_module("haiku")
    rank, features, taps = kernel.ndim - 2, kernel.shape[-2], kernel.shape[:-2]

    def forward(x: Any) -> Any:
        said = dict(with_bias=False, name="layer", **options)
        return haiku.ConvNDTranspose(rank, features, taps, **said)(x)

    return haiku.transform(forward).apply({"layer": {"w": kernel}}, None, x)


def _equinox(x: Array, kernel: Array, options: Options) -> Any:
    equinox, jax = import_module("equinox"), import_module("jax")
    channels, taps = (x.shape[1], len(kernel)), kernel.shape[2:]
    said = dict(use_bias=False, key=jax.random.key(0), **options)
    layer = equinox.nn.ConvTranspose(len(taps), *channels, taps, **said)
    layer = equinox.tree_at(lambda one: one.weight, layer, kernel)
    return np.stack([layer(jax.numpy.asarray(item)) for item in x])


def _keras(x: Array, kernel: Array, options: Options) -> Any:
    keras = import_module("keras")
    result = keras.ops.conv_transpose(x, kernel, data_format="channels_last", **options)
    return keras.ops.convert_to_numpy(result)


def _tensorflow(x: Array, kernel: Array, options: Options) -> Any:
    tf = import_module("tensorflow")
    channels = kernel.shape[-2] * (x.shape[-1] // max(kernel.shape[-1], 1))
    shape = (len(x), *options["output_shape"][1:-1], channels)
    said = options | {"output_shape": shape}
    # Dilations run compiled only.
    call = tf.function(tf.nn.conv_transpose, jit_compile=True, autograph=False)
    return call(x, kernel, **said).numpy()


def _onnx(x: Array, kernel: Array, options: Options) -> Any:
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("ConvTranspose", ["X", "W"], ["Y"], **options)
    values = [helper.make_tensor_value_info(name, kind, None) for name in "XWY"]
    graph = helper.make_graph([node], "graph", values[:2], values[2:])
    imports = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    quiet = runtime.SessionOptions()
    quiet.log_severity_level = 4  # what it refuses it raises as well
    session = runtime.InferenceSession(
        model.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": x, "W": kernel})[0]


def _tinygrad(x: Array, kernel: Array, options: Options) -> Any:
    os.environ.setdefault("DEV", "PYTHON")  # its interpreter, which needs no compiler
    tensor = import_module("tinygrad").Tensor
    return tensor(x).conv_transpose2d(tensor(kernel), **options).numpy()


def _mlx(x: Array, kernel: Array, options: Options) -> Any:
    mx = import_module("mlx.core")
    plain = {k: v[0] if np.shape(v) == (1,) else v for k, v in options.items()}
    call = getattr(mx, f"conv_transpose{x.ndim - 2}d")
    return np.array(call(mx.array(x), mx.array(kernel), **plain))


FRAMEWORKS = {
    "torch": Framework(("torch",), _torch),
    "jax": Framework(("jax",), _jax, channels_last=True),
    "flax": Framework(("flax", "jax"), _flax, channels_last=True),
    "haiku": Framework(("haiku", "jax"), _haiku, channels_last=True),
    "equinox": Framework(("equinox", "jax"), _equinox),
    "keras": Framework(("keras",), _keras, channels_last=True),
    "tensorflow": Framework(("tensorflow",), _tensorflow, channels_last=True),
    "onnx": Framework(("onnx", "onnxruntime"), _onnx),
    "tinygrad": Framework(("tinygrad",), _tinygrad),
    "mlx": Framework(("mlx",), _mlx, channels_last=True),
}
