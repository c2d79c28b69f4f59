"""torch.compile with sizes that vary: few programs, equal values, every transform.

A few geometries stand for the forty of `forty_geometries.py`, which `nox -s tracing` runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mtconv
from tests.geometries import GEOMETRIES

torch = pytest.importorskip("torch")
from tests.backends.torch import checks  # noqa: E402
from tests.backends.torch.checks import compiled, same, tensor  # noqa: E402

# torch warns of itself where it loads what forward derivatives need.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.mark.parametrize("geometry", [GEOMETRIES[2], GEOMETRIES[36]], ids=str)
def test_two_programs_do_for_all_sizes(geometry: Any) -> None:
    checks.two_programs_do_for_all_sizes(geometry, "fullgraph")


def test_gradients_of_compiled_calls() -> None:
    checks.gradients_are_those_of_loops(GEOMETRIES[17])


@pytest.mark.parametrize("geometry", GEOMETRIES[1::9], ids=str)
def test_transforms_of_plain_calls(geometry: Any) -> None:
    checks.transforms_are_those_of_loops(geometry, inside=False)


def test_one_more_program_for_each_axis_and_for_size_one() -> None:
    kernel = tensor(np.arange(12.0).reshape(2, 3, 2))
    program, counter = compiled(lambda x: mtconv.conv_transpose(x, kernel, stride=2))
    for shape, programs in (
        ((3, 9), 1),
        ((4, 9), 2),
        ((5, 9), 2),
        ((5, 8), 3),
        ((2, 12), 3),
        ((1, 7), 4),
        ((1, 6), 4),
        ((7, 4), 4),
    ):
        x = np.arange(2.0 * shape[0] * shape[1]).reshape(shape[0], 2, shape[1])
        same(program(tensor(x)), mtconv.conv_transpose(x, kernel.numpy(), stride=2))
        assert counter.frame_count == programs, shape


@pytest.mark.parametrize(
    ("dtype", "algorithm"),
    [("int64", "auto"), ("float16", "auto"), ("float32", "exact"), ("float16", "exact")],
)
def test_dtypes_and_the_exact_algorithm(dtype: str, algorithm: str) -> None:
    rng = np.random.default_rng(0)
    kernel = rng.integers(-4, 5, (4, 3, 3)).astype(dtype)
    options = {"stride": 2, "padding": 1}

    def call(x: Any, kernel: Any) -> Any:
        return mtconv.conv_transpose(x, kernel, algorithm=algorithm, **options)

    program, counter = compiled(call, fullgraph=True)
    for length in (7, 9, 12, 6):
        x = rng.integers(-4, 5, (2, 4, length)).astype(dtype)
        expected = mtconv.testing.reference_conv_transpose(x, kernel, **options)
        same(program(tensor(x), tensor(kernel)), expected)
    assert counter.frame_count <= 2


def test_a_kernel_gradient() -> None:
    rng = np.random.default_rng(0)
    options = {"kernel_size": 3, "stride": 2, "padding": "same"}
    program, counter = compiled(
        lambda x, y: mtconv.kernel_grad(x, y, **options), fullgraph=True
    )
    for length in (7, 9, 12, 6):
        x = rng.integers(-4, 5, (2, 4, length)).astype(np.float32)
        y = rng.integers(-4, 5, (2, 3, 2 * length)).astype(np.float32)
        expected = mtconv.testing.reference_kernel_grad(x, y, **options)
        same(program(tensor(x), tensor(y)), expected)
    assert counter.frame_count <= 2


def test_kernels_that_are_no_tensors() -> None:
    x = torch.tensor([1.0, 2.0])
    for kernel in ([1.0, 10.0, 100.0], np.array([1, 10, 100])):
        program, _ = compiled(lambda x, k=kernel: mtconv.conv_transpose(x, k, stride=2))
        assert program(x).tolist() == [1, 10, 102, 20, 200]
    program, _ = compiled(lambda x: mtconv.conv_transpose(x, [1, 10]), fullgraph=True)
    assert program(x).tolist() == [1, 12, 20]
    assert program(x).dtype == torch.float32


def test_the_graph_has_torchs_own_operations() -> None:
    graphs = []

    def keep(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    kernel = torch.ones(2, 3, 2)
    program = torch.compile(
        lambda x: mtconv.conv_transpose(x, kernel, stride=2), backend=keep
    )
    program(torch.ones(1, 2, 5))
    (graph,) = graphs
    calls = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    assert calls == [torch.nn.functional.conv_transpose1d]


def test_autocast_inside_of_compiled_programs() -> None:
    """257 is no number of bfloat16."""
    x = torch.full((1, 1, 3), 257.0)
    for algorithm, dtype, value in (
        ("auto", torch.bfloat16, 256),
        ("exact", torch.float32, 257),
    ):

        def call(x: Any, kernel: Any, algorithm: str = algorithm) -> Any:
            return mtconv.conv_transpose(x, kernel, algorithm=algorithm)

        program, _ = compiled(call, fullgraph=True)
        kernel = torch.ones(1, 1, 1, requires_grad=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = program(x, kernel)
            (by_kernel,) = torch.autograd.grad(result.sum(), kernel)
        assert result.dtype == dtype
        assert result.tolist() == [[[value] * 3]]
        assert by_kernel.item() == 3 * value


def test_errors_are_those_of_plain_calls() -> None:
    kernel = torch.ones(3, 4, 5)
    program, _ = compiled(lambda x: mtconv.conv(x, kernel))
    for length in (9, 12):
        program(torch.ones(1, 4, length))
    with pytest.raises(mtconv.GeometryError) as plain:
        mtconv.conv(torch.ones(1, 4, 3), kernel)
    with pytest.raises(mtconv.GeometryError) as error:
        program(torch.ones(1, 4, 3))
    assert str(error.value) == str(plain.value)
    program, _ = compiled(lambda x: mtconv.conv(x, kernel), fullgraph=True)
    with pytest.raises(torch._dynamo.exc.Unsupported) as error:
        program(torch.ones(1, 4, 3))
    assert "`kernel` must not span more than the padded input" in str(error.value)


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_first_and_second_derivatives(form: str, padding_mode: str) -> None:
    torch.manual_seed(0)
    options = {"stride": 2, "padding": ((1, 0), (0, 1)), "padding_mode": padding_mode}

    def call(x: Any, kernel: Any) -> Any:
        return getattr(mtconv, form)(x, kernel, **options)

    x = torch.randn(1, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, (x, kernel))
    assert torch.autograd.gradgradcheck(call, (x, kernel))
    assert torch.autograd.gradcheck(call, (x, kernel), check_forward_ad=True)
