"""A generator from torch, through a safetensors file, to NumPy, JAX and flax."""

from functools import partial

import numpy as np
import pytest
import torch

from mtconv.compat.torch import conv_transpose2d

jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")
safetensors = pytest.importorskip("safetensors")

# Channels in and out, kernel, stride, padding, output padding, groups, bias: DCGAN's
# layers, then an odd kernel with output padding, groups, and a dilated last layer.
LAYERS = (
    (100, 64, (4, 4), {"stride": 1, "padding": 0, "bias": False}),
    (64, 32, (4, 4), {"stride": 2, "padding": 1, "bias": False}),
    (32, 16, (3, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 4}),
    (16, 8, (5, 3), {"stride": (2, 1), "padding": (2, 1), "output_padding": (1, 0)}),
    (8, 3, (3, 3), {"padding": 2, "dilation": 2}),
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A generator with torch's own initial values, in a file; its input and output."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    layers = [torch.nn.ConvTranspose2d(i, o, k, **choices) for i, o, k, choices in LAYERS]
    parts = [part for layer in layers for part in (layer, torch.nn.ReLU())][:-1]
    generator = torch.nn.Sequential(*parts)
    path = tmp_path_factory.mktemp("generator") / "generator.safetensors"
    save_file(generator.state_dict(), path)
    z = torch.randn(4, 100, 1, 1)
    with torch.no_grad():
        return path, z.numpy(), generator(z).numpy()


def check(result, wanted):
    assert result.shape == wanted.shape
    assert wanted.std() > 1e-3  # there is something to compare
    error = np.abs(np.asarray(result) - wanted).max() / np.abs(wanted).max()
    print(f"\nlargest difference from torch, relative to the largest value: {error:.1e}")
    assert error < 2e-6


def run(relu, state, z):
    """Run the generator with the calls of `mtconv.compat.torch`."""
    for number, (_, _, _, choices) in enumerate(LAYERS):
        options = {name: value for name, value in choices.items() if name != "bias"}
        name = str(2 * number)
        bias = state.get(f"{name}.bias")
        z = conv_transpose2d(z, state[f"{name}.weight"], bias, **options)
        z = relu(z) if number < len(LAYERS) - 1 else z
    return z


def test_numpy_alone(saved):
    from safetensors.numpy import load_file

    path, z, wanted = saved
    result = run(partial(np.maximum, 0), load_file(path), z)
    assert isinstance(result, np.ndarray)
    check(result, wanted)


def test_jax_under_jit(saved):
    from safetensors.flax import load_file

    path, z, wanted = saved
    check(jax.jit(partial(run, jax.nn.relu))(load_file(path), z), wanted)


def test_flax_layers_with_torchs_weights(saved):
    from safetensors.numpy import load_file

    from mtconv.nn.flax import ConvTranspose

    path, z, wanted = saved
    state = load_file(path)
    layers = []
    for number, (inputs, outputs, taps, choices) in enumerate(LAYERS):
        layer = ConvTranspose(inputs, outputs, taps, **choices, rngs=nnx.Rngs(0))
        layer.weight[...] = state[f"{2 * number}.weight"]
        if layer.bias is not None:
            layer.bias[...] = state[f"{2 * number}.bias"]
        layers += [layer, jax.nn.relu]
    check(nnx.jit(nnx.Sequential(*layers[:-1]))(z), wanted)


def test_equinox_layers_with_torchs_weights(saved):
    equinox = pytest.importorskip("equinox")
    from safetensors.numpy import load_file

    from mtconv.nn.equinox import ConvTranspose

    path, z, wanted = saved
    state = load_file(path)
    layers = []
    for number, (inputs, outputs, taps, choices) in enumerate(LAYERS):
        layer = ConvTranspose(inputs, outputs, taps, **choices, key=jax.random.key(0))
        names = ["weight"] if layer.bias is None else ["weight", "bias"]
        layer = equinox.tree_at(
            lambda leaf, names=names: [getattr(leaf, name) for name in names],
            layer,
            [jax.numpy.asarray(state[f"{2 * number}.{name}"]) for name in names],
        )
        layers += [layer, equinox.nn.Lambda(jax.nn.relu)]
    check(jax.jit(jax.vmap(equinox.nn.Sequential(layers[:-1])))(z), wanted)
