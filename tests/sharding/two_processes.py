"""One of two processes of four CPU devices each: `test_sharding.py` starts both.

python tests/sharding/two_processes.py 127.0.0.1:PORT 0
"""

from __future__ import annotations

import sys

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import mtconv
from mtconv import sharding

OPTIONS = {"stride": (2, 3), "padding": ((1, 1), (0, 2)), "output_padding": (0, 2)}


def main(address: str, process: int) -> None:
    """Compute on all devices; compare the shards of this process with NumPy."""
    jax.distributed.initialize(address, num_processes=2, process_id=process)
    assert jax.process_count() == 2
    assert jax.device_count() == 8
    mesh = jax.make_mesh((4, 2), ("h", "w"))
    lay = NamedSharding(mesh, PartitionSpec(None, None, "h", "w"))
    rng = np.random.default_rng(0)
    x, w = rng.integers(-4, 5, (1, 3, 8, 6)), rng.integers(-4, 5, (3, 2, 4, 3))
    x, w = x.astype(np.float32), w.astype(np.float32)
    expected = mtconv.conv_transpose(x, w, **OPTIONS)
    y = rng.integers(-4, 5, expected.shape).astype(np.float32)
    options = {name: OPTIONS[name] for name in ("stride", "padding")}

    def spread(array: np.ndarray) -> jax.Array:
        return jax.make_array_from_callback(array.shape, lay, lambda at: array[at])

    def check(got: jax.Array, expected: np.ndarray) -> None:
        assert len(got.addressable_shards) == 4
        for shard in got.addressable_shards:
            assert (np.asarray(shard.data) == expected[shard.index]).all()

    def up(x: jax.Array, w: jax.Array) -> jax.Array:
        return sharding.conv_transpose(x, w, mesh=mesh, partition=lay.spec, **OPTIONS)

    def gradients(x: jax.Array, w: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
        return jax.vjp(up, x, w)[1](y)

    check(jax.jit(up)(spread(x), w), expected)
    gx, gw = jax.jit(gradients)(spread(x), w, spread(y))
    check(gx, mtconv.conv(y, w, **options))
    check(gw, mtconv.kernel_grad(x, y, kernel_size=(4, 3), **options))
    print("right")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
