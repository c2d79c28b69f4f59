"""The samples on which torch's own tests call conv_transpose1d/2d/3d and conv1d/2d/3d."""

import warnings

import numpy as np
import pytest
import torch

from mtconv import compat

with warnings.catch_warnings():  # torch's test modules warn when imported
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

NAMES = [f"conv{kind}{rank}d" for kind in ("_transpose", "") for rank in (1, 2, 3)]
OPS = [op for op in op_db if op.name.removeprefix("nn.functional.") in NAMES]


def integers(value):
    """Round a tensor to integers, which both sides then compute exactly."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_complex():
        return torch.view_as_complex(torch.view_as_real(value.detach()).round())
    return (value * 3).round().detach()


def arrays(value):
    return value.numpy() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("library", ["numpy", "jax"])
@pytest.mark.filterwarnings("ignore")
def test_torchs_samples(op, dtype, library, same, record_property):
    name = op.name.removeprefix("nn.functional.")
    samples = list(op.sample_inputs("cpu", dtype))
    assert samples
    for sample in samples:
        positional = [integers(a) for a in (sample.input, *sample.args)]
        named = {key: integers(value) for key, value in sample.kwargs.items()}
        expected = getattr(torch.nn.functional, name)(*positional, **named)
        result = getattr(compat.torch, name)(
            *map(arrays, positional),
            **{key: arrays(value) for key, value in named.items()},
            backend=library,
        )
        same(np.asarray(result), expected.numpy())
    record_property("cases", len(samples))


def test_every_op_is_there():
    assert len({op.name for op in OPS}) == len(NAMES)
