"""What computes calls on plain tensors: torch's own kernels, or compiled ones."""

import pytest

from mtconv import ConvSpec
from mtconv.planning.choose import choose_algorithm
from mtconv.planning.plan import plan_for
from mtconv.problem.options import Options

DEPTHWISE = ConvSpec.from_shapes((4, 64, 20, 20), (64, 1, 4, 4), stride=2, groups=64)
TINY = ConvSpec.from_shapes((1, 3, 4, 4), (3, 2, 3, 3), stride=2)


def ranked(spec, form="conv_transpose", batch=4, dtype="float32", algorithm="auto"):
    return choose_algorithm(spec, form, batch, dtype, "torch", algorithm, shared=True)


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    """Choices by the rates that mtconv ships, whatever this machine has measured."""
    from mtconv.planning.rates import SHIPPED

    for module in ("native", "ladders.numba"):
        monkeypatch.setattr(f"mtconv.planning.{module}.current_rates", lambda: SHIPPED)


@pytest.mark.parametrize("form", ["conv_transpose", "conv"])
def test_estimates_decide(form):
    for spec, first in ((DEPTHWISE, "numba"), (TINY, "native")):
        best, second, *_ = ranked(spec, form, batch=1)
        assert best.algorithm == first
        assert {best.algorithm, second.algorithm} == {"numba", "native"}
        assert (best.cost.seconds < second.cost.seconds) or spec is TINY


def test_kernels_have_to_be_twice_as_fast():
    for channels in range(8, 65, 8):
        spec = ConvSpec.from_shapes((4, 64, 20, 20), (64, channels, 4, 4), stride=2)
        costs = {c.algorithm: c.cost.seconds for c in ranked(spec) if c.cost}
        ahead = 2 * costs["numba"] - 1.5e-5 < costs["native"]
        assert (ranked(spec)[0].algorithm == "numba") == ahead


def test_reasons_say_where_and_by_what_it_is_computed():
    best, second, *_ = ranked(DEPTHWISE)
    assert best.reason == (
        "compiled: whole planes in the lanes of vectors, in the memory of the tensors"
    )
    assert second.reason == "torch's own kernels and gradients"
    slower = ranked(TINY, batch=1)[1]
    assert slower.algorithm == "numba"
    assert slower.reason == "slower, or not twice as fast, by the estimate"


def test_without_shared_memory_nothing_is_compiled():
    best = choose_algorithm(DEPTHWISE, "conv_transpose", 4, "float32", "torch")
    assert "numba" not in [candidate.algorithm for candidate in best]


def test_what_is_left_to_torch():
    last = ranked(DEPTHWISE, dtype="bfloat16")[-1]
    assert last == ("numba", None, "torch's kernels have half precision")
    shapes = (4, 20, 20, 64), (4, 4, 64, 1)
    behind = ConvSpec.from_shapes(*shapes, layout="NHWC", kernel_layout="HWIO", groups=64)
    last = ranked(behind)[-1]
    assert last == ("numba", None, "channels-first layouts alone were measured")
    circular = ConvSpec.from_shapes(
        (4, 64, 20, 20), (64, 1, 3, 3), padding_mode="circular", padding=1, groups=64
    )
    assert ranked(circular)[-1] == ("numba", None, "the kernels pad with zeros only")
    assert ranked(circular)[0].algorithm == "native"


def test_exact_calls_and_integers_have_compiled_kernels():
    assert ranked(DEPTHWISE, algorithm="exact")[0].algorithm == "numba"
    best, second, *_ = ranked(DEPTHWISE, dtype="int32")
    assert [best.algorithm, second.algorithm] == ["numba", "polyphase"]


def test_an_algorithm_that_is_named_is_taken():
    for name in ("native", "polyphase"):
        assert ranked(DEPTHWISE, algorithm=name)[0].algorithm == name


def test_plans_of_shared_memory_are_others():
    call = ("conv_transpose", (4, 64, 20, 20), (64, 1, 4, 4), Options(2, groups=64))
    choice = ("float32", "auto", "torch", None, None)
    own, shared = (plan_for(*call, *choice, shared) for shared in (False, True))
    assert (own.algorithm, own.fallbacks) == ("native", ())
    assert shared.algorithm == "numba"
    assert shared.fallbacks == (("infinite kernel", "direct", "float32"),)
