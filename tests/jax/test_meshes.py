"""Several devices: values under every kind of mesh, and no array gathered whole.

The test suite forces eight devices of the CPU (see tests/conftest.py).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mtconv
from mtconv import sharding
from mtconv.backends._jax import gemm
from mtconv.backends._jax.meshes import advising

DEVICES = 4
OPTIONS = {"stride": 2, "padding": 1}


@pytest.fixture(scope="module")
def auto():
    """A mesh on which the compiler decides how to communicate."""
    return jax.make_mesh((DEVICES,), ("d",), axis_types=(AxisType.Auto,))


@pytest.fixture(scope="module")
def explicit():
    """A mesh on which shardings are part of the types."""
    return jax.make_mesh((DEVICES,), ("d",), axis_types=(AxisType.Explicit,))


@pytest.fixture(scope="module")
def arrays(make):
    """x, kernel and y of a layer that doubles the sides."""
    return (
        make((8, 4, 16, 8), 0, "float32"),
        make((4, 6, 4, 4), 1, "float32"),
        make((8, 6, 32, 16), 2, "float32"),
    )


def all_three(x, kernel, y, **options):
    """Return the result and both gradients."""
    result, backward = jax.vjp(
        lambda x, w: mtconv.conv_transpose(x, w, **OPTIONS, **options), x, kernel
    )
    return result, *backward(y)


@pytest.fixture(scope="module")
def expected(arrays):
    """What one device gives."""
    return jax.jit(all_three)(*arrays)


def equal(got, expected):
    """Compare results element by element."""
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert (jax.device_get(one) == jax.device_get(other)).all()


@pytest.mark.parametrize(
    ("algorithm", "columns"),
    [("gemm", gemm.COLUMNS), ("gemm", 1), ("polyphase", gemm.COLUMNS)],
    ids=["whole", "loop", "phases"],
)
@pytest.mark.parametrize("spec", [P("d"), P(None, None, "d")], ids=["batch", "space"])
def test_sharded_inputs_are_never_gathered(
    auto, arrays, expected, spec, algorithm, columns, monkeypatch
):
    monkeypatch.setattr(gemm, "COLUMNS", columns)
    x, kernel, y = arrays
    whole = NamedSharding(auto, P())
    parts = NamedSharding(auto, spec)
    placed = jax.device_put((x, kernel, y), (parts, whole, parts))
    program = jax.jit(
        lambda *a: all_three(*a, algorithm=algorithm), out_shardings=(parts, parts, whole)
    )
    compiled = program.lower(*placed).compile()
    text = compiled.as_text()
    assert (" while(" in text) == (columns == 1)
    assert "all-gather" not in text
    assert "all-to-all" not in text
    equal(compiled(*placed), expected)


def test_a_gathered_program_would_be_noticed(auto, arrays):
    x, _, _ = arrays
    placed = jax.device_put(x, NamedSharding(auto, P("d")))
    whole = NamedSharding(auto, P())
    text = jax.jit(jnp.cos, out_shardings=whole).lower(placed).compile().as_text()
    assert "all-gather" in text


def test_shard_map_over_the_batch_with_its_checks(auto, arrays, expected):
    x, kernel, y = arrays
    parts = P("d")

    def loss(x, kernel, y):
        return jnp.sum(mtconv.conv_transpose(x, kernel, **OPTIONS) * y)[None]

    each = jax.shard_map(loss, mesh=auto, in_specs=(parts, P(), parts), out_specs=parts)
    got = jax.jit(jax.grad(lambda x, w: each(x, w, y).sum(), (0, 1)))(x, kernel)
    equal(got, expected[1:])

    forward = jax.shard_map(
        lambda x, w: mtconv.conv_transpose(x, w, **OPTIONS),
        mesh=auto,
        in_specs=(parts, P()),
        out_specs=parts,
    )
    equal([jax.jit(forward)(x, kernel)], expected[:1])


def test_gradients_taken_inside_shard_map(auto, arrays, expected):
    x, kernel, y = arrays
    parts = P("d")

    def body(x, kernel, y):
        # The kernel is the same everywhere, so its gradient is summed over devices.
        return all_three(x, kernel, y)

    inside = jax.shard_map(
        body, mesh=auto, in_specs=(parts, P(), parts), out_specs=(parts, parts, P())
    )
    equal(jax.jit(inside)(x, kernel, y), expected)


def test_shard_map_over_input_channels(auto, arrays, expected):
    x, kernel, _ = arrays

    def part(x, kernel):
        return jax.lax.psum(mtconv.conv_transpose(x, kernel, **OPTIONS), "d")

    summed = jax.shard_map(part, mesh=auto, in_specs=(P(None, "d"), P("d")), out_specs=P())
    equal([jax.jit(summed)(x, kernel)], expected[:1])


@pytest.mark.parametrize("axis", [0, 1], ids=["batch", "replicated"])
def test_explicit_axes(explicit, arrays, expected, axis):
    x, kernel, y = arrays
    specs = (P("d"), P(), P("d")) if axis == 0 else (P(), P(None, None), P())
    with jax.set_mesh(explicit):
        placed = [
            jax.device_put(array, NamedSharding(explicit, spec))
            for array, spec in zip((x, kernel, y), specs, strict=True)
        ]
        got = jax.jit(all_three)(*placed)
        if axis == 0:
            assert jax.typeof(got[0]).sharding.spec[0] == "d"
        equal(got, expected)
        equal(all_three(*placed), expected)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_space_that_jax_cannot_shard(explicit, make, transform):
    options = {"padding": 1, "padding_mode": "circular"}
    x, kernel = make((2, 4, 8), 0, "float32"), make((4, 3, 3), 1, "float32")
    lay = NamedSharding(explicit, P(None, None, "d"))
    placed = jax.device_put(x, lay)

    def plain(x):
        return mtconv.conv_transpose(x, kernel, **options)

    with pytest.raises(mtconv.BackendError) as refused:
        transform(plain)(placed)
    assert str(refused.value) == (
        "conv_transpose: `x` must be sharded so that JAX can slice and pad it on a mesh "
        "with explicit axes; got P(None, None, 'd'). Call mtconv.sharding.conv_transpose, "
        "which exchanges halos, or make this call inside of jax.sharding.auto_axes."
    )
    advised = transform(jax.sharding.auto_axes(plain, out_sharding=lay))
    for got in (advised(placed), sharding.conv_transpose(placed, kernel, **options)):
        assert got.sharding.is_equivalent_to(lay, 3)
        equal([got], [plain(x)])


def test_other_errors_of_jax_stay_as_they_are(make):
    x = make((2, 4, 8), 0, "float32")
    with pytest.raises(ValueError, match="not about shards"), advising("conv", x):
        raise ValueError("not about shards")  # noqa: EM101


def test_donated_inputs(arrays, expected):
    x, kernel, y = arrays

    def update(kernel, x, y):
        return kernel - all_three(x, kernel, y)[2]

    given = jnp.array(kernel)
    got = jax.jit(update, donate_argnums=0)(given, x, y)
    assert given.is_deleted()
    equal([got], [kernel - expected[2]])
