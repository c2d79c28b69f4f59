"""Compiled kernels in the memory of tensors: values, gradients, and what torch promises."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import mtconv
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad

torch = pytest.importorskip("torch")

OPTIONS: dict[str, Any] = {"stride": 2, "padding": ((0, 1), (1, 1))}
X_SHAPE, KERNEL_SHAPE = (2, 4, 5, 6), (4, 3, 3, 2)


def whole(shape: tuple[int, ...], seed: int, dtype: str = "float32") -> np.ndarray:
    """Whole numbers, asymmetric, which every algorithm adds up exactly."""
    return np.random.default_rng(seed).integers(-4, 6, shape).astype(dtype)


def arrays(dtype: str = "float32") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, kernel = whole(X_SHAPE, 1, dtype), whole(KERNEL_SHAPE, 2, dtype)
    shape = mtconv.conv_transpose_shape(X_SHAPE, KERNEL_SHAPE, **OPTIONS)
    return x, kernel, whole(shape, 3, dtype)


def tensors(dtype: str = "float32") -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(array) for array in arrays(dtype))


def up(x: torch.Tensor, kernel: torch.Tensor, bias: Any = None) -> torch.Tensor:
    return mtconv.conv_transpose(x, kernel, bias, **OPTIONS)


def same(got: torch.Tensor, expected: np.ndarray) -> None:
    assert got.numpy(force=True).dtype == expected.dtype
    assert got.shape == expected.shape
    assert (got.numpy(force=True) == expected).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_the_three_maps_are_those_of_loops(shared: list[str], dtype: str) -> None:
    x, kernel, y = tensors(dtype)
    same(up(x, kernel), reference_conv_transpose(*arrays(dtype)[:2], **OPTIONS))
    same(mtconv.conv(y, kernel, **OPTIONS), reference_conv(y, kernel, **OPTIONS))
    grad = mtconv.kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS)
    same(grad, reference_kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS))
    assert shared == ["conv_transpose", "conv", "kernel_grad"]


def test_gradients_are_the_other_two_maps(shared: list[str]) -> None:
    x, kernel, y = tensors()
    bias = torch.tensor([1.0, 20.0, 300.0])
    leaves = [tensor.clone().requires_grad_() for tensor in (x, kernel, bias)]
    result = up(*leaves)
    plain = reference_conv_transpose(*arrays()[:2], **OPTIONS)
    same(result, plain + bias.numpy()[:, None, None])
    by_x, by_kernel, by_bias = torch.autograd.grad(result, leaves, y)
    same(by_x, reference_conv(y, kernel, **OPTIONS))
    same(by_kernel, reference_kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS))
    same(by_bias, arrays()[2].sum((0, 2, 3)))
    assert shared == ["conv_transpose", "conv", "kernel_grad"]


def test_gradients_of_conv_and_kernel_grad(shared: list[str]) -> None:
    x, kernel, y = tensors()
    leaves = y.clone().requires_grad_(), kernel.clone().requires_grad_()
    by_y, by_kernel = torch.autograd.grad(mtconv.conv(*leaves, **OPTIONS), leaves, x)
    same(by_y, reference_conv_transpose(*arrays()[:2], **OPTIONS))
    same(by_kernel, reference_kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS))
    leaves = x.clone().requires_grad_(), y.clone().requires_grad_()
    grad = mtconv.kernel_grad(*leaves, kernel_size=(3, 2), **OPTIONS)
    by_x, by_y = torch.autograd.grad(grad, leaves, kernel)
    same(by_x, reference_conv(y, kernel, **OPTIONS))
    same(by_y, reference_conv_transpose(*arrays()[:2], **OPTIONS))
    assert shared.count("kernel_grad") == 2
    assert len(shared) == 6


def test_gradients_of_one_operand_and_of_an_unbatched_call(shared: list[str]) -> None:
    x, kernel, y = tensors()
    kernel.requires_grad_()
    bias = torch.zeros(3, requires_grad=True)
    result = up(x[0], kernel, bias)
    by_kernel, by_bias = torch.autograd.grad(result, (kernel, bias), y[0])
    same(by_kernel, reference_kernel_grad(x[0], y[0], kernel_size=(3, 2), **OPTIONS))
    same(by_bias, arrays()[2][0].sum((1, 2)))
    assert shared == ["conv_transpose", "kernel_grad"]


@pytest.mark.filterwarnings("ignore")  # torch warns of what it does itself
def test_derivatives_of_every_order_and_kind(shared: list[str]) -> None:
    """Also of batches of cotangents, and forward over reverse: those are torch's own."""
    x = torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    call = (x, kernel, bias)

    def small(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return mtconv.conv_transpose(x, kernel, bias, stride=2, padding=1)

    assert torch.autograd.gradcheck(
        small, call, check_batched_grad=True, check_forward_ad=True
    )
    assert torch.autograd.gradgradcheck(
        small, call, check_batched_grad=True, check_fwd_over_rev=True
    )
    assert {"conv_transpose", "conv", "kernel_grad"} == set(shared)


def test_cotangents_that_lie_in_another_order(shared: list[str]) -> None:
    x, kernel, y = tensors()
    x.requires_grad_()
    (by_x,) = torch.autograd.grad(up(x, kernel), x, y.to(memory_format=torch.channels_last))
    same(by_x, reference_conv(y, kernel, **OPTIONS))
    (ones,) = torch.autograd.grad(up(x, kernel).sum(), x)
    same(ones, reference_conv(np.ones_like(y), kernel, **OPTIONS))
    assert shared == ["conv_transpose", "conv"] * 2


def test_operands_that_are_changed_in_place_are_refused(shared: list[str]) -> None:
    x, kernel, _ = tensors()
    kernel.requires_grad_()
    result = up(x, kernel)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()
    assert shared == ["conv_transpose"]


def test_hooks_of_saved_tensors(shared: list[str]) -> None:
    x, kernel, y = tensors()
    kernel.requires_grad_()
    packed = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        packed.append(tensor.shape)
        return tensor.double()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor.float()):
        result = up(x, kernel)
    (by_kernel,) = torch.autograd.grad(result, kernel, y)
    same(by_kernel, reference_kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS))
    assert packed == [x.shape, kernel.shape]
    assert shared == ["conv_transpose", "kernel_grad"]


def test_modes_without_gradients(shared: list[str]) -> None:
    x, kernel, _ = tensors()
    kernel.requires_grad_()
    with torch.no_grad():
        assert not up(x, kernel).requires_grad
    with torch.inference_mode():
        result = up(x, kernel)
    assert result.is_inference()
    same(result, reference_conv_transpose(*arrays()[:2], **OPTIONS))
    with torch.inference_mode():
        inside = x.clone()
    assert not up(inside, kernel.detach()).is_inference()
    with pytest.raises(RuntimeError, match="cannot be saved for backward"):
        up(inside, kernel)
    assert set(shared) == {"conv_transpose"}


def test_tensors_can_be_resized_afterwards(shared: list[str]) -> None:
    """`Tensor.numpy` would forbid that."""
    x, kernel = torch.ones(X_SHAPE), torch.ones(KERNEL_SHAPE)
    result = up(x, kernel)
    for tensor in (x, kernel, result):
        assert tensor.resize_(10, 10, 10).shape == (10, 10, 10)
    assert shared == ["conv_transpose"]


def test_infinite_values_reach_what_their_taps_reach(shared: list[str]) -> None:
    x, kernel, y = arrays()
    kernel[1, 2, 0, 1] = np.inf
    x[0, 1, 2, 3] = np.nan
    got = up(torch.from_numpy(x), torch.from_numpy(kernel)).numpy()
    expected = mtconv.conv_transpose(x, kernel, algorithm="direct", **OPTIONS)
    assert np.array_equal(got, expected, equal_nan=True)
    x[0, 1, 2, 3] = np.inf
    grad = mtconv.kernel_grad(
        torch.from_numpy(x), torch.from_numpy(y), kernel_size=(3, 2), **OPTIONS
    )
    expected = mtconv.kernel_grad(x, y, kernel_size=(3, 2), algorithm="direct", **OPTIONS)
    assert np.array_equal(grad.numpy(), expected, equal_nan=True)
    assert shared == ["conv_transpose", "kernel_grad"]


def test_torch_computes_what_numba_cannot_at_this_moment(
    shared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtconv.importing import ImportRefused

    def refuse(*_: Any) -> None:
        raise ImportRefused

    x, kernel, y = tensors()
    kernel.requires_grad_()
    monkeypatch.setattr("mtconv.backends._numba._compiler", refuse)
    result = up(x, kernel)
    same(result, reference_conv_transpose(*arrays()[:2], **OPTIONS))
    (by_kernel,) = torch.autograd.grad(result, kernel, y)
    same(by_kernel, reference_kernel_grad(x, y, kernel_size=(3, 2), **OPTIONS))
    assert shared == ["conv_transpose", "kernel_grad"]


LARGE = (4, 16, 64, 64), (16, 16, 4, 4)


@pytest.fixture
def threads() -> Any:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_torch_says_how_many_threads_compute(
    shared: list[str], threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, kernel = (torch.from_numpy(whole(shape, 5)) for shape in LARGE)
    helpers = []
    monkeypatch.setattr(
        "mtconv.backends._numba.launch.pool.submit", lambda jobs: helpers.extend(jobs)
    )
    with mtconv.workers(8):
        threads(1)
        expected = mtconv.conv_transpose(x, kernel, stride=2)
        assert helpers == []
        threads(3)
        assert (mtconv.conv_transpose(x, kernel, stride=2) == expected).all()
        assert len(helpers) == 2
    with mtconv.workers(1):
        assert (mtconv.conv_transpose(x, kernel, stride=2) == expected).all()
    assert len(helpers) == 2
    assert len(shared) == 3


class Upsampled(torch.utils.data.Dataset):  # type: ignore[misc]
    """What a loader's worker computes."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        x, kernel = (torch.from_numpy(whole(shape, number)) for shape in LARGE)
        return mtconv.conv_transpose(x, kernel, stride=2)[0, 0], torch.get_num_threads()


def test_workers_of_a_loader_use_one_thread_each(shared: list[str], threads: Any) -> None:
    threads(2)
    expected = [Upsampled()[number][0] for number in range(3)]
    loader = torch.utils.data.DataLoader(Upsampled(), None, num_workers=2, timeout=60)
    for (result, number), own in zip(loader, expected, strict=True):
        assert (result == own).all()
        assert number == 1
    assert len(shared) == 3  # those of this process


def test_backward_passes_on_several_threads(shared: list[str]) -> None:
    x, kernel = (torch.from_numpy(whole(shape, 7)) for shape in LARGE)
    results: dict[int, torch.Tensor] = {}

    def run(number: int) -> None:
        own = kernel.clone().requires_grad_()
        result = mtconv.conv_transpose(x + number, own, stride=2)
        results[number] = torch.autograd.grad(result.sum(), own)[0]

    runners = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    for number in range(4):
        # Every tap meets every element of x once.
        sums = (x + number).double().sum((0, 2, 3))
        assert (results[number] == sums.float()[:, None, None, None]).all()
    assert len(shared) == 8
