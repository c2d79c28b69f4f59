"""torch's own convolutions: what they cannot say of a geometry is padded and cut.

Geometries are drawn at random. Values are those of NumPy's "direct" algorithm, for sizes
that are numbers, and for programs whose sizes are symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import mtconv

torch = pytest.importorskip("torch")
F = torch.nn.functional
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

MODES = ("circular", "reflect", "replicate", "symmetric")
FORMS = ("conv_transpose", "conv", "kernel_grad")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread: of so few elements others only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Problem(NamedTuple):
    """Arrays of the three maps; ``options`` are those of both directions."""

    x: np.ndarray
    kernel: np.ndarray
    y: np.ndarray
    bias: np.ndarray | None
    options: dict[str, Any]

    def apply(self, form: str, take: Any = np.asarray, **choice: Any) -> Any:
        """Apply a map to what ``take`` makes of the arrays."""
        x, kernel, y = map(take, (self.x, self.kernel, self.y))
        bias = None if self.bias is None else take(self.bias)
        if form == "kernel_grad":
            size = self.kernel.shape[2:]
            return mtconv.kernel_grad(x, y, kernel_size=size, **self.options, **choice)
        if form == "conv":
            # Channels of both sides are equally many, so that one bias does for both.
            return mtconv.conv(y, kernel, bias, **self.options, **choice)
        options = {"output_size": self.y.shape[2:], **self.options}
        return mtconv.conv_transpose(x, kernel, bias, **options, **choice)

    def expected(self, form: str) -> Any:
        return torch.from_numpy(self.apply(form, algorithm="direct"))


def drawn_padding(rng: np.random.Generator, extent: int) -> tuple[int, int]:
    """Nothing, the same at both ends, a little uneven, or anything."""
    kind = rng.integers(4)
    lo = int(rng.integers(-2, extent + 3)) if kind else 0
    hi = {0: 0, 1: lo, 2: lo - int(rng.integers(-1, 4))}.get(int(kind))
    return lo, int(rng.integers(-3, extent + 3)) if hi is None else hi


def drawn(rng: np.random.Generator, rank: int, least: int = 1, **given: Any) -> Problem:
    """Draw a problem, whose output sizes lie anywhere between the limits."""
    while True:
        stride, dilation, taps = (rng.integers(1, n, rank) for n in (5, 4, 5))
        groups = int(rng.integers(1, 3))
        small = rng.integers(least, least + 5, rank)
        extent = dilation * (taps - 1) + 1
        options = {
            "stride": tuple(stride.tolist()),
            "dilation": tuple(dilation.tolist()),
            "padding": tuple(drawn_padding(rng, int(n)) for n in extent),
            "groups": groups,
            **given,
        }
        channels = 2 * groups
        x_shape = (2, channels, *small.tolist())
        kernel_shape = (channels, 2, *taps.tolist())
        first = stride * (small - 1) + 1
        if "padding" not in given:
            first += extent - 1 - np.sum(options["padding"], axis=1)
        size = np.maximum(first + rng.integers(0, stride), 1)
        try:
            y_shape = mtconv.conv_transpose_shape(
                x_shape, kernel_shape, output_size=tuple(size.tolist()), **options
            )
        except mtconv.GeometryError:  # less than nothing is left, or folds are too wide
            continue
        if min(y_shape[2:]) < least:
            continue
        x, kernel, y, bias = (
            rng.integers(-4, 5, shape).astype(np.float64)
            for shape in (x_shape, kernel_shape, y_shape, (channels,))
        )
        return Problem(x, kernel, y, bias if rng.integers(2) else None, options)


def strided(array: np.ndarray) -> torch.Tensor:
    """Spread the elements, which no prepared call takes."""
    tensor = torch.from_numpy(array)
    return torch.stack([tensor, -tensor], -1)[..., 0]


@pytest.mark.parametrize(("rank", "count"), [(1, 100), (2, 60), (3, 20)])
def test_drawn_geometries_with_zeros_around(rank: int, count: int) -> None:
    rng = np.random.default_rng(rank)
    for number in range(count):
        problem = drawn(rng, rank)
        take = strided if number % 2 else torch.from_numpy
        for form in FORMS:
            got = problem.apply(form, take, algorithm="native")
            assert torch.equal(got, problem.expected(form)), (form, problem.options)


@pytest.mark.parametrize("mode", MODES)
def test_drawn_geometries_of_padding_modes(mode: str) -> None:
    rng = np.random.default_rng(7)
    for number in range(20):
        problem = drawn(rng, 1 + number % 2, padding_mode=mode)
        for form in FORMS:
            got = problem.apply(form, torch.from_numpy, algorithm="native")
            assert torch.equal(got, problem.expected(form)), (form, problem.options)


def relatives(problem: Problem) -> Iterator[Problem]:
    """Yield problems of one axis with larger sizes, every remainder of the stride once."""
    rng = np.random.default_rng(0)
    stride, first = problem.options["stride"][0], problem.y.shape[2]
    for size in (first, *range(first + stride + 1, first + 2 * stride + 1)):
        y = rng.integers(-4, 5, (*problem.y.shape[:2], size)).astype(np.float64)
        shape = mtconv.conv_shape(y.shape, problem.kernel.shape, **problem.options)
        x = rng.integers(-4, 5, shape).astype(np.float64)
        yield problem._replace(x=x, y=y)


def program_of(problem: Problem, form: str) -> Any:
    """Trace a map once, with symbols for the sizes of x and y.

    torch takes equal sizes for one symbol, so there should be more elements than channels.
    """

    def call(x: Any, y: Any) -> Any:
        given = problem._replace(x=x, y=y, bias=None)
        return given.apply(form, as_tensor, algorithm="native")

    def as_tensor(array: Any) -> Any:
        return array if isinstance(array, torch.Tensor) else torch.from_numpy(array)

    arrays = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    return make_fx(call, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*arrays)


def programs_agree(problem: Problem, form: str) -> None:
    """Run a program for sizes other than those that it was traced with."""
    traced = program_of(problem, form)
    for other in relatives(problem):
        got = traced(torch.from_numpy(other.x), torch.from_numpy(other.y))
        expected = other._replace(bias=None).expected(form)
        assert torch.equal(got, expected), (problem.options, other.y.shape)


@pytest.mark.parametrize(
    ("form", "count"), [("conv_transpose", 14), ("conv", 14), ("kernel_grad", 5)]
)
def test_drawn_programs(form: str, count: int) -> None:
    rng = np.random.default_rng(5)
    for _ in range(count):
        programs_agree(drawn(rng, 1, least=5), form)


@pytest.mark.parametrize(("form", "count"), [("conv_transpose", 2), ("conv", 3)])
@pytest.mark.parametrize("mode", ["zeros", "circular", "symmetric"])
def test_drawn_programs_of_same_padding(form: str, count: int, mode: str) -> None:
    rng = np.random.default_rng(6)
    for number in range(count):
        padding = ("same", "same_lower")[number % 2]
        programs_agree(drawn(rng, 1, 5, padding=padding, padding_mode=mode), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", MODES)
def test_programs_of_strides_beyond_the_kernel(form: str, mode: str) -> None:
    """Of 28 elements the last two meet no tap, of 26 all of them do."""
    options = {"stride": (4,), "padding": "same", "padding_mode": mode}
    x, kernel, y = np.ones((1, 1, 7)), np.array([[[1.0, -3.0]]]), np.ones((1, 1, 28))
    programs_agree(Problem(x, kernel, y, None, options), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["circular", "replicate"])
def test_programs_of_equal_padding_that_is_filled(form: str, mode: str) -> None:
    rng = np.random.default_rng(8)
    options = {"stride": (2,), "padding": 2, "padding_mode": mode}
    x, kernel, y = (
        rng.integers(-4, 5, shape).astype(np.float64)
        for shape in ((2, 2, 7), (2, 2, 3), (2, 2, 11))
    )
    programs_agree(Problem(x, kernel, y, None, options), form)


@pytest.mark.parametrize(
    ("lo", "hi"), [(0, 0), (3, 3), (1, 2), (2, 0), (6, 5), (0, 7), (7, 0)]
)
def test_padding_that_is_a_number_stays_one(lo: int, hi: int) -> None:
    """Whatever the size is: nothing is cut, and torch's own padding is used if equal."""
    y = np.ones((1, 1, 29))
    options = {"stride": (3,), "dilation": 2, "padding": ((lo, hi),)}
    problem = Problem(np.ones((1, 1, 2)), np.ones((1, 1, 3)), y, None, options)
    graph = program_of(problem, "conv").graph
    calls = {str(node.target): node.args for node in graph.nodes}
    assert "aten.slice.Tensor" not in calls
    assert calls["aten.convolution.default"][4] == [lo if lo == hi else 0]
    if lo == hi:
        assert "aten.constant_pad_nd.default" not in calls
    else:
        assert calls["aten.constant_pad_nd.default"][1] == [lo, hi]


def test_an_open_output_size_needs_no_zeros_where_padding_is_equal() -> None:
    options = {"stride": (2,), "padding": 1}
    problem = Problem(np.ones((1, 1, 9)), np.ones((1, 1, 4)), np.ones((1, 1, 18)), None, {})
    graph = program_of(problem._replace(options=options), "conv_transpose").graph
    calls = {str(node.target): node.args for node in graph.nodes}
    assert "aten.constant_pad_nd.default" not in calls
    assert calls["aten.convolution.default"][4] == [1]


@pytest.mark.parametrize("padding", [(0, 12), (12, 0)])
def test_programs_of_padding_at_one_end_far_beyond_the_kernel(padding: Any) -> None:
    rng = np.random.default_rng(9)
    y = rng.integers(-4, 5, (1, 1, 11)).astype(np.float64)
    x, kernel = np.ones((1, 1, 11)), np.array([[[1.0, -3.0]]])
    options = {"stride": (2,), "padding": (padding,)}
    programs_agree(Problem(x, kernel, y, None, options), "conv")


ONE_CALLS: tuple[tuple[str, dict[str, Any], Any], ...] = (
    # A result of (n - 1)*stride - lo - hi + taps elements and one of output padding.
    (
        "conv_transpose",
        {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)},
        (F.conv_transpose2d, ((2, 3), (1, 1), (1, 2), 1, (1, 1))),
    ),
    (
        "conv_transpose",
        {"dilation": (3, 1), "padding": ((2, 0), (0, 0))},
        (F.conv_transpose2d, ((1, 1), (2, 0), (2, 0), 1, (3, 1))),
    ),
    ("conv_transpose", {"padding": ((0, 0), (1, 0))}, None),
    ("conv_transpose", {"padding": ((0, 0), (0, 1))}, None),
    ("conv_transpose", {"padding": ((-1, -1), (1, 1))}, None),
    ("conv_transpose", {"padding": 1, "padding_mode": "circular"}, None),
    (
        "conv",
        {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 2)},
        (F.conv2d, ((2, 3), (0, 1), (1, 1), 1)),
    ),
    ("conv", {"stride": (2, 3), "padding": ((1, 1), (0, 1))}, None),
    ("conv", {"stride": (2, 3), "padding": ((1, 1), (3, 0))}, None),
    ("conv", {"padding": ((-1, -1), (1, 1))}, None),
    ("conv", {"padding": 1, "padding_mode": "circular"}, None),
    ("kernel_grad", {}, None),
)


@pytest.mark.parametrize(("form", "options", "expected"), ONE_CALLS)
def test_what_one_function_of_torch_does(form: str, options: Any, expected: Any) -> None:
    from mtconv.backends._torch.native import one_call

    spec = mtconv.ConvSpec.from_shapes((1, 1, 5, 6), (1, 1, 3, 4), **options)
    assert one_call(form, spec) == expected
