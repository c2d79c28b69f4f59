"""torch.autocast: `auto` rounds as torch does, exact algorithms never. Needs torch."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import Case, problems

torch = pytest.importorskip("torch")
F = torch.nn.functional

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def same(got: torch.Tensor, expected: np.ndarray) -> None:
    assert str(got.dtype) == f"torch.{expected.dtype.name}"
    assert got.shape == expected.shape
    assert (got.detach().numpy() == expected).all()


def switched(on: bool) -> torch.autocast:
    """Autocast to bfloat16, which rounds 257 to 256 or 258."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=on)


AUTOCAST_PROBLEMS = problems(
    layouts=True,
    padding_modes=MODES,
    dtypes=("float32", "float64", "complex64", "float16"),
    batches=(1, 2),
)
SWITCHES = st.tuples(st.booleans(), st.booleans())


@settings(max_examples=300, deadline=None)
@given(AUTOCAST_PROBLEMS, st.sampled_from(["exact", "polyphase"]), SWITCHES)
def test_autocast_never_touches_exact_algorithms(
    case: Case, algorithm: str, inside: tuple[bool, bool]
) -> None:
    """Values and gradients of elements that bfloat16 does not have, in and out of it."""
    x, w, y = (wide(a) for a in (case.x, case.kernel, case.y))
    bias = None if case.bias is None else wide(case.bias)
    up = partial(mtconv.conv_transpose, algorithm=algorithm, **case.options)
    down = partial(mtconv.conv, algorithm=algorithm, **case.conv_options)
    grad = partial(mtconv.kernel_grad, algorithm=algorithm, **case.grad_options)
    operands = (x, w) if bias is None else (x, w, bias)
    for function, arrays, cotangent in (
        (up, operands, y),
        (down, (y, w), x),
        (grad, (x, y), w),
    ):
        got = with_gradients(function, arrays, cotangent, inside)
        options = {**function.keywords, "algorithm": "direct"}
        expected = function.func(*(a.numpy() for a in arrays), **options)
        same(got[0], expected)
        plain = with_gradients(function, arrays, cotangent, (False, False))
        for result, wanted in zip(got, plain, strict=True):
            same(result, wanted.detach().numpy())


def wide(array: np.ndarray) -> torch.Tensor:
    """Add 257, which bfloat16 does not have, or 17 in float16, to every fifth number.

    float32 has all sums of products of so few large numbers.
    """
    large = 17 if array.dtype == np.float16 else 257
    fifths = np.arange(array.size).reshape(array.shape) % 5 == 0
    return tensor((array + large * fifths).astype(array.dtype))


def with_gradients(
    function: Any,
    arrays: tuple[torch.Tensor, ...],
    cotangent: torch.Tensor,
    inside: tuple[bool, bool],
) -> list[torch.Tensor]:
    """Return a result and its gradients, with autocast on or off in each pass."""
    arrays = tuple(a.clone().requires_grad_() for a in arrays)
    with switched(inside[0]):
        out = function(*arrays)
    with switched(inside[1]):
        return [out, *torch.autograd.grad(out, arrays, cotangent)]


@pytest.mark.parametrize("inside", list(itertools.product((False, True), repeat=3)))
def test_autocast_never_touches_second_derivatives(inside: tuple[bool, ...]) -> None:
    """``sum x[i] w[j] c[i + j]`` has plain derivatives, here by hand."""
    x = torch.tensor([257.0, 3.0], requires_grad=True)
    w = torch.tensor([259.0, 5.0, 1.0], requires_grad=True)
    c = torch.tensor([261.0, 7.0, 263.0, 2.0], requires_grad=True)
    with switched(inside[0]):
        out = mtconv.conv_transpose(x, w, algorithm="exact")
    with switched(inside[1]):
        gx, gw = torch.autograd.grad(out, (x, w), c, create_graph=True)
    with switched(inside[2]):
        second = torch.autograd.grad((gx, gw), (x, w, c), (c.detach()[:2], c.detach()[:3]))
    assert out.tolist() == [66563, 2062, 272, 3]
    assert gx.tolist() == [259 * 261 + 35 + 263, 259 * 7 + 5 * 263 + 2]
    assert gw.tolist() == [257 * 261 + 21, 257 * 7 + 789, 257 * 263 + 6]
    a, b = [261, 7], [261, 7, 263]
    assert second[0].tolist() == [261 * 261 + 49 + 263 * 263, 261 * 7 + 7 * 263 + 263 * 2]
    assert second[1].tolist() == [261 * a[0] + 49, 261 * 7 + 7 * 263, 261 * 263 + 14]
    both = np.convolve(a, [259, 5, 1]) + np.convolve([257, 3], b)
    assert second[2].tolist() == both.tolist()


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # torch's own jacfwd needs it
@pytest.mark.parametrize("transform", [torch.func.jacfwd, torch.func.jacrev])
def test_autocast_never_touches_functional_transforms(transform: Any) -> None:
    x, w = torch.tensor([257.0, 3.0]), torch.tensor([259.0, 5.0, 1.0])
    with switched(True):
        by_x, by_w = transform(
            lambda x, w: mtconv.conv_transpose(x, w, algorithm="exact"), (0, 1)
        )(x, w)
    assert by_x.tolist() == [[259, 0], [5, 259], [1, 5], [0, 1]]
    assert by_w.tolist() == [[257, 0, 0], [3, 257, 0], [0, 3, 257], [0, 0, 3]]


def test_gradients_of_a_batch_of_graphs_inside_of_autocast() -> None:
    x = torch.tensor([[257.0, 3.0], [5.0, 259.0]])
    w = torch.tensor([259.0, 5.0, 1.0])

    def weighed(x: torch.Tensor) -> torch.Tensor:
        out = mtconv.conv_transpose(x, w, algorithm="exact")
        return (out * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum()

    with switched(True):
        got = torch.func.vmap(torch.func.grad(weighed))(x)
    assert got.tolist() == [[259 + 50 + 100, 2590 + 500 + 1000]] * 2


def test_autocast_rounds_auto_as_it_rounds_torch() -> None:
    x = torch.tensor([[[257.0, 3.0], [5.0, 6.0]]], requires_grad=True)
    w = torch.tensor([[[259.0, 5.0]], [[-1.0, 2.0]]], requires_grad=True)
    y = torch.tensor([[[261.0, 7.0, 263.0]]])
    halves = [t.detach().to(torch.bfloat16) for t in (x, w, y)]
    for algorithm in ("auto", "native"):
        with switched(True):
            up = mtconv.conv_transpose(x, w, algorithm=algorithm)
            down = mtconv.conv(y, w, algorithm=algorithm)
            grad = mtconv.kernel_grad(x, y, kernel_size=2, algorithm=algorithm)
            of_torch = F.conv_transpose1d(x, w), F.conv1d(y, w)
        for got, wanted in zip((up, down), of_torch, strict=True):
            assert got.dtype == wanted.dtype == torch.bfloat16
            assert (got == wanted).all()
        assert grad.dtype == torch.bfloat16
        exact = mtconv.kernel_grad(halves[0], halves[2], kernel_size=2, algorithm="exact")
        assert (grad == exact).all()
        got, wanted = (
            torch.autograd.grad(out, (x, w), torch.ones_like(out))
            for out in (up, of_torch[0])
        )
        for own, theirs in zip(got, wanted, strict=True):
            assert own.dtype == torch.float32
            assert (own == theirs).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.int64])
def test_autocast_leaves_other_dtypes_to_auto(dtype: torch.dtype) -> None:
    x, w = torch.tensor([257, 3], dtype=dtype), torch.tensor([259, 5], dtype=dtype)
    with switched(True):
        got = mtconv.conv_transpose(x, w)
    assert got.dtype == dtype
    assert got.tolist() == [66563, 2062, 15]


@pytest.mark.filterwarnings("ignore")  # torch's compiler looks through our caches
def test_a_compiled_call_is_exact_inside_of_autocast() -> None:
    compiled = torch.compile(
        lambda x, w: mtconv.conv_transpose(x, w, algorithm="exact"), backend="aot_eager"
    )
    x = torch.tensor([257.0, 3.0], requires_grad=True)
    w = torch.tensor([259.0, 5.0, 1.0], requires_grad=True)
    c = torch.tensor([261.0, 7.0, 263.0, 2.0])
    with switched(True):
        out = compiled(x, w)
        gx, gw = torch.autograd.grad(out, (x, w), c)
    assert out.tolist() == [66563, 2062, 272, 3]
    assert gx.tolist() == [259 * 261 + 35 + 263, 259 * 7 + 5 * 263 + 2]
    assert gw.tolist() == [257 * 261 + 21, 257 * 7 + 789, 257 * 263 + 6]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_of_cuda(dtype: torch.dtype) -> None:
    x = torch.tensor([257.0, 3.0], device="cuda", requires_grad=True)
    w = torch.tensor([2049.0, 5.0], device="cuda", requires_grad=True)
    with torch.autocast("cuda", dtype=dtype):
        exact = mtconv.conv_transpose(x, w, algorithm="exact")
        gx, gw = torch.autograd.grad(exact, (x, w), torch.full_like(exact, 2049))
        rounded = mtconv.conv_transpose(x, w)
    assert exact.tolist() == [257 * 2049, 257 * 5 + 3 * 2049, 15]
    assert gx.tolist() == [2049 * 2054] * 2
    assert gw.tolist() == [2049 * 260] * 2
    assert rounded.dtype == dtype
