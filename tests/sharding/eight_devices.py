"""Tests on a mesh of eight CPU devices; `test_sharding.py` runs them in a child process.

Every stride up to 4, kernel size up to 7 and dilation up to 3 meets every mesh:

    export XLA_FLAGS=--xla_force_host_platform_device_count=8
    pytest tests/sharding/eight_devices.py
"""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import mtconv
from mtconv import sharding

assert jax.device_count() == 8, "see the top of this file"

MESHES = {"8x1": (1, 8, 1), "4x2": (1, 4, 2), "2x2x2": (2, 2, 2)}
PARTITION = PartitionSpec("b", None, "h", "w")
STEPS = list(product(range(1, 5), range(1, 8), range(1, 4)))
WORD = re.compile(r" = (.*?) (all|collective|reduce|send|recv)-([a-z-]+)\(")
BYTES = re.compile(r"([a-z]+)(\d+)\[([\d,]*)\]")


def mesh_of(name: str, kind: AxisType = AxisType.Auto) -> Mesh:
    return jax.make_mesh(MESHES[name], ("b", "h", "w"), axis_types=(kind,) * 3)


def integers(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def run(function: Any, *arrays: Any) -> tuple[Any, dict[str, list[int]]]:
    """Compile, run, and list the bytes of every collective operation by its kind."""
    compiled = jax.jit(function).lower(*arrays).compile()
    found: dict[str, list[int]] = {}
    for line in compiled.as_text().splitlines():
        if (match := WORD.search(line)) and not match[3].endswith("-done"):
            sizes = [
                int(bits) // 8 * prod(int(n) for n in shape.split(",") if n)
                for _, bits, shape in BYTES.findall(match[1])
            ]
            found.setdefault(f"{match[2]}-{match[3]}", []).append(sum(sizes))
    return compiled(*arrays), found


def problem(
    mesh: str, number: int, mode: str = "zeros"
) -> tuple[dict[str, Any], tuple[int, int], tuple]:
    """Return options, kernel size and x's space for the steps of this number.

    Height and width have different steps. Some results are larger or smaller than
    ``stride`` times the input, and shards of two rows are narrower than many halos.
    """
    steps = STEPS[number], STEPS[(number * 5 + 13) % len(STEPS)]
    counts = MESHES[mesh][1:]
    space, paddings, sizes = [], [], []
    for axis, ((stride, kernel, dilation), count) in enumerate(
        zip(steps, counts, strict=True)
    ):
        own = 2 + (number + axis) % 2
        extent = dilation * (kernel - 1) + 1
        result = max(stride * own + (number + axis) % 3 - 1, 1)
        lo = extent * (1 + number % 3) // 4
        natural = stride * (own * count - 1) + extent
        if mode == "circular":  # which neither crops nor leaves more than a stride
            if natural - result * count <= -stride:
                result = stride * own
            lo = min(lo, max(natural - result * count, 0))
            paddings.append((lo, max(natural - lo - result * count, 0)))
        else:
            paddings.append((lo, natural - lo - result * count))
        sizes.append(result * count)
        space.append(own * count)
    options = {
        "stride": tuple(stride for stride, _, _ in steps),
        "dilation": tuple(dilation for _, _, dilation in steps),
        "padding": tuple(paddings),
        "padding_mode": mode,
    }
    kernel_size = (steps[0][1], steps[1][1])
    x_space = (space[0], space[1])
    assert mtconv.conv_shape(tuple(sizes), kernel_size, **options) == x_space
    return options, kernel_size, (x_space, tuple(sizes))


def assert_halos_and_one_reduction(
    moved: dict[str, list[int]], told: sharding.Traffic, *, there_and_back: bool = False
) -> None:
    """Accept the predicted halos, and the kernel's gradient summed over the devices."""
    assert set(moved) <= {"collective-permute", "all-reduce"}
    halos = sorted(told.halos * (2 if there_and_back else 1))
    assert sorted(moved.get("collective-permute", [])) == halos
    assert sum(moved["all-reduce"]) == told.kernel


def numbers() -> list[Any]:
    """List the steps; five of them run by default.

    Of number 35 no tap lands within the width of mesh 8x1: nothing is to be exchanged.
    """
    quick = {"zeros": {10, 31, 35, 52, 73}, "circular": {31}}
    return [
        pytest.param(n, mode, marks=[] if n in quick[mode] else [pytest.mark.every])
        for mode, n in product(quick, range(len(STEPS)))
    ]


@pytest.mark.parametrize(("number", "mode"), numbers())
@pytest.mark.parametrize("name", MESHES)
def test_maps_and_gradients_equal_numpy_and_move_halos_only(
    name: str, number: int, mode: str
) -> None:
    mesh = mesh_of(name)
    options, kernel_size, (space, size) = problem(name, number, mode)
    x, w = integers(1, (2, 3, *space)), integers(2, (3, 2, *kernel_size))
    to_size = {**options, "output_size": size}
    expected = mtconv.conv_transpose(x, w, algorithm="direct", **to_size)
    y = integers(3, expected.shape)
    down = mtconv.conv(y, w, algorithm="direct", **options)
    grad = mtconv.kernel_grad(x, y, kernel_size=kernel_size, algorithm="direct", **options)
    where = {"mesh": mesh, "partition": PARTITION}
    lay = NamedSharding(mesh, PARTITION)
    x, y = jax.device_put(x, lay), jax.device_put(y, lay)

    def up_map(x: Any, w: Any) -> Any:
        return sharding.conv_transpose(x, w, **where, **to_size)

    def down_map(y: Any, w: Any) -> Any:
        return sharding.conv(y, w, **where, **options)

    def up_gradients(x: Any, w: Any, y: Any) -> Any:
        return jax.vjp(up_map, x, w)[1](y)

    def down_gradients(x: Any, w: Any, y: Any) -> Any:
        return jax.vjp(down_map, y, w)[1](x)

    def kernel_map(x: Any, y: Any) -> Any:
        return sharding.kernel_grad(x, y, kernel_size=kernel_size, **where, **options)

    got, moved = run(up_map, x, w)
    assert got.sharding.is_equivalent_to(lay, 4)
    assert (np.asarray(got) == expected).all()
    told = sharding.traffic(x.shape, w.shape, **where, **to_size)
    assert set(moved) <= {"collective-permute"}
    assert sorted(moved.get("collective-permute", [])) == sorted(told.halos)

    got, moved = run(down_map, y, w)
    assert (np.asarray(got) == down).all()
    told = sharding.traffic(y.shape, w.shape, **where, form="conv", **options)
    assert set(moved) <= {"collective-permute"}
    assert sorted(moved.get("collective-permute", [])) == sorted(told.halos)

    got, moved = run(kernel_map, x, y)
    assert (np.asarray(got) == grad).all()
    assert_halos_and_one_reduction(moved, told)

    (gy, gw), moved = run(down_gradients, x, w, y)
    assert (np.asarray(gy) == expected).all()
    assert (np.asarray(gw) == grad).all()
    assert_halos_and_one_reduction(moved, told, there_and_back=True)

    told = sharding.traffic(x.shape, w.shape, **where, **to_size)
    (gx, gw), moved = run(up_gradients, x, w, y)
    assert (np.asarray(gx) == down).all()
    assert (np.asarray(gw) == grad).all()
    # Around a ring the halos are of y, which both gradients read; otherwise they are of x.
    assert_halos_and_one_reduction(moved, told, there_and_back=mode == "zeros")


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize(
    ("channels", "groups"), [((4, 8), 1), ((4, 3), 1), ((4, 6), 2), ((8, 8), 4)]
)
def test_sharded_channels(channels: tuple[int, int], groups: int, kind: AxisType) -> None:
    small, big = channels
    mesh = jax.make_mesh((2, 2, 2), ("b", "c", "h"), axis_types=(kind,) * 3)
    options = {"stride": 2, "padding": 1, "groups": groups, "layout": "NHWC"}
    x = integers(1, (2, 6, 5, small))
    w = integers(2, (small, big // groups, 4, 3))
    bias = integers(3, (big,))
    expected = mtconv.conv_transpose(x, w, bias, algorithm="direct", **options)
    lay = NamedSharding(mesh, PartitionSpec("b", "h", None, "c"))
    x_there = jax.device_put(x, lay)
    got = sharding.conv_transpose(x_there, w, bias, **options)
    assert (np.asarray(got) == expected).all()
    whole = big % 2 == 1
    spec = PartitionSpec("b", "h", None, None if whole else "c")
    assert got.sharding.is_equivalent_to(NamedSharding(mesh, spec), 4)
    if whole:
        with pytest.raises(mtconv.GeometryError, match="divisible by the 2 shards"):
            sharding.conv(got, w, mesh=mesh, partition=lay.spec, **options)
        return
    y = integers(4, expected.shape)
    y_there = jax.device_put(y, lay)
    down = mtconv.conv(y, w, algorithm="direct", **options)
    assert (np.asarray(sharding.conv(y_there, w, **options)) == down).all()
    grad = mtconv.kernel_grad(x, y, kernel_size=(4, 3), algorithm="direct", **options)
    found = sharding.kernel_grad(x_there, y_there, kernel_size=(4, 3), **options)
    assert (np.asarray(found) == grad).all()


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize(
    "layer",
    [
        ((4, 8), 1, {"stride": 2}),
        ((4, 3), 1, {"stride": (1, 3)}),
        ((8, 8), 4, {"dilation": (5, 2)}),
    ],
    ids=["scattered", "summed", "groups"],
)
def test_rings_of_shards_with_channels(layer: Any, kind: AxisType) -> None:
    # Halos of the third layer go around the ring of two shards more than once.
    (small, big), groups, steps = layer
    mesh = jax.make_mesh((2, 2, 2), ("b", "c", "h"), axis_types=(kind,) * 3)
    options = {**steps, "padding": ((9, 1), (4, 4)), "groups": groups, "layout": "NHWC"}
    options = {**options, "padding_mode": "circular"}
    y = integers(1, (2, 4, 6, big))
    w, bias = integers(2, (small, big // groups, 3, 3)), integers(3, (big,))
    down = mtconv.conv(y, w, algorithm="direct", **options)
    x = integers(4, down.shape)
    to_size = {**options, "output_size": (4, 6)}
    up = mtconv.conv_transpose(x, w, bias, algorithm="direct", **to_size)
    lay = NamedSharding(mesh, PartitionSpec("b", "h", None, "c"))
    got = sharding.conv_transpose(jax.device_put(x, lay), w, bias, **to_size)
    assert (np.asarray(got) == up).all()
    told = sharding.traffic(x.shape, w.shape, mesh=mesh, partition=lay.spec, **to_size)
    where = {"mesh": mesh, "partition": lay.spec}
    if big % 2 == 0:
        y_there = jax.device_put(y, lay)
        assert (np.asarray(sharding.conv(y_there, w, **options)) == down).all()
        grad = mtconv.kernel_grad(x, y, kernel_size=3, algorithm="direct", **options)
        found = sharding.kernel_grad(
            jax.device_put(x, lay), y_there, kernel_size=3, **options
        )
        assert (np.asarray(found) == grad).all()
    if kind is AxisType.Auto:
        _, moved = run(lambda x, w: sharding.conv_transpose(x, w, **where, **to_size), x, w)
        assert sorted(moved["collective-permute"]) == sorted(told.halos)


@pytest.mark.parametrize("mode", ["circular", "reflect"])
def test_padding_modes_of_whole_space(mode: str) -> None:
    mesh = mesh_of("2x2x2")
    x, w = integers(1, (2, 3, 4, 4)), integers(2, (3, 2, 4, 4))
    options = {"stride": 2, "padding": 1, "padding_mode": mode}
    got = sharding.conv_transpose(x, w, mesh=mesh, partition=PartitionSpec("b"), **options)
    assert (np.asarray(got) == mtconv.conv_transpose(x, w, **options)).all()


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("mode", ["reflect", "replicate", "symmetric"])
def test_the_advice_for_other_padding_modes_works(mode: str, kind: AxisType) -> None:
    mesh = mesh_of("4x2", kind)
    options = {"stride": 2, "padding": (1, 3), "padding_mode": mode}
    y, w = integers(1, (2, 3, 8, 4)), integers(2, (2, 3, 3, 4))
    lay = NamedSharding(mesh, PARTITION)
    y_there = jax.device_put(y, lay)
    expected = mtconv.conv(y, w, **options)
    assert expected.shape == (2, 2, 4, 4)

    def plain(y: Any) -> Any:
        return mtconv.conv(y, w, **options)

    inside, advised = "jax.jit", jax.jit(plain, out_shardings=lay)
    if kind is AxisType.Explicit:
        inside = "jax.sharding.auto_axes"
        advised = jax.sharding.auto_axes(plain, out_sharding=lay)
    with pytest.raises(mtconv.BackendError) as refused:
        sharding.conv(y_there, w, **options)
    assert str(refused.value) == (
        "conv: `padding_mode` must be 'zeros' or 'circular' where space is sharded; got "
        f"{mode!r}. Shard batch and channels only, or call mtconv.conv inside of {inside}."
    )
    got = advised(y_there)
    assert (np.asarray(got) == expected).all()
    assert got.sharding.is_equivalent_to(lay, 4)


def test_refusals() -> None:
    mesh = mesh_of("4x2")
    x, w = integers(1, (2, 3, 8, 4)), integers(2, (3, 2, 3, 4))
    with pytest.raises(
        mtconv.GeometryError, match="4 shards of the mesh; got size 17 on axis 'H'"
    ):
        sharding.conv_transpose(
            x, w, mesh=mesh, partition=PARTITION, stride=2, padding=((0, 0), (1, 1))
        )
    with pytest.raises(mtconv.BackendError, match="must be given inside of `jit`"):
        sharding.conv_transpose(x, w)
    with pytest.raises(mtconv.BackendError, match="must name axes of the mesh"):
        sharding.conv_transpose(x, w, mesh=mesh, partition=PartitionSpec("depth"))


def test_a_bare_signal_without_batch_and_channels() -> None:
    mesh = jax.make_mesh((8,), ("n",), axis_types=(AxisType.Auto,))
    where = {"mesh": mesh, "partition": PartitionSpec("n")}
    options = {"stride": 2, "padding": [(1, 2)]}
    x, w, y = integers(1, (24,)), integers(2, (5,)), integers(3, (48,))
    up = sharding.conv_transpose(x, w, **where, **options)
    down = sharding.conv(y, w, **where, **options)
    grad = sharding.kernel_grad(x, y, kernel_size=(5,), **where, **options)
    assert (np.asarray(up) == mtconv.conv_transpose(x, w, **options)).all()
    assert (np.asarray(down) == mtconv.conv(y, w, **options)).all()
    assert (np.asarray(grad) == mtconv.kernel_grad(x, y, kernel_size=(5,), **options)).all()


def test_plain_functions_keep_a_sharded_batch_where_it_is() -> None:
    mesh = jax.make_mesh((8,), ("b",), axis_types=(AxisType.Auto,))
    lay = NamedSharding(mesh, PartitionSpec("b"))
    x, w = integers(1, (8, 3, 6, 5)), integers(2, (3, 2, 4, 4))
    x_there = jax.device_put(x, lay)

    def up(x: Any, w: Any) -> Any:
        return mtconv.conv_transpose(x, w, stride=2, padding=1)

    def gradients(x: Any, w: Any) -> Any:
        return jax.grad(lambda x, w: (up(x, w) ** 2).sum(), (0, 1))(x, w)

    expected = mtconv.conv_transpose(x, w, stride=2, padding=1)
    got, moved = run(up, x_there, w)
    assert (np.asarray(got) == expected).all()
    assert moved == {}
    (gx, gw), moved = run(gradients, x_there, w)
    options = {"stride": 2, "padding": 1}
    assert (np.asarray(gx) == 2 * mtconv.conv(expected, w, **options)).all()
    grad = mtconv.kernel_grad(x, 2 * expected, kernel_size=4, **options)
    assert (np.asarray(gw) == grad).all()
    # The second is in the branch that only a result with NaN takes.
    assert moved == {"all-reduce": [w.size * 4] * 2}


def test_plain_functions_do_not_gather_sharded_space() -> None:
    mesh = mesh_of("4x2")
    x, w = integers(1, (2, 3, 32, 16)), integers(2, (3, 2, 4, 4))
    x_there = jax.device_put(x, NamedSharding(mesh, PARTITION))

    def up(x: Any, w: Any) -> Any:
        return mtconv.conv_transpose(x, w, stride=2, padding=1)

    got, moved = run(up, x_there, w)
    assert (np.asarray(got) == up(x, w)).all()
    assert max(sum(moved.values(), [0])) < x.nbytes
