"""The recipes of the page on whole models, with the packages themselves.

Every block runs in its order; then the outputs of the models are compared with torch's.
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("flax")
pytest.importorskip("equinox")

PAGE = Path(__file__).parents[2] / "docs" / "whole-models.md"


@pytest.fixture(scope="module")
def page():
    """What the blocks of the page define, up to those of Keras where it is missing."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    torch.manual_seed(0)
    names = {}
    blocks = re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.S)
    for number, block in enumerate(blocks):
        if "torch.load" in block:
            break
        if "import keras" in block and find_spec("keras") is None:
            break
        exec(compile(block, f"block {number}", "exec"), names)
        if number == 0:  # statistics and biases that are not 0 and 1
            with torch.no_grad():
                for tensor in names["net"].state_dict().values():
                    if tensor.is_floating_point():
                        tensor.copy_(torch.rand_like(tensor) - 0.3)
                names["net"].norm.running_var.add_(0.5)
    return names


X = np.random.default_rng(0).standard_normal((2, 3, 8, 6)).astype("f4")
LAST, LABEL = X.transpose(0, 2, 3, 1), np.array([3, 7])


@pytest.fixture
def wanted(page):
    with torch.no_grad():
        return page["net"](torch.from_numpy(X), torch.from_numpy(LABEL)).numpy()


def close(got, wanted):
    assert got.shape == wanted.shape == (2, 8, 6, 5)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_nnx(page, wanted):
    close(page["nnx_net"](LAST, LABEL), wanted)


@pytest.mark.filterwarnings("ignore")
def test_linen(page, wanted):
    close(page["LinenNet"]().apply(page["variables"], LAST, LABEL), wanted)


def test_equinox(page, wanted):
    got = np.stack([page["equinox_net"](x, n) for x, n in zip(X, LABEL, strict=True)])
    close(got, wanted)


def same_state(page, back, without="norm.num_batches_tracked"):
    state = page["net"].state_dict()
    names = {name for name in state if not name.startswith(without)}
    assert set(back) == names
    for name in names:
        np.testing.assert_array_equal(np.asarray(back[name]), state[name].numpy())


def test_back_from_flax(page):
    same_state(page, page["back"])


def test_back_from_equinox(page):
    # The page's model has no layer of equinox for the normalisation.
    same_state(page, page["equinox_back"], without="norm.")


@pytest.mark.skipif(find_spec("keras") is None, reason="needs keras")
def test_keras_and_back(page, wanted):
    got = page["keras"].ops.convert_to_numpy(page["keras_net"]([LAST, LABEL]))
    close(got, wanted)
    same_state(page, page["keras_back"])


def test_the_options_are_those_of_the_page(page):
    compat, text = page["compat"], PAGE.read_text()
    options = {"stride": 2, "padding": 1}
    for name in ("flax", "equinox", "keras"):
        there = compat.convert(options, "torch", name, kernel_size=(4, 4))
        start = ", ".join(f"{key!r}: {value!r}" for key, value in [*there.items()][:3])
        assert f"# {name} {{{start}" in text


def test_a_torch_tensor_stays_one(page):
    state = page["net"].state_dict()
    there = page["compat"].convert_checkpoint(state, "torch", "keras", transposed="up*")
    assert there["up.weight"].shape == (4, 4, 6, 8)
    assert isinstance(there["up.weight"], torch.Tensor)
    half = {"w": torch.ones(2, 3, 4, dtype=torch.bfloat16)}
    there = page["compat"].convert_checkpoint(half, "torch", "jax", transposed="w")
    assert there["w"].dtype == torch.bfloat16
