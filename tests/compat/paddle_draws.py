"""Random calls of Paddle, whose paddings have six forms.

Calls without an element of the result are not drawn: Paddle ends the process on some.
"""

from __future__ import annotations

from typing import Any

from mtconv.compat.registry import FRAMEWORKS
from mtconv.errors import GeometryError
from tests.compat.sizes import Drawn, Generator, array, bias, one, several, sizes


def paddle(rng: Generator) -> Drawn:
    z = sizes(rng, groups=True)
    last = bool(rng.integers(2))
    formats = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
    data = (*z.small, z.channels_in) if last else (z.channels_in, *z.small)
    options: dict[str, Any] = {
        "stride": list(z.stride),
        "dilation": list(z.dilation),
        "groups": z.groups,
        "data_format": formats[z.rank][last],
        "padding": padding(rng, z.rank, last),
    }
    kind = one(rng, 0, 3)
    if kind == 0:
        options["output_padding"] = [
            one(rng, 0, s - (one(rng, 0, 9) > 0)) for s in z.stride
        ]
    elif kind == 1:
        options["output_size"] = [
            max((n - 1) * s + span + one(rng, -4, 3), 1)
            for n, s, span in zip(z.small, z.stride, z.span, strict=True)
        ]
    arrays = {
        "x": array(rng, z.batch, *data),
        "weight": array(rng, z.channels_in, z.channels_out // z.groups, *z.taps),
    }
    try:
        geometry = FRAMEWORKS["paddle"].geometry("draw", options, z.small, z.taps)
    except GeometryError:
        return Drawn(f"paddle.conv{z.rank}d_transpose", arrays, options)
    if min(geometry.per_axis("big")) < 1:
        return paddle(rng)
    bias(rng, arrays, "bias", z.channels_out)
    return Drawn(f"paddle.conv{z.rank}d_transpose", arrays, options)


def padding(rng: Generator, rank: int, last: bool) -> Any:
    """Draw a word, a number, or numbers and pairs for some of the axes."""
    kind = one(rng, 0, 6)
    if kind < 3:
        return ("SAME", "same", "VALID")[kind]
    if kind == 3:
        return one(rng, 0, 2)
    if kind < 6:
        return list(several(rng, rank * (kind - 3), 0, 2))
    pairs = [list(several(rng, 2, 0, 2)) for _ in range(rank)]
    none = [[0, 0]]
    return none + pairs + none if last else none * 2 + pairs
