"""Other frameworks that are installed, called with what `mtconv.compat` converts for them.

A problem's options and kernel are rewritten in the framework's convention, the framework
itself runs, and its result is compared with the plain loops: that checks the conversions
on this machine's versions. Nothing is imported before its name is asked for.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.compat import convert, convert_kernel
from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError
from mtconv.testing.case import Case

__all__ = [
    "LAYERS",
    "Converted",
    "converted",
    "installed",
    "is_installed",
    "live",
    "run",
    "run_function",
    "why_not",
]

Array = NDArray[Any]
Options = dict[str, Any]


class Converted(NamedTuple):
    """A problem in the words of a framework; ``options`` are mtconv's for the same."""

    options: Options
    x: Array
    kernel: Array
    theirs: Options


def live() -> Iterator[str]:
    """Yield the frameworks that can be run where they are installed."""
    for name, row in FRAMEWORKS.items():
        if row.live or name in LAYERS:
            yield name


def installed(names: Collection[str] | None = None) -> Iterator[str]:
    """Yield the frameworks that are there, out of these or of all."""
    for name in live():
        wanted = names is None or name in names
        if wanted and all(map(is_installed, FRAMEWORKS[name].packages)):
            yield name


def is_installed(package: str) -> bool:
    """Return whether a package can be found; nothing is imported."""
    try:
        return find_spec(package) is not None
    except ValueError:  # a module without a spec stands in its place
        return False


def why_not(name: str) -> str | None:
    """Import a framework; return what it raises, as Keras does without an engine."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the frameworks' own
            for package in FRAMEWORKS[name].packages:
                import_module(package)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def converted(name: str, case: Case) -> Converted | None:
    """Rewrite a problem; None where the framework cannot say it.

    Few random paddings can be said elsewhere, so plain and "same" ones are tried too.
    """
    if case.spec.rank > 2:  # not all of them have three axes, with groups no one but torch
        return None
    plain = {k: v for k, v in case.options.items() if k not in ("padding", "output_size")}
    sized = {k: case.options[k] for k in ("padding", "output_size")}
    groups = case.spec.groups
    for paddings in (sized, {"padding": 0}, {"padding": "same"}):
        options = plain | paddings
        try:
            theirs = convert(
                options | {"groups": groups},
                "mtconv",
                name,
                kernel_size=case.spec.kernel_size,
                input_size=case.spec.small,
            )
            kernel = convert_kernel(case.kernel, "mtconv", name, groups=groups)
        except GeometryError:
            continue
        return Converted(options, case.x, kernel, theirs)
    return None


def run(name: str, call: Converted) -> Array:
    """Run the framework; the result is channels first, as x and mtconv's are."""
    last = FRAMEWORKS[name].data.endswith("C")
    x = np.moveaxis(call.x, 1, -1) if last else call.x
    x, kernel = (np.ascontiguousarray(array, np.float32) for array in (x, call.kernel))
    run_layer = LAYERS.get(name)
    if run_layer is not None:
        result = np.asarray(run_layer(x, kernel, call.theirs))
    else:
        result = run_function(name, x, kernel, call.theirs)
    return np.moveaxis(result, -1, 1) if last else result


def run_function(
    name: str, x: Array, kernel: Array, options: Options, *bias: Array
) -> Array:
    """Run the function that the framework's row names; a bias is its third argument."""
    os.environ.setdefault("DEV", "PYTHON")  # tinygrad's interpreter needs no compiler
    row, rank = FRAMEWORKS[name], x.ndim - 2
    tensor, function = _named(row.tensor), _named(row.live.format(rank=rank))
    if "precision" in signature(row.function).parameters:
        options = options | {"precision": "highest"}
    result = function(*map(tensor, (x, kernel, *bias)), **options)
    return np.asarray(result.numpy() if hasattr(result, "numpy") else result)


def _named(path: str) -> Any:
    """Import what a dotted path names."""
    before, *names = path.split(".")
    value: Any = import_module(before)
    for name in names:
        before = f"{before}.{name}"
        value = getattr(value, name) if hasattr(value, name) else import_module(before)
    return value


def _flax(x: Array, kernel: Array, options: Options) -> Any:
    linen = import_module("flax.linen")
    taps, features = (
        kernel.shape[:-2],
        kernel.shape[-2 if options["transpose_kernel"] else -1],
    )
    every = dict(use_bias=False, precision="highest", **options)
    layer = linen.ConvTranspose(features, taps, **every)
    return layer.apply({"params": {"kernel": kernel}}, x)


def _haiku(x: Array, kernel: Array, options: Options) -> Any:
    haiku = import_module("haiku")
    rank, features, taps = kernel.ndim - 2, kernel.shape[-2], kernel.shape[:-2]

    def forward(x: Any) -> Any:
        every = dict(with_bias=False, name="layer", **options)
        return haiku.ConvNDTranspose(rank, features, taps, **every)(x)

    return haiku.transform(forward).apply({"layer": {"w": kernel}}, None, x)


def _equinox(x: Array, kernel: Array, options: Options) -> Any:
    equinox, jax = import_module("equinox"), import_module("jax")
    channels, taps = (x.shape[1], len(kernel)), kernel.shape[2:]
    every = dict(use_bias=False, key=jax.random.key(0), **options)
    layer = equinox.nn.ConvTranspose(len(taps), *channels, taps, **every)
    layer = equinox.tree_at(lambda leaf: leaf.weight, layer, kernel)
    return np.stack([layer(jax.numpy.asarray(sample)) for sample in x])


def _tensorflow(x: Array, kernel: Array, options: Options) -> Any:
    tf = import_module("tensorflow")
    channels = kernel.shape[-2] * (x.shape[-1] // max(kernel.shape[-1], 1))
    shape = (len(x), *options["output_shape"][1:-1], channels)
    every = options | {"output_shape": shape}
    # Dilations run compiled only.
    call = tf.function(tf.nn.conv_transpose, jit_compile=True, autograph=False)
    return call(x, kernel, **every).numpy()


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


def _mlx(x: Array, kernel: Array, options: Options) -> Any:
    mx = import_module("mlx.core")  # takes no sequences of one
    plain = {k: v[0] if np.shape(v) == (1,) else v for k, v in options.items()}
    call = getattr(mx, f"conv_transpose{x.ndim - 2}d")
    return np.array(call(mx.array(x), mx.array(kernel), **plain))


# Frameworks of which more than one function has to be called, such as those of layers.
LAYERS: dict[str, Callable[[Array, Array, Options], Any]] = {
    "flax": _flax,
    "flax_transpose_kernel": _flax,
    "haiku": _haiku,
    "equinox": _equinox,
    "tensorflow": _tensorflow,
    "onnx": _onnx,
    "mlx": _mlx,
}
