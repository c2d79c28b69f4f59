"""What is no plain tensor, or is looked into, is computed by torch, with equal values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mtconv
from mtconv.testing import reference_conv, reference_conv_transpose

torch = pytest.importorskip("torch")

Tensor = torch.Tensor


def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.integers(-4, 6, (2, 4, 5, 6)).astype(np.float32)
    return x, rng.integers(-4, 6, (4, 3, 3, 2)).astype(np.float32)


def up(x: Tensor, kernel: Tensor) -> Tensor:
    return mtconv.conv_transpose(x, kernel, stride=2)


EXPECTED = reference_conv_transpose(*arrays(), stride=2)


class Passing(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
    """Sees the functions of torch that are called."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ):
        del types
        self.names.append(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


class Named(torch.Tensor):  # type: ignore[misc]
    """A subclass, which results of torch keep."""


def in_function_mode(x: Tensor, kernel: Tensor) -> Tensor:
    with Passing() as mode:
        result = up(x, kernel)
    assert "conv_transpose2d" in mode.names
    return result


def in_flop_counter(x: Tensor, kernel: Tensor) -> Tensor:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        result = up(x, kernel)
    assert counter.get_total_flops() == 2 * 2 * 4 * 3 * 30 * 6
    return result


def as_duals(x: Tensor, kernel: Tensor) -> Tensor:
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, 2 * x)
        value, tangent = torch.autograd.forward_ad.unpack_dual(up(dual, kernel))
    assert (tangent == 2 * value).all()
    return value


def by_make_fx(x: Tensor, kernel: Tensor) -> Tensor:
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(up)(x, kernel)(x, kernel)


def by_func_grad(x: Tensor, kernel: Tensor) -> Tensor:
    """The transposed convolution, as the gradient of a convolution."""
    zeros = torch.zeros(EXPECTED.shape)
    return torch.func.grad(lambda y: (mtconv.conv(y, kernel, stride=2) * x).sum())(zeros)


def by_backward_of_a_batch(x: Tensor, kernel: Tensor) -> Tensor:
    zeros = torch.zeros(EXPECTED.shape, requires_grad=True)
    y = torch.nn.functional.conv2d(zeros, kernel, stride=2)
    batch = torch.stack([x, 2 * x])
    (both,) = torch.autograd.grad(y, zeros, batch, is_grads_batched=True)
    assert (both[1] == 2 * both[0]).all()
    return torch.func.vmap(lambda x: up(x, kernel))(batch)[0]


TRANSFORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "vmap": lambda x, k: torch.func.vmap(lambda x: up(x[None], k)[0])(x),
    "func.grad": by_func_grad,
    "func.jvp": lambda x, k: torch.func.jvp(lambda x: up(x, k), (0 * x,), (x,))[1],
    "func.vjp": lambda x, k: torch.func.vjp(up, x, k)[0],
    "functionalize": lambda x, k: torch.func.functionalize(up)(x, k),
    "make_fx": by_make_fx,
    "dual numbers": as_duals,
    "a batched backward pass": by_backward_of_a_batch,
    "a function mode": in_function_mode,
    "a dispatch mode": in_flop_counter,
    "compiled": lambda x, k: torch.compile(up, fullgraph=True, backend="aot_eager")(x, k),
    "exported": lambda x, k: torch.export.export(Module(), (x, k)).module()(x, k),
    "a subclass": lambda x, k: up(x.as_subclass(Named), k),
    "channels last": lambda x, k: up(x.to(memory_format=torch.channels_last), k),
    "strided": lambda x, k: up(x.mT.contiguous().mT, k),
    "negated": lambda x, k: up(torch._neg_view(-x), k),
    "half a number": lambda x, k: up(x.half(), k.half()).float(),
}


class Module(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        return up(x, kernel)


@pytest.mark.filterwarnings("ignore")  # torch warns of what it does itself
@pytest.mark.parametrize("name", TRANSFORMS)
def test_values_of_transforms(shared: list[str], name: str) -> None:
    x, kernel = map(torch.from_numpy, arrays())
    result = TRANSFORMS[name](x, kernel)
    assert (result.numpy(force=True) == EXPECTED).all()
    assert shared == []
    assert (up(x, kernel).numpy() == EXPECTED).all()
    assert shared == ["conv_transpose"]


def test_results_of_channels_last_are_channels_last(shared: list[str]) -> None:
    x, kernel = map(torch.from_numpy, arrays())
    result = up(x.to(memory_format=torch.channels_last), kernel)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert shared == []


def test_autocast_rounds_and_exact_calls_do_not(shared: list[str]) -> None:
    x, kernel = map(torch.from_numpy, arrays())
    with torch.autocast("cpu", torch.bfloat16):
        assert up(x, kernel).dtype == torch.bfloat16
        exact = mtconv.conv_transpose(x, kernel, stride=2, algorithm="exact")
    assert (exact.numpy() == EXPECTED).all()
    assert shared == []


def test_a_backward_pass_inside_of_autocast_rounds_nothing(shared: list[str]) -> None:
    x, kernel = map(torch.from_numpy, arrays())
    x.requires_grad_()
    result = up(x, kernel)
    y = torch.full_like(result, 257)  # which bfloat16 has not
    with torch.autocast("cpu", torch.bfloat16):
        (by_x,) = torch.autograd.grad(result, x, y)
    assert (by_x.numpy() == reference_conv(y, arrays()[1], stride=2)).all()
    assert shared == ["conv_transpose"]


def test_fake_tensors_have_no_memory(shared: list[str]) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        result = up(torch.ones(2, 4, 5, 6), torch.ones(4, 3, 3, 2))
    assert result.shape == EXPECTED.shape
    assert shared == []


def test_an_algorithm_by_name_is_taken(shared: list[str]) -> None:
    x, kernel = map(torch.from_numpy, arrays())
    for algorithm in ("native", "polyphase"):
        result = mtconv.conv_transpose(x, kernel, stride=2, algorithm=algorithm)
        assert (result.numpy() == EXPECTED).all()
    assert shared == []
    exact = mtconv.conv_transpose(x, kernel, stride=2, algorithm="exact")
    assert (exact.numpy() == EXPECTED).all()
    assert shared == ["conv_transpose"]


def test_without_answers_of_torch_no_call_is_plain(
    shared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtconv.backends._torch.eager.CAN_ASK", False)
    x, kernel = map(torch.from_numpy, arrays())
    assert (up(x, kernel).numpy() == EXPECTED).all()
    assert shared == []


@pytest.mark.usefixtures("shared")
def test_explain_says_what_runs() -> None:
    explained = mtconv.explain((2, 4, 5, 6), (4, 3, 3, 2), backend="torch", stride=2)
    assert explained.algorithm == explained.plan.algorithm == "numba"
    assert explained.candidates[0].reason.startswith("compiled: ")
    text = str(explained)
    assert "in the memory of the tensors" in text
    assert "on plain tensors of the CPU, and native on all others" in text
    half = mtconv.explain((2, 4, 5), (4, 3, 3), "float16", "torch")
    assert half.algorithm == "native"
