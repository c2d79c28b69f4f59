"""Batching, operators, layers and one-device meshes on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mtconv
from mtconv import testing
from tests.gpu.support import Library, library, make, same

OPTIONS = {"stride": 2, "padding": 1, "groups": 2}


def stacks() -> tuple[Any, Any, Any, list[Any]]:
    """Three problems of one shape, stacked, and the three maps of each."""
    rng = np.random.default_rng(0)
    x, kernel, y = (
        rng.integers(-4, 5, (3, *shape)).astype("float32")
        for shape in ((2, 4, 4, 5), (4, 3, 3, 3), (2, 6, 7, 9))
    )
    return x, kernel, y, maps_of_each((x, kernel, y), (0, 0, 0))


def maps(x: Any, kernel: Any, y: Any) -> Any:
    return (
        mtconv.conv_transpose(x, kernel, **OPTIONS),
        mtconv.conv(y, kernel, **OPTIONS),
        mtconv.kernel_grad(x, y, kernel_size=3, **OPTIONS),
    )


def test_jax_vmap(jax: Any) -> None:
    lib = library("jax")
    x, kernel, y, expected = stacks()
    got = jax.jit(jax.vmap(maps))(*map(lib.put, (x, kernel, y)))
    for result, value in zip(got, expected, strict=True):
        assert lib.on_gpu(result)
        same(lib.get(result), value)
    for axes in ((0, None, 0), (None, 0, None)):
        arrays = [
            a if axis == 0 else a[0] for a, axis in zip((x, kernel, y), axes, strict=True)
        ]
        got = jax.jit(jax.vmap(maps, axes))(*map(lib.put, arrays))
        for result, value in zip(got, maps_of_each(arrays, axes), strict=True):
            same(lib.get(result), value)


def maps_of_each(arrays: Any, axes: Any) -> Any:
    """The maps of each of three problems by plain loops."""
    got = []
    for item in range(3):
        a, b, c = (
            array if axis is None else array[item]
            for array, axis in zip(arrays, axes, strict=True)
        )
        got.append(
            (
                testing.reference_conv_transpose(a, b, **OPTIONS),
                testing.reference_conv(c, b, **OPTIONS),
                testing.reference_kernel_grad(a, c, kernel_size=3, **OPTIONS),
            )
        )
    return [np.stack(results) for results in zip(*got, strict=True)]


def test_torch_vmap(torch: Any) -> None:
    lib = library("torch")
    x, kernel, y, expected = stacks()
    got = torch.func.vmap(maps)(*map(lib.put, (x, kernel, y)))
    for result, value in zip(got, expected, strict=True):
        assert lib.on_gpu(result)
        same(lib.get(result), value)


def test_operators(lib: Library) -> None:
    case = make("strided image")
    x, kernel, _, y = case.on(lib)
    up, down, _ = type(case)(case.x, case.kernel, None, case.y, case.options).expected()
    A = mtconv.ConvTranspose(kernel, case.x.shape[2:], **case.options)
    for operator, operand, expected in ((A, x, up), (A.T, y, down)):
        result = operator(operand)
        assert lib.on_gpu(result)
        same(lib.get(result), expected)
        same(lib.get(operator(operand[0])), expected[0])
        flat = operand.reshape(operand.shape[0], -1)
        same(lib.get(operator.matmat(flat.T).T), expected.reshape(len(expected), -1))
        same(lib.get(operator.matvec(flat[1])), expected[1].reshape(-1))


def test_an_operator_is_a_pytree_on_the_gpu(jax: Any) -> None:
    lib, case = library("jax"), make("strided image")
    x, kernel, *_ = case.on(lib)
    A = mtconv.ConvTranspose(kernel, case.x.shape[2:], **case.options)
    got = jax.jit(lambda A, x: A.T(A(x)))(A, x)
    assert lib.on_gpu(got)
    up = testing.reference_conv_transpose(case.x, case.kernel, **case.options)
    same(lib.get(got), testing.reference_conv(up, case.kernel, **case.conv_options))


@pytest.mark.parametrize("axis", [0, 2], ids=["batch", "height"])
def test_sharding_over_one_device(jax: Any, axis: int) -> None:
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from mtconv import sharding

    lib, case = library("jax"), make("strided image")
    x, kernel, bias, y = case.on(lib)
    mesh = Mesh(np.array([next(iter(x.devices()))]), ("devices",))
    partition = PartitionSpec(*(None,) * axis, "devices")
    x, y = (jax.device_put(a, NamedSharding(mesh, partition)) for a in (x, y))
    place = {"mesh": mesh, "partition": partition}
    got = (
        sharding.conv_transpose(x, kernel, bias, **place, **case.options),
        sharding.conv(y, kernel, **place, **case.conv_options),
        sharding.kernel_grad(x, y, **place, **case.grad_options),
    )
    for result, expected in zip(got, case.expected(), strict=True):
        assert lib.on_gpu(result)
        same(lib.get(result), expected)


@pytest.mark.parametrize("name", ["flax", "equinox"])
def test_layers(jax: Any, name: str) -> None:
    package = pytest.importorskip(name)
    from importlib import import_module

    lib, case = library("jax"), make("strided image")
    layers = import_module(f"mtconv.nn.{name}")
    x, kernel, bias, _ = case.on(lib)
    arguments = {"in_channels": 4, "out_channels": 3, "kernel_size": (3, 4), **case.options}
    if name == "flax":
        layer = layers.ConvTranspose(**arguments, rngs=package.nnx.Rngs(0))
        layer.weight[...], layer.bias[...] = kernel, bias
        got = layer(x)
    else:
        layer = layers.ConvTranspose(**arguments, key=jax.random.key(0))
        layer = package.tree_at(lambda t: (t.weight, t.bias), layer, (kernel, bias))
        got = jax.jit(jax.vmap(layer))(x)
    same(lib.get(got), case.expected()[0])
