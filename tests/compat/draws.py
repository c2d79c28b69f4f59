"""Random calls of every framework over its own option space; no framework is needed.

Each draw is a function name under `mtconv.compat`, its arrays (integer-valued float64) and
its other arguments, all plain JSON. Some draws are illegal on purpose: the framework then
refuses, and so must mtconv.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtconv.compat import convert, convert_kernel
from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError
from tests.compat.calls import CALLS, drawn
from tests.compat.paddle_draws import paddle
from tests.compat.sizes import (
    Drawn,
    Generator,
    array,
    bias,
    maybe,
    one,
    pairs,
    scalar_or,
    several,
    sizes,
    sizes_for,
    up_to,
)


def torch(rng: Generator) -> Drawn:
    if rng.random() < 0.25:
        return _torch_forward(rng)
    z = sizes(rng, groups=True)
    lead = () if rng.random() < 0.2 else (z.batch,)
    arrays = {
        "input": array(rng, *lead, z.channels_in, *z.small),
        "weight": array(rng, z.channels_in, z.channels_out // z.groups, *z.taps),
    }
    bias(rng, arrays, "bias", z.channels_out)
    extra = tuple(
        one(rng, 0, max(s, d) - (rng.random() < 0.97))
        for s, d in zip(z.stride, z.dilation, strict=True)
    )
    options: dict[str, Any] = {
        "stride": scalar_or(rng, z.stride),
        "dilation": scalar_or(rng, z.dilation),
        "groups": z.groups,
    }
    maybe(rng, options, "padding", scalar_or(rng, up_to(rng, z.span)))
    maybe(rng, options, "output_padding", scalar_or(rng, extra))
    return Drawn(f"torch.conv_transpose{z.rank}d", arrays, options)


def _torch_forward(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    big = tuple(n + one(rng, 0, 3) for n in z.small)
    lead = () if rng.random() < 0.2 else (z.batch,)
    arrays = {
        "input": array(rng, *lead, z.channels_in, *big),
        "weight": array(rng, z.channels_out, z.channels_in // z.groups, *z.taps),
    }
    bias(rng, arrays, "bias", z.channels_out)
    options: dict[str, Any] = {"dilation": scalar_or(rng, z.dilation), "groups": z.groups}
    if rng.random() < 0.3:
        options["padding"] = str(rng.choice(["same", "valid"]))
    else:
        options["padding"] = scalar_or(rng, up_to(rng, z.span))
        options["stride"] = scalar_or(rng, z.stride)
    return Drawn(f"torch.conv{z.rank}d", arrays, options)


def jax(rng: Generator) -> Drawn:
    z = sizes(rng)
    space = {1: "H", 2: "HW", 3: "HWD"}[z.rank]
    options: dict[str, Any] = {"strides": list(z.stride)}
    if z.dilation != (1,) * z.rank or rng.random() < 0.5:
        options["rhs_dilation"] = list(z.dilation)
    kind = rng.random()
    if kind < 0.45:
        options["padding"] = str(rng.choice(["SAME", "VALID"]))
    elif kind < 0.55:
        options["padding"] = str(rng.choice(["SAME_LOWER", "same", "valid", "FULL"]))
        options["strides"] = [1] * z.rank
    else:
        options["padding"] = pairs(rng, z.span)
    maybe(rng, options, "use_consistent_padding", bool(rng.random() < 0.4))
    transposed = bool(rng.random() < 0.5)
    options["transpose_kernel"] = transposed
    # I is the axis that meets lhs, unless the kernel is transposed.
    size = dict(zip(space, z.taps, strict=True)) | {
        "O" if transposed else "I": z.channels_in,
        "I" if transposed else "O": z.channels_out,
    }
    data = dict(zip(space, z.small, strict=True)) | {"N": z.batch, "C": z.channels_in}
    specs = (f"N{space}C", f"{space}IO", f"N{space}C")
    if rng.random() < 0.5:
        specs = tuple("".join(rng.permutation(list(spec))) for spec in specs)
        if rng.random() < 0.5:
            specs = (specs[0], specs[1], specs[0])
        options["dimension_numbers"] = list(specs)
    arrays = {
        "lhs": array(rng, *(data[letter] for letter in specs[0])),
        "rhs": array(rng, *(size[letter] for letter in specs[1])),
    }
    return Drawn("jax.conv_transpose", arrays, options)


def flax(rng: Generator) -> Drawn:
    z = sizes(rng)
    lead = several(rng, one(rng, 0, 3), 1, 2)
    transposed = bool(rng.random() < 0.5)
    channels = (z.channels_in, z.channels_out)
    arrays = {
        "inputs": array(rng, *lead, *z.small, z.channels_in),
        "kernel": array(rng, *z.taps, *(channels[::-1] if transposed else channels)),
    }
    bias(rng, arrays, "bias", z.channels_out)
    options: dict[str, Any] = {
        "transpose_kernel": transposed,
        "kernel_dilation": list(z.dilation),
    }
    maybe(rng, options, "strides", list(z.stride))
    kind = rng.random()
    if kind < 0.6:
        options["padding"] = str(rng.choice(["SAME", "VALID", "CIRCULAR", "CIRCULAR"]))
    elif kind < 0.7:
        options["padding"] = one(rng, 0, max(z.span))
    elif kind < 0.8:
        options["padding"] = list(several(rng, z.rank, 0, max(z.span)))
    else:
        options["padding"] = pairs(rng, z.span)
    return Drawn("flax.conv_transpose", arrays, options)


def haiku(rng: Generator) -> Drawn:
    z = sizes(rng, dilation=False)
    lead = () if rng.random() < 0.3 else (z.batch,)
    first = bool(rng.random() < 0.4)
    cells = (z.channels_in, *z.small) if first else (*z.small, z.channels_in)
    arrays = {
        "inputs": array(rng, *lead, *cells),
        "w": array(rng, *z.taps, z.channels_out, z.channels_in),
    }
    bias(rng, arrays, "b", z.channels_out, *((1,) * z.rank if first else ()))
    options: dict[str, Any] = {"stride": scalar_or(rng, z.stride)}
    if first:
        options["data_format"] = str(rng.choice(["channels_first", "NC..."]))
    if rng.random() < 0.5:
        options["padding"] = str(rng.choice(["SAME", "VALID"]))
        options["output_shape"] = sizes_for(rng, z, options["padding"])
    elif rng.random() < 0.6:
        options["padding"] = str(rng.choice(["SAME", "VALID"]))
    else:
        options["padding"] = pairs(rng, z.span)
    return Drawn("haiku.conv_transpose", arrays, options)


def equinox(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    arrays = {
        "x": array(rng, z.channels_in, *z.small),
        "weight": array(rng, z.channels_out, z.channels_in // z.groups, *z.taps),
    }
    bias(rng, arrays, "bias", z.channels_out, *(1,) * z.rank)
    options: dict[str, Any] = {
        "stride": list(z.stride),
        "dilation": scalar_or(rng, z.dilation),
        "groups": z.groups,
    }
    extra = tuple(one(rng, 0, s - 1) for s in z.stride)
    kind = rng.random()
    if kind < 0.25:
        options["padding"] = str(rng.choice(["SAME", "same_lower"]))
        options["padding_mode"] = str(rng.choice(["CIRCULAR", "circular"]))
    elif kind < 0.6:
        options["padding"] = str(rng.choice(["SAME", "SAME_LOWER", "VALID", "valid"]))
        options["output_padding"] = scalar_or(rng, extra)
    else:
        pads = up_to(rng, z.span)
        both = [[p, one(rng, -1, p + 1)] for p in pads]
        options["padding"] = both if rng.random() < 0.6 else scalar_or(rng, pads)
        maybe(rng, options, "output_padding", scalar_or(rng, extra))
    return Drawn("equinox.conv_transpose", arrays, options)


def keras(rng: Generator) -> Drawn:
    z = sizes(rng)
    first = bool(rng.random() < 0.4)
    cells = (z.channels_in, *z.small) if first else (*z.small, z.channels_in)
    arrays = {
        "inputs": array(rng, z.batch, *cells),
        "kernel": array(rng, *z.taps, z.channels_out, z.channels_in),
    }
    options: dict[str, Any] = {
        "strides": scalar_or(rng, z.stride),
        "dilation_rate": scalar_or(rng, z.dilation),
        "padding": str(rng.choice(["valid", "same", "SAME"])),
    }
    maybe(rng, options, "data_format", "channels_first" if first else "channels_last")
    if first:
        options["data_format"] = "channels_first"
    if rng.random() < 0.5:
        extra = tuple(one(rng, 0, s - 1) for s in z.stride)
        options["output_padding"] = scalar_or(rng, extra)
    return Drawn("keras.conv_transpose", arrays, options)


def tensorflow(rng: Generator) -> Drawn:
    # Groups and dilation run only compiled, which takes a second each: fewer of those.
    rare = rng.random() < 0.25
    z = sizes(rng, groups=rare, dilation=rare)
    first = bool(rare and rng.random() < 0.4)
    padding: Any = str(rng.choice(["SAME", "VALID"]))
    size = sizes_for(rng, z, padding)
    explicit = z.rank == 2 and rng.random() < 0.4
    if explicit:
        pads = [[one(rng, 0, p), one(rng, 0, p)] for p in up_to(rng, z.span)]
        size = [
            max(N - lo - hi, 1)
            for N, (lo, hi) in zip(sizes_for(rng, z, "VALID"), pads, strict=True)
        ]
        none = [[0, 0]]
        padding = none * 2 + pads if first else [*none, *pads, *none]
    cells = (z.channels_in, *z.small) if first else (*z.small, z.channels_in)
    shape = (z.channels_out, *size) if first else (*size, z.channels_out)
    arrays = {
        "input": array(rng, z.batch, *cells),
        "filters": array(rng, *z.taps, z.channels_out // z.groups, z.channels_in),
    }
    options: dict[str, Any] = {
        "output_shape": [z.batch, *shape],
        "strides": scalar_or(rng, z.stride),
        "padding": padding,
    }
    if rng.random() < 0.2:
        ones = [1, 1]
        options["strides"] = ones + list(z.stride) if first else [1, *z.stride, 1]
    if first:
        options["data_format"] = {1: "NCW", 2: "NCHW", 3: "NCDHW"}[z.rank]
    if set(z.dilation) != {1}:
        options["dilations"] = scalar_or(rng, z.dilation)
    if explicit or rng.random() < 0.5:
        return Drawn(f"tensorflow.conv{z.rank}d_transpose", arrays, options)
    return Drawn("tensorflow.conv_transpose", arrays, options)


def onnx(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    arrays = {
        "X": array(rng, z.batch, z.channels_in, *z.small),
        "W": array(rng, z.channels_in, z.channels_out // z.groups, *z.taps),
    }
    bias(rng, arrays, "B", z.channels_out)
    options: dict[str, Any] = {"group": z.groups, "strides": list(z.stride)}
    maybe(rng, options, "kernel_shape", list(z.taps))
    if set(z.dilation) != {1}:
        options["dilations"] = list(z.dilation)
    if rng.random() < 0.6:
        options["output_padding"] = [one(rng, 0, s - 1) for s in z.stride]
    kind = rng.random()
    # SAME_* where less than nothing is to crop is a deviation, listed as such.
    room = (k >= s for k, s in zip(z.span, z.stride, strict=True))
    if kind < 0.35 or (kind < 0.65 and not all(room)):
        pads = [*up_to(rng, z.span), *up_to(rng, z.span)]
        options["pads"] = pads
    elif kind < 0.65:
        options["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        maybe(rng, options, "auto_pad", str(rng.choice(["SAME_UPPER", "SAME_LOWER"])))
        options["output_shape"] = [
            max((n - 1) * s + span - one(rng, min(s - 1, 1) * -1, span), 1)
            for n, s, span in zip(z.small, z.stride, z.span, strict=True)
        ]
        if rng.random() < 0.2:
            options["output_shape"][:0] = [z.batch, z.channels_out]
    return Drawn("onnx.ConvTranspose", arrays, options)


def tinygrad(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    arrays = {
        "x": array(rng, z.batch, z.channels_in, *z.small),
        "weight": array(rng, z.channels_in, z.channels_out // z.groups, *z.taps),
    }
    bias(rng, arrays, "bias", z.channels_out)
    options: dict[str, Any] = {
        "groups": z.groups,
        "stride": scalar_or(rng, z.stride),
        "dilation": scalar_or(rng, z.dilation),
    }
    pads = up_to(rng, z.span)
    if rng.random() < 0.5:
        options["padding"] = [max(p + one(rng, -1, 1), 0) for p in pads for _ in "lr"]
    else:
        options["padding"] = scalar_or(rng, pads)
    maybe(rng, options, "output_padding", scalar_or(rng, several(rng, z.rank, 0, 3)))
    return Drawn("tinygrad.conv_transpose2d", arrays, options)


def mlx(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    if z.rank == 3:  # mlx has groups in one and two dimensions only
        z.groups = 1
    # Beyond the kernel, mlx crops the input before it is spread: a deviation.
    pads = tuple(
        p if s == 1 else min(p, span - 1)
        for p, s, span in zip(up_to(rng, z.span), z.stride, z.span, strict=True)
    )
    arrays = {
        "input": array(rng, z.batch, *z.small, z.channels_in),
        "weight": array(rng, z.channels_out, *z.taps, z.channels_in // z.groups),
    }
    options: dict[str, Any] = {
        "stride": _mlx_ints(rng, z.stride),
        "padding": _mlx_ints(rng, pads),
        "dilation": _mlx_ints(rng, z.dilation),
        "groups": z.groups,
    }
    extra = several(rng, z.rank, 0, 3)
    maybe(rng, options, "output_padding", _mlx_ints(rng, extra))
    return Drawn(f"mlx.conv_transpose{z.rank}d", arrays, options)


def _mlx_ints(rng: Generator, values: tuple[int, ...]) -> int | list[int]:
    return values[0] if len(values) == 1 else scalar_or(rng, values)


def from_row(name: str) -> Callable[[Generator], Drawn]:
    """Draw calls of a framework that has no draws of its own: random crops, written."""

    def draw(rng: Generator) -> Drawn:
        row = FRAMEWORKS[name]
        z = sizes(rng, groups=bool(row.groups), dilation=bool(row.dilation))
        pads = tuple((p, one(rng, 0, p)) for p in up_to(rng, z.span))
        ours = {"stride": z.stride, "padding": pads, "dilation": z.dilation}
        try:
            options = convert(
                ours | {"groups": z.groups},
                "mtconv",
                name,
                kernel_size=z.taps,
                input_size=z.small,
            )
        except GeometryError:
            return draw(rng)
        x = array(rng, 1, z.channels_in, *z.small)
        kernel = array(rng, z.channels_in, z.channels_out // z.groups, *z.taps)
        kernel = convert_kernel(kernel, "mtconv", name, z.groups)
        return drawn(name, x, kernel, options)

    return draw


OWN: dict[str, Callable[[Generator], Drawn]] = {
    "torch": torch,
    "jax": jax,
    "flax": flax,
    "haiku": haiku,
    "equinox": equinox,
    "keras": keras,
    "tensorflow": tensorflow,
    "onnx": onnx,
    "tinygrad": tinygrad,
    "mlx": mlx,
    "paddle": paddle,
}

# One for every file of the registry.
FILES = {name: FRAMEWORKS[name].file.__name__.rpartition(".")[2] for name in CALLS}
DRAWS = {file: from_row(name) for name, file in FILES.items()} | OWN
