"""Libraries with their GPU, problems, and exact comparison, for the tests on a GPU.

Expected values come from the plain loops of `mtconv.testing` on the host.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import mtconv
from mtconv import testing

# Several libraries share one card, so none may take all of its memory at once.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

SMOKE = os.environ.get("MTCONV_GPU_SMOKE") == "1"
SELECTED = os.environ.get("MTCONV_GPU_LIBRARIES", "jax,torch,cupy").split(",")
REQUIRED = os.environ.get("MTCONV_GPU_REQUIRED") == "1"

# Elements stay so small that every sum is exact in every dtype, bfloat16 included.
LIMITS = {"bfloat16": 2, "float16": 2, "uint8": 3}


@dataclass(frozen=True)
class Library:
    """An array library on its GPU: how arrays get there and back, and where they are."""

    name: str
    put: Callable[[np.ndarray[Any, Any]], Any]
    get: Callable[[Any], np.ndarray[Any, Any]]
    on_gpu: Callable[[Any], bool]
    algorithms: tuple[str, ...]
    dtypes: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Case:
    """x, kernel, bias and y of one problem on the host, and its options."""

    x: np.ndarray[Any, Any]
    kernel: np.ndarray[Any, Any]
    bias: np.ndarray[Any, Any] | None
    y: np.ndarray[Any, Any]
    options: dict[str, Any]

    def on(self, lib: Library) -> tuple[Any, Any, Any, Any]:
        """Put x, the kernel, the bias and y on the GPU."""
        bias = None if self.bias is None else lib.put(self.bias)
        return lib.put(self.x), lib.put(self.kernel), bias, lib.put(self.y)

    @property
    def conv_options(self) -> dict[str, Any]:
        """The options of `conv` and, with the kernel's size, of `kernel_grad`."""
        adjoint = {k: v for k, v in self.options.items() if not k.startswith("output_")}
        if "kernel_layout" in adjoint:
            swapped = str.maketrans("IO", "OI")
            adjoint["kernel_layout"] = adjoint["kernel_layout"].translate(swapped)
        return adjoint

    @property
    def grad_options(self) -> dict[str, Any]:
        """The options of `kernel_grad`."""
        options = {k: v for k, v in self.options.items() if not k.startswith("output_")}
        layout = self.options.get("kernel_layout")
        sizes = self.kernel.shape[2:] if self.x.ndim > 2 else self.kernel.shape
        if layout is not None:
            letters = dict(zip(layout, self.kernel.shape, strict=True))
            sizes = tuple(size for letter, size in letters.items() if letter not in "IO")
        return {**options, "kernel_size": sizes}

    def expected(self) -> tuple[np.ndarray[Any, Any], ...]:
        """All three maps by plain loops, computed in float64 and rounded once."""
        dtype = self.x.dtype
        wide = dtype
        if dtype.kind not in "iuc":
            wide = np.dtype(np.float64)
        x, kernel, y = (a.astype(wide) for a in (self.x, self.kernel, self.y))
        bias = None if self.bias is None else self.bias.astype(wide)
        results = (
            testing.reference_conv_transpose(x, kernel, bias, **self.options),
            testing.reference_conv(y, kernel, **self.conv_options),
            testing.reference_kernel_grad(x, y, **self.grad_options),
        )
        return tuple(result.astype(dtype) for result in results)


# Shapes of x and the kernel, and options: whatever can go wrong, once.
PROBLEMS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "strided image": (
        (2, 4, 5, 4),
        (4, 3, 3, 4),
        {"stride": 2, "padding": 1, "output_padding": (1, 0)},
    ),
    "plain signal": ((1, 1, 5), (1, 1, 3), {}),
    "long kernel": ((2, 3, 6), (3, 2, 16), {"stride": 8, "padding": 4}),
    "kernel below stride": ((2, 3, 4), (3, 2, 2), {"stride": 3}),
    "padding beyond kernel": (
        (1, 2, 3),
        (2, 2, 4),
        {"stride": 2, "dilation": 2, "padding": ((8, 1),)},
    ),
    "zero extension": ((1, 2, 3), (2, 3, 2), {"padding": ((-2, -1),)}),
    "bare image": ((3, 4), (2, 3), {"stride": (2, 1), "padding": "same"}),
    "groups and dilation": (
        (2, 6, 4, 5),
        (6, 2, 3, 3),
        {"groups": 3, "stride": (2, 1), "padding": 1, "dilation": (1, 2)},
    ),
    "depthwise": (
        (1, 4, 5, 4),
        (4, 1, 3, 2),
        {"groups": 4, "stride": 2, "padding": "same_lower"},
    ),
    "channels last": (
        (2, 4, 5, 3),
        (3, 2, 3, 4),
        {"layout": "NHWC", "kernel_layout": "HWIO", "stride": 2},
    ),
    "common factor": (
        (1, 2, 4, 4),
        (2, 3, 2, 2),
        {"stride": 4, "dilation": 2, "output_padding": (3, 0)},
    ),
    "volume": ((1, 2, 3, 2, 3), (2, 2, 2, 3, 2), {"stride": (2, 1, 2), "padding": 1}),
    "empty batch": ((0, 2, 3), (2, 3, 2), {"stride": 2}),
    **{
        mode: (
            (2, 2, 3, 4),
            (2, 3, 3, 2),
            {"stride": 2, "padding": (2, 1), "padding_mode": mode},
        )
        for mode in ("circular", "reflect", "replicate", "symmetric")
    },
}

# Of these, problems for what is compiled anew for every dtype and algorithm.
FEW = ("strided image", "groups and dilation", "volume", "reflect")


def make(name: str, dtype: str = "float32", seed: int = 0) -> Case:
    """Draw a problem's arrays: whole numbers, asymmetric."""
    x_shape, kernel_shape, options = PROBLEMS[name]
    y_shape = mtconv.conv_transpose_shape(x_shape, kernel_shape, **options)
    rng = np.random.default_rng(seed)
    most = LIMITS.get(dtype, 4)

    def draw(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        values = rng.integers(0 if dtype.startswith("u") else -most, most + 1, shape)
        if dtype.startswith("complex"):
            return (values + 1j * rng.integers(-most, most + 1, shape)).astype(dtype)
        return values.astype(host_dtype(dtype))

    bias = None
    if options.get("layout") is None and len(x_shape) > 2:
        bias = draw(y_shape[1:2])
    return Case(draw(x_shape), draw(kernel_shape), bias, draw(y_shape), options)


def host_dtype(name: str) -> np.dtype[Any]:
    """Return NumPy's dtype of this name; bfloat16 is of ml_dtypes, which comes with JAX."""
    if name == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    return np.dtype(name)


def absent(reason: str) -> None:
    """Skip with a reason, or fail where a GPU is required."""
    if REQUIRED:
        pytest.fail(f"MTCONV_GPU_REQUIRED=1, and {reason}")
    pytest.skip(reason)


@cache
def _jax() -> Library | str:
    try:
        import jax
    except ImportError as error:
        return f"jax: {error}"
    jax.config.update("jax_enable_x64", True)
    try:
        device = jax.devices("cpu" if SMOKE else "gpu")[0]
    except RuntimeError as error:
        return f"JAX has no GPU: {error}"
    return Library(
        "jax",
        lambda array: jax.device_put(array, device),
        np.asarray,
        lambda array: array.devices() == {device},
        ("auto", "exact", "gemm", "polyphase", "direct", "native"),
        ("bfloat16", "float16", "float64", "complex64", "int8", "uint8", "int32", "int64"),
    )


@cache
def _torch() -> Library | str:
    try:
        import torch
    except ImportError as error:
        return f"torch: {error}"
    if not (SMOKE or torch.cuda.is_available()):
        return "torch sees no GPU"
    device = torch.device("cpu" if SMOKE else "cuda:0")

    def put(array: np.ndarray[Any, Any]) -> torch.Tensor:
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.astype(np.float32)).to(device, torch.bfloat16)
        return torch.from_numpy(array.copy()).to(device)

    def get(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
        tensor = tensor.detach().cpu()
        if tensor.dtype == torch.bfloat16:
            return tensor.to(torch.float32).numpy().astype(host_dtype("bfloat16"))
        return tensor.numpy()

    return Library(
        "torch",
        put,
        get,
        lambda tensor: tensor.device == device,
        ("auto", "exact", "native", "polyphase"),
        ("bfloat16", "float16", "float64", "complex64", "int8", "uint8", "int32", "int64"),
    )


@cache
def _cupy() -> Library | str:
    try:
        import cupy
    except ImportError as error:
        return f"cupy: {error}"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy has no GPU: {error}"
    if not count:
        return "CuPy sees no GPU"
    return Library(
        "cupy",
        cupy.asarray,
        cupy.asnumpy,
        lambda array: isinstance(array, cupy.ndarray),
        ("auto", "exact", "polyphase"),
        ("float16", "float64", "complex64", "int8", "uint8", "int32", "int64"),
    )


FINDERS = {"jax": _jax, "torch": _torch, "cupy": _cupy}
LIBRARIES = [name for name in FINDERS if name in SELECTED]


def library(name: str) -> Library:
    """Return a library on its GPU, or skip."""
    if name not in SELECTED:
        pytest.skip(f"MTCONV_GPU_LIBRARIES leaves {name} out")
    answer = FINDERS[name]()
    if isinstance(answer, str):
        absent(answer)
    assert isinstance(answer, Library)
    return answer


def same(got: Any, expected: Any, name: str = "") -> None:
    """Compare dtype, shape and every element."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype, name
    assert got.shape == expected.shape, name
    np.testing.assert_array_equal(got, expected, name)


def check_maps(lib: Library, case: Case, *, compiled: bool = False, **choices: Any) -> None:
    """Compare all three maps of a case; ``compiled``: as one program under `jax.jit`."""
    names = ("conv_transpose", "conv", "kernel_grad")

    def maps(x: Any, kernel: Any, bias: Any, y: Any) -> tuple[Any, ...]:
        return (
            mtconv.conv_transpose(x, kernel, bias, **case.options, **choices),
            mtconv.conv(y, kernel, **case.conv_options, **choices),
            mtconv.kernel_grad(x, y, **case.grad_options, **choices),
        )

    if compiled and lib.name == "jax":
        maps = pytest.importorskip("jax").jit(maps)
    results = maps(*case.on(lib))
    for name, result, expected in zip(names, results, case.expected(), strict=True):
        assert lib.on_gpu(result), name
        same(lib.get(result), expected, name)
