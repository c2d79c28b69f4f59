"""What holds for compiled programs of one geometry; used for a few, and for all forty."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from tests.geometries import SIZES, Geometry

MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "fullgraph": {"fullgraph": True},
    "dynamic": {"fullgraph": True, "dynamic": True},
}


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


class Program(torch.nn.Module):
    """A function as a module, which torch.export takes."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arrays: torch.Tensor) -> Any:
        return self.function(*arrays)


def exported(function: Any, arrays: tuple[torch.Tensor, ...], sizes: Any) -> Any:
    """Export a function; ``sizes`` are those of the first array that vary, by axis."""
    shapes = (sizes, *(None for _ in arrays[1:]))
    return torch.export.export(Program(function), arrays, dynamic_shapes=(shapes,))


def a_saved_program_gives_what_loops_give(geometry: Geometry) -> None:
    """Batch and space of an exported program are those of the call."""
    arrays = geometry.arrays(0, SIZES[0])
    start = 1 if geometry.options.get("layout") else 2
    sizes = {start + a: torch.export.Dim("tuv"[a], min=4) for a in range(geometry.rank)}
    sizes[0] = torch.export.Dim("b")
    file = io.BytesIO()
    torch.export.save(exported(geometry.call, tuple(map(tensor, arrays)), sizes), file)
    file.seek(0)
    program = torch.export.load(file).module()
    for seed, size in enumerate(SIZES):
        arrays = geometry.arrays(seed, size)
        same(program(*map(tensor, arrays)), geometry.expected(*arrays))


def same(got: torch.Tensor, expected: np.ndarray) -> None:
    assert got.shape == expected.shape
    assert (got.detach().numpy() == expected).all()


def compiled(function: Any, **options: Any) -> tuple[Any, CompileCounterWithBackend]:
    """Compile a function, with gradients, and count how often that happens."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    return torch.compile(function, backend=counter, **options), counter


def two_programs_do_for_all_sizes(geometry: Geometry, mode: str) -> None:
    program, counter = compiled(geometry.call, **MODES[mode])
    for seed, size in enumerate(SIZES):
        x, kernel, bias = geometry.arrays(seed, size)
        got = program(*map(tensor, (x, kernel, bias)))
        same(got, geometry.expected(x, kernel, bias))
    assert counter.frame_count <= 2


def gradients_are_those_of_loops(geometry: Geometry) -> None:
    program, counter = compiled(geometry.call, fullgraph=True)
    for seed, size in enumerate(SIZES[:3]):
        x, kernel, bias = geometry.arrays(seed, size)
        tensors = [tensor(array).requires_grad_() for array in (x, kernel, bias)]
        result = program(*tensors)
        y = np.random.default_rng(seed).integers(-4, 5, result.shape).astype(np.float32)
        by_x, by_kernel, by_bias = torch.autograd.grad(result, tensors, tensor(y))
        expected = geometry.gradients(x, kernel, y)
        same(by_x, expected[0])
        same(by_kernel, expected[1])
        last = geometry.options.get("layout") is not None
        axes = tuple(a for a in range(y.ndim) if a != (y.ndim - 1 if last else 1))
        same(by_bias, y.sum(axes))
    assert counter.frame_count <= 2


def transforms_are_those_of_loops(geometry: Geometry, inside: bool) -> None:
    """grad, jvp and vmap of grad, around plain calls and inside compiled programs."""

    def transforms(x: Any, kernel: Any, x_dot: Any, kernel_dot: Any, y: Any) -> Any:
        def weighed(x: Any, kernel: Any) -> Any:
            return (geometry.call(x, kernel) * y).sum()

        gradients = torch.func.grad(weighed, argnums=(0, 1))(x, kernel)
        primals, tangents = (x, kernel), (x_dot, kernel_dot)
        _, tangent = torch.func.jvp(geometry.call, primals, tangents)
        kernels = torch.stack([kernel, kernel_dot])
        results = torch.func.vmap(geometry.call, (None, 0))(x, kernels)
        by_kernel = torch.func.vmap(torch.func.grad(weighed), (0, None))
        return (*gradients, tangent, results, by_kernel(torch.stack([x, x_dot]), kernel))

    if inside:
        transforms, _ = compiled(transforms, fullgraph=True)
    for seed, size in enumerate(SIZES[:3]):
        x, kernel, _ = geometry.arrays(seed, size)
        x_dot, kernel_dot, _ = geometry.arrays(seed + 10, size)
        value = geometry.expected(x, kernel)
        y = np.random.default_rng(seed).integers(-4, 5, value.shape).astype(np.float32)
        arrays = (x, kernel, x_dot, kernel_dot, y)
        by_x, by_kernel, tangent, results, both = transforms(*map(tensor, arrays))
        expected = geometry.gradients(x, kernel, y)
        same(by_x, expected[0])
        same(by_kernel, expected[1])
        with_kernel_dot = geometry.expected(x, kernel_dot)
        same(tangent, geometry.expected(x_dot, kernel) + with_kernel_dot)
        same(results, np.stack([value, with_kernel_dot]))
        same(both, np.stack([expected[0]] * 2))
