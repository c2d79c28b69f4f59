"""torch tensors: values, gradients of every order, dtypes, devices. Needs torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mtconv
from mtconv.strategies import Case, problems
from mtconv.testing import reference_conv, reference_conv_transpose, reference_kernel_grad

torch = pytest.importorskip("torch")

MODES = ("zeros", "circular", "reflect", "replicate", "symmetric")
EVERYTHING = problems(
    layouts=True,
    padding_modes=MODES,
    dtypes=("int64", "int32", "uint8", "float32", "float64", "complex64", "float16"),
)
ALGORITHMS = st.sampled_from(["auto", "exact", "native", "polyphase"])
FLOATS = problems(
    layouts=True, padding_modes=MODES, dtypes=("float64",), batches=(1, 2), bias=False
)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def same(got: torch.Tensor, expected: np.ndarray) -> None:
    assert str(got.dtype) == f"torch.{expected.dtype.name}"
    assert got.shape == expected.shape
    assert (got.detach().numpy() == expected).all()


@settings(max_examples=500, deadline=None)
@given(EVERYTHING, ALGORITHMS)
def test_all_three_maps_equal_numpy(case: Case, algorithm: str) -> None:
    x, w, y = (tensor(a) for a in (case.x, case.kernel, case.y))
    bias = None if case.bias is None else tensor(case.bias)
    same(
        mtconv.conv_transpose(x, w, bias, algorithm=algorithm, **case.options),
        mtconv.conv_transpose(
            case.x, case.kernel, case.bias, algorithm="direct", **case.options
        ),
    )
    same(
        mtconv.conv(y, w, algorithm=algorithm, **case.conv_options),
        mtconv.conv(case.y, case.kernel, algorithm="direct", **case.conv_options),
    )
    same(
        mtconv.kernel_grad(x, y, algorithm=algorithm, **case.grad_options),
        mtconv.kernel_grad(case.x, case.y, algorithm="direct", **case.grad_options),
    )


@settings(max_examples=500, deadline=None)
@given(FLOATS, ALGORITHMS)
def test_autograd_gives_the_other_two_maps(case: Case, algorithm: str) -> None:
    """All three are derivatives of one form, so gradients are equal, not close."""
    x, w, y = (tensor(a).requires_grad_() for a in (case.x, case.kernel, case.y))
    out = mtconv.conv_transpose(x, w, algorithm=algorithm, **case.options)
    gx, gw = torch.autograd.grad(out, (x, w), y.detach())
    same(gx, mtconv.conv(case.y, case.kernel, **case.conv_options, algorithm="direct"))
    same(gw, mtconv.kernel_grad(case.x, case.y, **case.grad_options, algorithm="direct"))

    out = mtconv.conv(y, w, algorithm=algorithm, **case.conv_options)
    gy, gw = torch.autograd.grad(out, (y, w), x.detach())
    up = mtconv.conv_transpose(case.x, case.kernel, algorithm="direct", **case.options)
    same(gy, up)
    same(gw, mtconv.kernel_grad(case.x, case.y, **case.grad_options, algorithm="direct"))

    out = mtconv.kernel_grad(x, y, algorithm=algorithm, **case.grad_options)
    gx, gy = torch.autograd.grad(out, (x, y), w.detach())
    same(gx, mtconv.conv(case.y, case.kernel, **case.conv_options, algorithm="direct"))
    same(gy, up)


@pytest.mark.parametrize("algorithm", ["native", "polyphase"])
@pytest.mark.parametrize("padding", [1, ((0, 2), (-1, 1))])
def test_second_derivatives(algorithm: str, padding: object) -> None:
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)

    def up(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return mtconv.conv_transpose(x, w, stride=2, padding=padding, algorithm=algorithm)

    assert torch.autograd.gradgradcheck(up, (x, w))


def test_functional_transforms_agree_with_a_loop() -> None:
    x = torch.arange(24.0).reshape(4, 1, 2, 3)
    w = torch.arange(16.0).reshape(4, 1, 1, 2, 2)
    got = torch.func.vmap(lambda x, w: mtconv.conv_transpose(x, w, stride=2))(x, w)
    for a, b, result in zip(x, w, got, strict=True):
        assert (result == mtconv.conv_transpose(a, b, stride=2)).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(dtype: torch.dtype) -> None:
    """2049 ones: a sum in float16 stops at 2048, and in bfloat16 at 256."""
    x = torch.ones(1, 2060, 1, dtype=dtype)
    w = torch.ones(2060, 1, 1, dtype=dtype)
    for algorithm in ("native", "polyphase"):
        got = mtconv.conv_transpose(x, w, algorithm=algorithm)
        assert got.dtype == dtype
        assert got.item() == torch.tensor(2060.0).to(dtype).item()


def test_numpy_arrays_and_lists_follow_the_tensor() -> None:
    x = torch.tensor([1.0, 2.0])
    backwards = np.array([100, 10, 1], dtype=">f4")[::-1]
    backwards.setflags(write=False)
    for kernel in (backwards, [1, 10, 100], [1.0, 10.0, 100.0]):
        got = mtconv.conv_transpose(x, kernel, stride=2)
        assert got.dtype == torch.float32
        assert got.tolist() == [1, 10, 102, 20, 200]


def test_backend_by_name() -> None:
    got = mtconv.conv_transpose([1, 2], [1, 10], backend="torch")
    assert isinstance(got, torch.Tensor)
    assert got.tolist() == [1, 12, 20]


def test_the_meta_device_needs_no_data() -> None:
    x = torch.empty(1, 2, 8, 8, device="meta")
    got = mtconv.conv_transpose(x, torch.empty(2, 3, 4, 4, device="meta"), stride=2)
    assert got.device.type == "meta"
    assert got.shape == (1, 3, 18, 18)


def test_products_of_integers_without_matmul() -> None:
    from mtconv.backends._torch.library import integer_product

    a = torch.arange(24).reshape(2, 1, 3, 4)
    b = torch.arange(40).reshape(2, 4, 5)
    assert (integer_product(a, b) == torch.matmul(a, b)).all()
    empty = integer_product(a[..., :0], b[:, :0])
    assert (empty == torch.zeros(2, 2, 3, 5, dtype=torch.int64)).all()


def test_refusals() -> None:
    with pytest.raises(mtconv.BackendError, match="a dtype that torch computes with"):
        mtconv.conv_transpose(torch.ones(2), np.ones(2, np.uint16))
    with pytest.raises(mtconv.BackendError, match="must have integer"):
        mtconv.conv_transpose(torch.ones(2), torch.ones(2, dtype=torch.bool))


PLAIN = "conv_transpose: `x` must be a dense tensor of numbers; got "
TO_DENSE = "Use .to_dense() first."
TO_PADDED = "Use .to_padded_tensor(0) first."


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.quint8)


def nested(layout: torch.layout) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(3), torch.ones(2)], layout=layout)


def masked() -> torch.Tensor:
    return torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False]))


@pytest.mark.filterwarnings("ignore")  # prototypes of torch say that they are
@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: torch.eye(2).to_sparse(), f"layout torch.sparse_coo. {TO_DENSE}"),
        (lambda: torch.eye(2).to_sparse_csr(), f"layout torch.sparse_csr. {TO_DENSE}"),
        (lambda: torch.eye(2).to_sparse_csc(), f"layout torch.sparse_csc. {TO_DENSE}"),
        (
            lambda: torch.eye(2).to_sparse_bsr((1, 1)),
            f"layout torch.sparse_bsr. {TO_DENSE}",
        ),
        (lambda: torch.ones(2, 2).to_mkldnn(), f"layout torch._mkldnn. {TO_DENSE}"),
        (lambda: nested(torch.strided), f"a nested tensor. {TO_PADDED}"),
        (lambda: nested(torch.jagged), f"a nested tensor. {TO_PADDED}"),
        (
            quantized,
            "a quantized tensor of torch.quint8. Use .dequantize() first.",
        ),
        (masked, "a MaskedTensor. Use .to_tensor(0) first; a mask would be lost."),
    ],
)
def test_tensors_that_are_no_dense_arrays(make: Any, got: str) -> None:
    odd, plain = make(), torch.ones(2)
    with pytest.raises(mtconv.BackendError) as error:
        mtconv.conv_transpose(odd, plain)
    assert str(error.value) == PLAIN + got
    with pytest.raises(mtconv.BackendError) as error:
        mtconv.conv(plain, odd)
    assert str(error.value) == PLAIN.replace("_transpose: `x`", ": `kernel`") + got
    with pytest.raises(mtconv.BackendError) as error:
        mtconv.kernel_grad(plain, odd, kernel_size=(1,))
    assert str(error.value) == (
        PLAIN.replace("conv_transpose: `x`", "kernel_grad: `y`") + got
    )
    with pytest.raises(mtconv.BackendError, match="`bias` must be a dense tensor of num"):
        mtconv.conv(torch.ones(1, 1, 2), torch.ones(1, 1, 2), odd)


@pytest.mark.parametrize(
    "option", ["stride", "dilation", "groups", "padding", "output_padding", "output_size"]
)
@pytest.mark.parametrize("value", [torch.tensor(True), [torch.tensor(True)]])
def test_booleans_of_torch_are_no_integers(option: str, value: Any) -> None:
    if option == "groups":
        value = torch.tensor(True)
    with pytest.raises(mtconv.GeometryError, match=r"tensor\(True\) of type Tensor"):
        mtconv.conv_transpose([1, 2], [1, 2], **{option: value})


@pytest.mark.parametrize("value", [torch.tensor(True), [torch.tensor(True)]])
def test_booleans_of_torch_are_no_sizes(value: Any) -> None:
    with pytest.raises(mtconv.GeometryError, match=r"`kernel_size` .* of type Tensor"):
        mtconv.kernel_grad([1, 2], [1, 2], kernel_size=value)
    with pytest.raises(mtconv.GeometryError, match=r"`input_size` .* of type Tensor"):
        mtconv.Conv([1, 2], input_size=value)


@pytest.mark.parametrize("value", [torch.tensor([[2]]), [torch.tensor([2])]])
def test_one_number_in_several_axes_is_no_integer(value: Any) -> None:
    with pytest.raises(mtconv.GeometryError, match="of type Tensor"):
        mtconv.conv_transpose([1, 2], [1, 2], stride=value)


def test_integers_of_torch_are_integers() -> None:
    for stride in (torch.tensor(2), torch.tensor([2]), [torch.tensor(2)]):
        assert mtconv.conv_transpose([1, 2], [1], stride=stride).tolist() == [1, 0, 2]


def test_a_kernel_with_axes_of_one_element_in_another_order():
    """torch 2.13 itself gives [1, 3, 2, 4, ...] for its views of these two tensors."""
    x = torch.tensor([[[[[1.0, 2.0]]]]])
    kernel = torch.tensor(
        [[[[[1.0], [3.0]], [[2.0], [4.0]]]], [[[[5.0], [2.0]], [[1.0], [3.0]]]]]
    )
    result = mtconv.conv_transpose(
        x, kernel, groups=2, layout="NDHWC", kernel_layout="IDHOW"
    )
    assert result.ravel().tolist() == [1, 3, 10, 4, 2, 4, 2, 6]


def test_tensors_of_any_order_of_axes():
    rng = np.random.default_rng(0)

    def ordered(array: np.ndarray) -> torch.Tensor:
        order = rng.permutation(array.ndim)
        memory = torch.tensor(np.ascontiguousarray(array.transpose(order)))
        return memory.permute(*np.argsort(order).tolist())

    for _ in range(150):
        rank, groups = rng.integers(1, 4), int(rng.integers(1, 3))
        shape = (2, groups, *rng.integers(1, 4, rank))
        x = rng.integers(-4, 5, shape).astype(np.float32)
        kernel = rng.integers(-4, 5, (groups, 2, *rng.integers(1, 3, rank)))
        kernel = kernel.astype(np.float32)
        y = reference_conv_transpose(x, kernel, groups=groups)
        tensors = ordered(x).requires_grad_(), ordered(kernel).requires_grad_()
        result = mtconv.conv_transpose(*tensors, groups=groups)
        same(result, y)
        by_x, by_kernel = torch.autograd.grad(result, tensors, ordered(y))
        same(by_x, reference_conv(y, kernel, groups=groups))
        size = kernel.shape[2:]
        grad = reference_kernel_grad(x, y, kernel_size=size, groups=groups)
        same(by_kernel, grad)
