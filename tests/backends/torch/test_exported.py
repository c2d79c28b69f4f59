"""torch.export and ONNX with sizes that vary, and tensors without values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtconv
from tests.geometries import GEOMETRIES

torch = pytest.importorskip("torch")
from tests.backends.torch import checks  # noqa: E402
from tests.backends.torch.checks import exported, same, tensor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters themselves


@pytest.mark.parametrize("number", [12, 25, 34])
def test_a_saved_program_gives_what_loops_give(number: int) -> None:
    checks.a_saved_program_gives_what_loops_give(GEOMETRIES[number])


@pytest.mark.parametrize(
    ("form", "options", "least"),
    [
        ("conv", {}, 5),
        ("conv", {"padding": 6, "padding_mode": "circular"}, 6),
        ("conv_transpose", {"stride": 3, "padding": 4}, 3),
    ],
)
def test_the_least_size_is_named(form: str, options: dict[str, Any], least: int) -> None:
    x, kernel = torch.ones(2, 3, 9), torch.ones(4, 3, 5)
    kernel = kernel if form == "conv" else kernel.swapaxes(0, 1).contiguous()

    def call(x: torch.Tensor) -> Any:
        return getattr(mtconv, form)(x, kernel, **options)

    with pytest.raises(torch._dynamo.exc.UserError) as error:
        exported(call, (x,), {2: torch.export.Dim("t", min=2)})
    assert f"t = Dim('t', min={least})" in str(error.value)
    # torch looks at results of one element by themselves.
    program = exported(call, (x,), {2: torch.export.Dim("t", min=least + 1)}).module()
    for size in (least + 1, 20):
        x = torch.arange(6.0 * size).reshape(2, 3, size)
        same(program(x), getattr(mtconv, form)(x.numpy(), kernel.numpy(), **options))


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
@pytest.mark.parametrize("padding", ["same", "same_lower"])
def test_same_padding_whose_amounts_are_open(mode: str, padding: str) -> None:
    """With a stride the amounts depend on the size, which may be less than they are."""
    kernel = np.arange(-4.0, 5).astype(np.float32).reshape(1, 1, 9) ** 3
    options: dict[str, Any] = {"stride": 3, "padding": padding, "padding_mode": mode}

    def down(y: torch.Tensor) -> Any:
        return mtconv.conv(y, tensor(kernel), **options)

    def up(x: torch.Tensor) -> Any:
        size = (3 * x.shape[2] - 2,)
        return mtconv.conv_transpose(x, tensor(kernel), output_size=size, **options)

    sizes = {2: torch.export.Dim("t", min=4)}
    array = torch.arange(3.0, 14).reshape(1, 1, -1)
    for function, form in ((down, "conv"), (up, "conv_transpose")):
        program = exported(function, (array,), sizes).module()
        for size in (4, 5, 12):
            x = np.arange(5.0, 5 + size).astype(np.float32).reshape(1, 1, -1)
            loops = getattr(mtconv.testing, f"reference_{form}")
            result = {} if form == "conv" else {"output_size": (3 * size - 2,)}
            same(program(tensor(x)), loops(x, kernel, **options, **result))


def test_the_least_size_of_a_stride_with_more_taps() -> None:
    """3*t - 4 elements are folded by 4 at most, so that t has to be 3 or more."""
    x, kernel = torch.ones(1, 4, 9), torch.ones(4, 3, 3)
    options = {"stride": 3, "padding": ((0, 4),), "padding_mode": "symmetric"}
    with pytest.raises(torch._dynamo.exc.UserError) as error:
        exported(
            lambda x: mtconv.conv_transpose(x, kernel, **options),
            (x,),
            {2: torch.export.Dim("t", min=1)},
        )
    assert "t = Dim('t', min=3)" in str(error.value)


def test_padding_that_goes_round_more_than_once() -> None:
    kernel = torch.ones(4, 3, 5)
    with pytest.raises(mtconv.GeometryError) as error:
        exported(
            lambda x: mtconv.conv(x, kernel, padding=12, padding_mode="circular"),
            (torch.ones(2, 3, 9),),
            {2: torch.export.Dim("t")},
        )
    text = re.sub(r"\bs\d+\b", "t", str(error.value))
    assert text.startswith(
        "conv: `padding` must be at least 0 and at most t with padding_mode='circular'; "
        "got (12, 12) on axis 'W'. Only padding_mode='replicate' takes any amount of a "
        "symbolic size."
    )
    assert text.endswith("Here t is a symbolic size.")


class Layers(torch.nn.Module):
    """Three layers whose padding is written in different ways."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        shapes = ((4, 6, 4), (6, 6, 3), (6, 2, 5))
        self.kernels = torch.nn.ParameterList(
            [torch.randn(shape, generator=generator) for shape in shapes]
        )
        self.bias = torch.nn.Parameter(torch.randn(6, generator=generator))

    def forward(self, x: torch.Tensor) -> Any:
        first, second, third = self.kernels
        x = mtconv.conv_transpose(x, first, self.bias, stride=2, padding=1).relu()
        x = mtconv.conv_transpose(x, second, stride=2, padding="same").relu()
        return mtconv.conv_transpose(x, third, stride=3, padding=((1, 2),))


def test_onnxruntime_runs_a_network_of_three_layers(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, path = Layers(), tmp_path / "layers.onnx"
    sizes = ({0: "batch", 2: "length"},)
    example = (torch.ones(3, 4, 7),)
    torch.onnx.export(network, example, dynamo=True, dynamic_shapes=sizes).save(path)
    nodes = [node.op_type for node in onnx.load(path).graph.node]
    assert nodes.count("ConvTranspose") == 3
    session = onnxruntime.InferenceSession(path)
    (name,) = (argument.name for argument in session.get_inputs())
    for seed, (batch, length) in enumerate(((3, 7), (1, 5), (5, 1), (2, 33))):
        x = np.random.default_rng(seed).standard_normal((batch, 4, length))
        x = x.astype(np.float32)
        (result,) = session.run(None, {name: x})
        expected = network(tensor(x)).detach().numpy()
        assert result.shape == expected.shape
        assert np.abs(result - expected).max() < 1e-5 * np.abs(expected).max()


def test_what_cannot_trace_sizes_is_refused() -> None:
    kernel = torch.ones(3, 4, 5)
    with pytest.raises(mtconv.BackendError) as error:
        torch.jit.trace(lambda x: mtconv.conv_transpose(x, kernel), torch.ones(2, 3, 9))
    assert str(error.value) == (
        "conv_transpose: `x` must not be traced by torch.jit.trace, for which sizes are "
        "tensors; got a call that torch.jit.trace or the old ONNX exporter records. Use "
        "torch.export.export, or torch.onnx.export with dynamo=True."
    )


@pytest.mark.parametrize("number", [2, 12, 25, 34, 38])
def test_tensors_without_values_have_shapes(number: int) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    geometry = GEOMETRIES[number]
    arrays = geometry.arrays(0, (3, 7, 6, 5))
    expected = geometry.expected(*arrays)
    result = geometry.call(*(tensor(array).to("meta") for array in arrays))
    assert (result.device.type, result.shape) == ("meta", expected.shape)
    mode = FakeTensorMode()
    result = geometry.call(*(mode.from_tensor(tensor(array)) for array in arrays))
    assert (result.shape, result.dtype) == (expected.shape, torch.float32)


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_channels_stay_last_where_torch_keeps_them(form: str) -> None:
    x = torch.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    kernel = torch.arange(3.0 * 3 * 2 * 2).reshape(3, 3, 2, 2)
    last = x.to(memory_format=torch.channels_last)
    result = getattr(mtconv, form)(last, kernel, stride=2)
    torch_function = getattr(torch.nn.functional, f"{form}2d")
    assert result.stride() == torch_function(last, kernel, stride=2).stride()
    assert result.is_contiguous(memory_format=torch.channels_last)
    same(result, getattr(mtconv, form)(x, kernel, stride=2).numpy())
