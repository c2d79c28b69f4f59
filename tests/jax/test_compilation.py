"""What is compiled, for which platform, how often, and what stays in caches."""

from __future__ import annotations

import pickle
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

import mtconv
from mtconv.backends import _jax


def exported(function, *arrays, platform="cuda"):
    """Return the program lowered for a platform that need not be at hand."""
    text = export.export(jax.jit(function), platforms=[platform])(*arrays).mlir_module()
    return re.sub(r" loc\(.*\)", "", text)


def convolutions(text):
    """List the lines of a program that convolve."""
    return [line for line in text.splitlines() if "stablehlo.convolution" in line]


@pytest.fixture(scope="module")
def strided(make):
    """x, kernel and y of a stride of 2."""
    return make((2, 3, 4, 5), 0), make((3, 2, 4, 4), 1), make((2, 2, 8, 10), 2)


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_transposed_convolution_is_backward_data_on_accelerators(strided, platform):
    x, kernel, _ = strided
    function = partial(mtconv.conv_transpose, stride=2, padding=1)
    text = exported(function, x, kernel, platform=platform)
    (line,) = convolutions(text)
    # A reversed kernel with I and O exchanged, and a dilated input: what XLA matches.
    assert "stablehlo.reverse" in text
    assert "[b, f, 0, 1]x[i, o, 0, 1]" in line
    assert "lhs_dilate = [2, 2]" in line


def test_convolution_is_one_strided_convolution_on_a_gpu(strided):
    _, kernel, y = strided
    (line,) = convolutions(exported(partial(mtconv.conv, stride=2, padding=1), y, kernel))
    assert "stride = [2, 2]" in line
    assert "dilate" not in line


def test_kernel_gradient_is_backward_filter_on_a_gpu(strided):
    x, _, y = strided
    function = partial(mtconv.kernel_grad, stride=2, padding=1, kernel_size=4)
    (line,) = convolutions(exported(function, x, y))
    # Channels in the place of the batch, x as a kernel dilated by the stride.
    assert "[f, b, 0, 1]x[i, o, 0, 1]" in line
    assert "rhs_dilate = [2, 2]" in line
    assert "lhs_dilate" not in line


def test_gradients_on_a_gpu_are_the_same_forms(strided):
    x, kernel, y = strided

    def gradients(x, kernel, y):
        return jax.vjp(partial(mtconv.conv_transpose, stride=2, padding=1), x, kernel)[1](y)

    lines = convolutions(exported(gradients, x, kernel, y))
    assert len(lines) == 2
    assert sum("rhs_dilate" in line for line in lines) == 1
    assert not any("lhs_dilate" in line for line in lines)


@pytest.mark.parametrize("options", [{"groups": 3}, {"dilation": 3}])
def test_no_inserted_zero_is_multiplied_on_a_gpu_with_groups_or_dilation(strided, options):
    x, kernel, _ = strided
    if "groups" in options:
        kernel = kernel[:, :1]
    lines = convolutions(
        exported(partial(mtconv.conv_transpose, stride=2, **options), x, kernel)
    )
    assert len(lines) == 4  # one per phase
    assert not any("lhs_dilate" in line for line in lines)


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_integers_and_complex_numbers_are_matrix_products_on_a_gpu(strided, dtype):
    x, kernel = (array.astype(dtype) for array in strided[:2])
    text = exported(partial(mtconv.conv_transpose, stride=2), x, kernel)
    assert "stablehlo.dot_general" in text
    assert not convolutions(text)


def test_a_named_algorithm_is_kept_on_every_platform(strided):
    x, kernel, _ = strided
    function = partial(mtconv.conv_transpose, stride=2, algorithm="gemm")
    assert not convolutions(exported(function, x, kernel))


def test_one_program_for_two_platforms(strided):
    x, kernel, _ = strided
    function = jax.jit(partial(mtconv.conv_transpose, stride=2))
    program = export.export(function, platforms=["cpu", "cuda"])(x, kernel)
    assert (program.call(x, kernel) == function(x, kernel)).all()


@pytest.mark.parametrize("options", [{}, {"groups": 3}])
def test_export_with_a_symbolic_batch(strided, options):
    x, kernel, y = strided
    if "groups" in options:
        kernel, y = kernel[:, :1], jnp.concatenate([y, y[:, :1]], axis=1)

    def all_three(x, kernel, y):
        function = partial(mtconv.conv_transpose, stride=2, padding=1, **options)
        result, backward = jax.vjp(function, x, kernel)
        return result, *backward(y)

    (batch,) = export.symbolic_shape("b")
    symbolic = [
        jax.ShapeDtypeStruct((batch, *array.shape[1:]), array.dtype) for array in (x, y)
    ]
    program = export.export(jax.jit(all_three))(symbolic[0], kernel, symbolic[1])
    for size in (1, 5):
        tiled = [jnp.concatenate([array] * 3)[:size] for array in (x, y)]
        got = program.call(tiled[0], kernel, tiled[1])
        for single, other in zip(got, all_three(tiled[0], kernel, tiled[1]), strict=True):
            assert (single == other).all()


def test_export_of_a_map_over_a_symbolic_axis(make):
    function = jax.jit(jax.vmap(partial(mtconv.conv, stride=2)))
    (count,) = export.symbolic_shape("n")
    symbolic = [
        jax.ShapeDtypeStruct((count, *shape), "float64") for shape in ((1, 2, 5), (3, 2, 2))
    ]
    program = export.export(function)(*symbolic)
    y, kernels = make((4, 1, 2, 5), 0), make((4, 3, 2, 2), 1)
    assert (program.call(y, kernels) == function(y, kernels)).all()
    assert (program.call(y[:1], kernels[:1]) == function(y[:1], kernels[:1])).all()


def test_an_equal_spec_as_a_static_argument_does_not_retrace(make):
    traced = []

    @partial(jax.jit, static_argnums=0)
    def function(spec, x, kernel):
        traced.append(spec)
        return spec.conv_transpose(x, kernel)

    x, kernel = make((1, 2, 4), 0), make((2, 3, 3), 1)
    spec = mtconv.ConvSpec.from_shapes(x.shape, kernel.shape, stride=2)
    specs = [spec, *(pickle.loads(pickle.dumps(spec)) for _ in range(2))]
    results = [function(spec, x, kernel) for spec in specs]
    assert len({id(spec) for spec in specs}) == 3
    assert len(traced) == 1
    assert all((result == results[0]).all() for result in results)


def test_a_thousand_eager_calls_leave_a_bounded_cache(make):
    x, kernel = make((1, 1, 3), 0), make((1, 1, 2), 1)
    cache = _jax._compiled
    before = cache.cache_info().misses
    for _ in range(1000):
        mtconv.conv_transpose(x, kernel, stride=2)
    assert cache.cache_info().misses <= before + 1
    # Plans without number, none of them executed: only so many compiled calls are kept.
    for stride in range(1, 1001):
        plan = mtconv.planning.plan.plan_for(
            "conv_transpose",
            x.shape,
            kernel.shape,
            mtconv.problem.options.Options(stride=stride),
            "float64",
            "auto",
            "jax",
        )
        cache(plan, None)
    assert cache.cache_info().currsize <= cache.cache_info().maxsize < 1000


def test_eager_calls_of_one_spec_compile_once(make, monkeypatch):
    compiled = []
    monkeypatch.setattr(
        _jax, "_execute", lambda *arguments: compiled.append(1) or arguments[2]
    )
    x, kernel = make((1, 1, 7), 0), make((1, 1, 2), 1)
    for _ in range(5):
        mtconv.conv_transpose(x, kernel, stride=5)
    assert len(compiled) == 1


def precisions(function, *arrays):
    """List the precisions of the products and convolutions in a program."""
    text = jax.jit(function).lower(*arrays).as_text()
    products = re.findall(r"precision = \[(\w+), \w+\]", text)
    return products + re.findall(r"#stablehlo<precision (\w+)>", text)


@pytest.mark.parametrize("algorithm", ["gemm", "native"])
def test_precision_is_highest_unless_somebody_says_otherwise(strided, algorithm):
    x, kernel = (array.astype(jnp.float32) for array in strided[:2])
    function = partial(mtconv.conv_transpose, algorithm=algorithm)
    assert set(precisions(function, x, kernel)) == {"HIGHEST"}
    with jax.default_matmul_precision("tensorfloat32"):
        assert set(precisions(lambda x, w: function(x, w), x, kernel)) == {"HIGH"}
        explicit = partial(function, precision=lax.Precision.HIGHEST)
        assert set(precisions(explicit, x, kernel)) == {"HIGHEST"}


@pytest.mark.parametrize(
    ("k", "stride"), [((31, 31), 1), ((64, 64), 32), ((300,), 1), ((9, 9), 3)]
)
@pytest.mark.parametrize("algorithm", ["auto", "gemm", "direct"])
def test_programs_of_large_kernels_stay_small(k, stride, algorithm):
    n = 40 if stride == 1 else 3
    x = jnp.ones((1, 1, *(n for _ in k)))
    function = partial(mtconv.conv_transpose, stride=stride, algorithm=algorithm)
    operations = (
        jax.jit(function).lower(x, jnp.ones((1, 1, *k))).as_text().count("stablehlo")
    )
    assert operations < 4000  # 31 * 31 unrolled taps would be 20,000


def test_values_of_large_kernels(make):
    for shape, k, stride in (((1, 1, 9), (1, 1, 130), 1), ((1, 2, 5, 4), (2, 1, 13, 9), 1)):
        x, kernel = make(shape, 0, "int32"), make(k, 1, "int32")
        expected = mtconv.conv_transpose(
            np.asarray(x), np.asarray(kernel), stride=stride, algorithm="direct"
        )
        y = make(expected.shape, 2, "int32")
        for algorithm in ("gemm", "direct"):
            got = mtconv.conv_transpose(x, kernel, stride=stride, algorithm=algorithm)
            assert (got == expected).all()
            back = mtconv.conv(y, kernel, stride=stride, algorithm=algorithm)
            assert (jnp.sum(got * y) == jnp.sum(back * x)).all()
            grad = mtconv.kernel_grad(
                x, y, kernel_size=k[2:], stride=stride, algorithm=algorithm
            )
            assert (jnp.sum(got * y) == jnp.sum(grad * kernel)).all()
