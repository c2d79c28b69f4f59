"""jax.export with symbolic sizes: values, and errors that say what is missing.

A few geometries stand for the forty of `forty_exports.py`, which `nox -s tracing` runs.
"""

from __future__ import annotations

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import mtconv
from tests.geometries import GEOMETRIES
from tests.jax import exports


def struct(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def refused(function, *arguments, error=mtconv.GeometryError):
    """Return the text of the error with which an export ends."""
    with pytest.raises(error) as raised:
        export.export(jax.jit(function))(*arguments)
    return str(raised.value)


@pytest.mark.parametrize("number", [2, 25, 34])
def test_a_saved_program_gives_what_loops_give(number):
    exports.a_saved_program_gives_what_loops_give(GEOMETRIES[number], calls=2)


@pytest.mark.parametrize("number", [21, 37])
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_programs_for_accelerators_are_written(number, platform):
    assert exports.exported(GEOMETRIES[number], platforms=[platform]).serialize()


@pytest.mark.parametrize("algorithm", ["gemm", "polyphase", "direct", "native"])
def test_every_algorithm_takes_sizes_below_the_stride(algorithm):
    """Strides of 5 leave phases without an element where the result has 3."""
    rng = np.random.default_rng(0)
    kernel = rng.integers(-4, 5, (2, 3, 4)).astype(np.float32)
    options = {"stride": 5, "padding": ((0, 1),)}
    call = partial(mtconv.conv, algorithm=algorithm, **options)
    (t,) = export.symbolic_shape("t", constraints=["t >= 3"])
    program = export.export(jax.jit(call))(struct(1, 3, t), kernel)
    for size in (3, 13):
        y = rng.integers(-4, 5, (1, 3, size)).astype(np.float32)
        expected = mtconv.testing.reference_conv(y, kernel, **options)
        exports.same(program.call(y, kernel), expected)


def test_integers_and_a_map_over_a_batch_axis():
    t, u = export.symbolic_shape("t,u")
    kernel = np.arange(2 * 3 * 2 * 3).reshape(2, 3, 2, 3).astype(np.int32)
    call = jax.vmap(partial(mtconv.conv_transpose, stride=(2, 3)), (0, None))
    program = export.export(jax.jit(call))(struct(2, 2, t, u, dtype="int32"), kernel)
    x = np.arange(2 * 2 * 1 * 4).reshape(2, 2, 1, 4).astype(np.int32)
    expected = mtconv.testing.reference_conv_transpose(x, kernel, stride=(2, 3))
    exports.same(program.call(x, kernel), expected)


def test_a_spec_and_shapes_of_symbolic_sizes():
    kernel = jnp.asarray([[[1.0, 10, 100]]])

    def call(x):
        spec = mtconv.ConvSpec.from_shapes(x.shape, kernel.shape, stride=2)
        shape = mtconv.conv_transpose_shape(x.shape, kernel.shape, stride=2)
        return spec.conv_transpose(x, kernel) + jnp.zeros(shape)

    b, t = export.symbolic_shape("b,t")
    program = export.export(jax.jit(call))(struct(b, 1, t, dtype="float64"))
    assert program.call(jnp.asarray([[[1.0, 2]]])).tolist() == [[[1, 10, 102, 20, 200]]]


def test_shapes_without_arrays_and_programs_ahead_of_time():
    call = jax.jit(partial(mtconv.conv_transpose, stride=2))
    x, kernel = (struct(1, 1, size, dtype="float64") for size in (2, 3))
    assert jax.eval_shape(call, x, kernel).shape == (1, 1, 5)
    program = call.lower(x, kernel).compile()
    arrays = jnp.asarray([[[1.0, 2]]]), jnp.asarray([[[1.0, 10, 100]]])
    assert program(*arrays).tolist() == [[[1, 10, 102, 20, 200]]]


# Calls whose sizes need a constraint, with x's number of channels and that constraint.
OPEN = {
    "a kernel that may be too long": ("conv", {}, 3, "t >= 5"),
    "a result that may be empty": ("conv_transpose", {"padding": 4}, 4, "t >= 5"),
    "reflections that may be too wide": (
        "conv",
        {"padding": 4, "padding_mode": "reflect"},
        3,
        "t >= 5",
    ),
    "turns whose number is open": (
        "conv",
        {"padding": 6, "padding_mode": "circular"},
        3,
        "t >= 6",
    ),
}


@pytest.mark.parametrize("case", OPEN)
def test_errors_name_the_constraint_and_with_it_the_export_works(case):
    form, options, channels, constraint = OPEN[case]
    call = partial(getattr(mtconv, form), **options)
    kernel = struct(4, 3, 5)
    (t,) = export.symbolic_shape("t")
    text = refused(call, struct(2, channels, t), kernel)
    assert f"symbolic_shape(..., constraints=['{constraint}'])" in text
    assert "on axis 'W'" in text
    assert "Here t is a symbolic size." in text
    (t,) = export.symbolic_shape("t", constraints=[constraint])
    assert export.export(jax.jit(call))(struct(2, channels, t), kernel)


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "symmetric"])
@pytest.mark.parametrize("padding", ["same", "same_lower"])
def test_same_padding_whose_amounts_are_open(mode, padding):
    """With a stride the amounts depend on the size, which may be less than they are."""
    kernel = np.arange(-4.0, 5).astype(np.float32).reshape(1, 1, 9) ** 3
    options = {"stride": 3, "padding": padding, "padding_mode": mode}
    t, u = export.symbolic_shape("t, u", constraints=["u >= 3*t - 2", "3*t >= u"])

    def maps(x, y):
        up = partial(mtconv.conv_transpose, output_size=y.shape[2:], **options)
        result, back = jax.vjp(up, x, kernel)
        return (*back(y), result)

    program = export.export(jax.jit(maps))(struct(1, 1, t), struct(1, 1, u))
    program = export.deserialize(program.serialize())
    for small, big in ((1, 1), (1, 2), (2, 4), (3, 9), (5, 14)):
        x = np.arange(3.0, 3 + small).astype(np.float32).reshape(1, 1, -1)
        y = np.arange(5.0, 5 + big).astype(np.float32).reshape(1, 1, -1)
        by_x, by_kernel, result = program.call(x, y)
        expected = mtconv.testing.reference_conv(y, kernel, **options)
        exports.same(by_x, expected)
        expected = mtconv.testing.reference_kernel_grad(x, y, kernel_size=9, **options)
        exports.same(by_kernel, expected)
        expected = mtconv.testing.reference_conv_transpose(
            x, kernel, output_size=(big,), **options
        )
        exports.same(result, expected)


def test_same_padding_needs_no_constraint():
    (t,) = export.symbolic_shape("t")
    for mode in ("zeros", "circular", "symmetric"):
        call = partial(mtconv.conv, stride=3, padding="same", padding_mode=mode)
        kernel = np.arange(5.0).astype(np.float32).reshape(1, 1, 5)
        program = export.export(jax.jit(call))(struct(1, 1, t), kernel)
        for size in (1, 2, 7):
            y = np.arange(3.0, 3 + size).astype(np.float32).reshape(1, 1, -1)
            options = {"stride": 3, "padding": "same", "padding_mode": mode}
            exports.same(
                program.call(y, kernel),
                mtconv.testing.reference_conv(y, kernel, **options),
            )


def test_the_whole_text_of_such_an_error():
    b, t = export.symbolic_shape("b,t")
    assert refused(mtconv.conv, struct(b, 3, 9, t), struct(4, 3, 5, 5)) == (
        "conv: `x` must have symbolic sizes whose constraints settle every comparison; got "
        "t, which may be less than 5 or not on axis 'W'. Add the constraint: "
        "symbolic_shape(..., constraints=['t >= 5']). Here b and t are symbolic sizes."
    )


def test_constraints_between_two_sizes_are_named_one_by_one():
    def call(x, like, kernel):
        return mtconv.conv_transpose(x, kernel, stride=2, output_size=like.shape)

    constraints: list[str] = []
    for expected in ("u >= 2*t + 1", "2*t + 2 >= u"):
        t, u = export.symbolic_shape("t,u", constraints=constraints)
        arrays = struct(1, 4, t), struct(u), struct(4, 3, 3)
        text = refused(call, *arrays)
        constraints += re.findall(r"constraints=\['(.*)'\]", text)
        assert constraints[-1] == expected
    t, u = export.symbolic_shape("t,u", constraints=constraints)
    arrays = struct(1, 4, t), struct(u), struct(4, 3, 3)
    assert export.export(jax.jit(call))(*arrays)


def test_the_sizes_of_a_kernel_gradient():
    call = partial(mtconv.kernel_grad, kernel_size=3, stride=2, padding=1)
    constraint = "t == floordiv(u - 1, 2) + 1"
    t, u = export.symbolic_shape("t,u")
    text = refused(call, struct(1, 4, t), struct(1, 3, u))
    assert f"constraints=['{constraint}']" in text
    t, u = export.symbolic_shape("t,u", constraints=[constraint])
    assert export.export(jax.jit(call))(struct(1, 4, t), struct(1, 3, u))
    (u,) = export.symbolic_shape("u")
    text = refused(call, struct(1, 4, 7), struct(1, 3, u))
    assert "x has to have the size floordiv(u - 1, 2) + 1." in text


@pytest.mark.parametrize(
    ("x", "kernel", "argument", "axis"),
    [
        ((2, "t", 7), (4, 3, 5), "x", "'C'"),
        ((2, 4, 7), ("t", 3, 5), "kernel", "'I'"),
        ((2, 4, 7), (4, "t", 5), "kernel", "'O'"),
        ((2, 4, 7), (4, 3, "t"), "kernel", "'W'"),
    ],
)
def test_channels_and_taps_cannot_be_symbolic(x, kernel, argument, axis):
    (t,) = export.symbolic_shape("t")
    shapes = [[t if size == "t" else size for size in shape] for shape in (x, kernel)]
    text = refused(mtconv.conv_transpose, *(struct(*shape) for shape in shapes))
    assert text.startswith(
        f"conv_transpose: `{argument}` must have a known number of channels and taps; got "
        f"t, a symbolic size on axis {axis}. Only batch and space may be symbolic: export "
        "a program for each number."
    )


@pytest.mark.parametrize("option", ["stride", "dilation", "padding", "groups"])
def test_options_cannot_be_symbolic(option):
    (t,) = export.symbolic_shape("t")
    text = refused(
        lambda x, kernel: mtconv.conv_transpose(x, kernel, **{option: x.shape[2]}),
        *(struct(2, 4, t), struct(4, 3, 5)),
    )
    assert text.startswith(f"conv_transpose: `{option}` must be an integer")
    assert text.endswith(
        "; got t, a symbolic size. Write an integer: sizes of batch and space alone may be "
        "symbolic."
    )


def test_padding_that_is_wider_than_any_size_allowed():
    (t,) = export.symbolic_shape("t", constraints=["t <= 2"])
    call = partial(mtconv.conv, padding=3, padding_mode="circular")
    text = refused(call, struct(2, 3, t), struct(4, 3, 3))
    assert text.startswith(
        "conv: `padding` must be at least 0 and at most t with padding_mode='circular'; "
        "got (3, 3) on axis 'W'. Only padding_mode='replicate' takes any amount of a "
        "symbolic size."
    )
    assert text.endswith("Here t is a symbolic size.")


def test_other_errors_say_which_sizes_are_symbols():
    t, u = export.symbolic_shape("t,u")
    kernel = struct(4, 3, 3, 3)
    text = refused(mtconv.conv_transpose, struct(t, t), kernel)
    assert text.endswith("Here t is a symbolic size.")
    text = refused(mtconv.conv_transpose, struct(1, 4, t, t), kernel, struct(u))
    assert "got shape (u,) on axis 'C'." in text
    assert text.endswith("Here u is a symbolic size.")
    with pytest.raises(mtconv.GeometryError) as error:
        mtconv.explain((1, 4, t, 9), (4, 3, 3, 3))
    assert str(error.value) == (
        "explain: `x_shape` must be known: costs are numbers; got the symbolic size t. "
        "Give the shape of one call."
    )
