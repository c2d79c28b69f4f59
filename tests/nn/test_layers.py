"""The layers for training: torch's weights, options and initial values."""

import pickle

import numpy as np
import pytest

import mtconv
from mtconv import compat

jax = pytest.importorskip("jax")


def make(name, *arguments, **options):
    """Make a layer of either framework."""
    pytest.importorskip(name)
    if name == "flax":
        from flax import nnx

        from mtconv.nn.flax import ConvTranspose

        return ConvTranspose(*arguments, **options, rngs=nnx.Rngs(0))
    from mtconv.nn.equinox import ConvTranspose

    return ConvTranspose(*arguments, **options, key=jax.random.key(0))


def parameters(layer):
    return tuple(
        None if p is None else np.asarray(p[...]) for p in (layer.weight, layer.bias)
    )


frameworks = pytest.mark.parametrize("name", ["flax", "equinox"])


@frameworks
@pytest.mark.parametrize(
    ("taps", "options"),
    [
        ((4,), {"stride": 2, "padding": 1}),
        ((3, 2), {"stride": (2, 3), "output_padding": (1, 2), "groups": 2}),
        ((3, 3), {"dilation": 2, "output_padding": 1, "bias": False}),
        ((2, 3, 2), {"stride": 2, "padding": (0, 1, 0), "groups": 2}),
    ],
)
def test_a_layer_gives_what_torchs_call_gives(name, taps, options):
    layer = make(name, 4, 6, taps, **options)
    x = np.random.default_rng(0).standard_normal((2, 4, *(5, 4, 3)[: len(taps)]))
    x = x.astype(np.float32)
    weight, bias = parameters(layer)
    assert weight.shape == (4, 6 // options.get("groups", 1), *taps)
    assert (bias is None) == (not options.pop("bias", True))
    call = getattr(compat.torch, f"conv_transpose{len(taps)}d")
    np.testing.assert_allclose(
        layer(x), call(x, weight, bias, **options), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(layer(x[0]), layer(x)[0], rtol=1e-5, atol=1e-5)


@frameworks
def test_initial_values_are_uniform_between_torchs_bounds(name):
    layer = make(name, 64, 32, (4, 4))
    weight, bias = parameters(layer)
    bound = 1 / np.sqrt(32 * 4 * 4)
    for values in (weight, bias):
        assert 0.9 * bound < abs(values).max() <= bound
    assert weight.mean() == pytest.approx(0, abs=bound / 50)
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)


@frameworks
def test_output_size_settles_the_size_of_the_result(name):
    layer = make(name, 1, 1, (3,), stride=2, padding=1)
    x = np.ones((1, 1, 5), np.float32)
    assert layer(x).shape == (1, 1, 9)
    assert layer(x, (10,)).shape == (1, 1, 10)
    assert layer(x, (1, 1, 10)).shape == (1, 1, 10)
    np.testing.assert_array_equal(layer(x, (10,))[..., :9], layer(x))
    with pytest.raises(mtconv.GeometryError, match="`output_size` must be from 9 to 10"):
        layer(x, (11,))


@frameworks
def test_wrong_options_are_refused(name):
    with pytest.raises(mtconv.GeometryError, match="`kernel_size` must be a sequence"):
        make(name, 1, 1, 3)
    with pytest.raises(mtconv.GeometryError, match="`groups` must divide"):
        make(name, 4, 3, (3,), groups=2)
    with pytest.raises(mtconv.GeometryError, match="`output_padding` must be smaller"):
        make(name, 1, 1, (3,), output_padding=1)


@frameworks
def test_errors_are_those_of_the_layer(name):
    with pytest.raises(mtconv.GeometryError) as refusal:
        make(name, 1, 1, (3,), stride=2, padding="same")
    assert str(refusal.value) == (
        "ConvTranspose: `padding` must be an integer or one per axis: a transposed "
        "convolution of torch has no padding words; got 'same'. mtconv.conv_transpose has "
        "'valid', 'same' and 'same_lower'."
    )
    with pytest.raises(mtconv.GeometryError) as refusal:
        make(name, 1, 1, (3, 3))(np.ones((1, 2, 5, 5), np.float32))
    assert str(refusal.value) == (
        "ConvTranspose: `input` must have as many channels as `weight`, of shape (C_in, "
        "C_out/groups, *k), takes: 1; got 2."
    )


def test_a_flax_layer_trains():
    pytest.importorskip("flax")
    from flax import nnx

    layer = make("flax", 2, 1, (3,), stride=2)
    x = np.random.default_rng(1).standard_normal((4, 2, 5)).astype(np.float32)
    goal = np.asarray(layer(x)) + 1

    @nnx.jit
    def step(layer):
        def loss(layer):
            return ((layer(x) - goal) ** 2).mean()

        value, slopes = nnx.value_and_grad(loss)(layer)
        for name in ("weight", "bias"):
            parameter, slope = getattr(layer, name), getattr(slopes, name)
            parameter[...] = parameter[...] - 0.1 * slope[...]
        return value

    losses = [float(step(layer)) for _ in range(30)]
    assert losses[-1] < losses[0] / 2


def test_an_equinox_layer_trains():
    equinox = pytest.importorskip("equinox")
    layer = make("equinox", 2, 1, (3,), stride=2)
    x = np.random.default_rng(1).standard_normal((4, 2, 5)).astype(np.float32)
    goal = np.asarray(jax.vmap(layer)(x)) + 1

    @equinox.filter_jit
    def step(layer):
        def loss(layer):
            return ((jax.vmap(layer)(x) - goal) ** 2).mean()

        value, slopes = equinox.filter_value_and_grad(loss)(layer)
        return value, jax.tree.map(lambda p, s: p - 0.1 * s, layer, slopes)

    losses = []
    for _ in range(30):
        value, layer = step(layer)
        losses.append(float(value))
    assert losses[-1] < losses[0] / 2
    again = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(again(x[0]), layer(x[0]))
