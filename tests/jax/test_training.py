"""The code of docs/training.md runs, and reaches the error that the page states."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mtconv

pytest.importorskip("optax")
pytest.importorskip("sklearn")

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.fixture(scope="module")
def page():
    """Run all code of the page, as a user who copies it would: with 32 bits."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    names = {}
    with jax.enable_x64(False):
        exec("\n".join(blocks), names)
    return names


@pytest.fixture(scope="module")
def stated():
    """Return the errors that the page states: the network's, and the mean image's."""
    text = PAGE.read_text()
    below = float(re.search(r"below \*\*([\d.]+)\*\*", text).group(1))
    mean = float(re.search(r"the mean image gives (\d\.\d+)", text).group(1))
    return below, mean


def test_reaches_the_stated_error(page, stated):
    assert page["error"] < stated[0]


def test_the_mean_image_is_as_bad_as_stated(page, stated):
    mean = page["train"].mean(0)
    error = float(jnp.mean((page["test"] - mean) ** 2))
    assert round(error, 3) == stated[1]


def as_torch(torch, params):
    """Make the same network in torch, with the same weights."""
    layers = {
        "down1": torch.nn.Conv2d(1, 32, 4, stride=2, padding=1),
        "down2": torch.nn.Conv2d(32, 4, 4, stride=2, padding=1),
        "up1": torch.nn.ConvTranspose2d(4, 32, 4, stride=2, padding=1),
        "up2": torch.nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
    }
    with torch.no_grad():
        for name, layer in layers.items():
            kernel, bias = params[name]
            layer.weight.copy_(torch.tensor(np.asarray(kernel)))
            layer.bias.copy_(torch.tensor(np.asarray(bias)))
    relu = torch.nn.ReLU()
    sequence = [layers["down1"], relu, layers["down2"], layers["up1"], relu, layers["up2"]]
    return torch.nn.Sequential(*sequence)


def test_the_same_network_in_torch_reaches_it_too(page, stated):
    torch = pytest.importorskip("torch")
    network = as_torch(torch, page["init"](jax.random.key(0)))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    train, test = (torch.tensor(np.asarray(page[name])) for name in ("train", "test"))
    for indices in page["batches"]():
        images = train[torch.tensor(np.asarray(indices))]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(images), images).backward()
        optimizer.step()
    with torch.no_grad():
        assert torch.nn.functional.mse_loss(network(test), test).item() < stated[0]


@pytest.mark.parametrize("groups", [1, 2])
def test_weights_of_torch_are_loaded_unchanged(page, groups):
    torch = pytest.importorskip("torch")
    options = {"stride": 3, "padding": 1, "output_padding": 2, "groups": groups}
    layer = torch.nn.ConvTranspose2d(4, 6, (3, 2), **options)
    kernel, bias = page["load_torch"](layer)
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype("float32")
    expected = layer(torch.tensor(x)).detach().numpy()
    got = mtconv.conv_transpose(jnp.asarray(x), kernel, bias, **options)
    np.testing.assert_allclose(got, expected, atol=1e-5)
