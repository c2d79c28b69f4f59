"""`flax.nnx.ConvTranspose` and `flax.linen.ConvTranspose`: jax's call with a bias.

Words and pairs are those of `mtconv.compat.jax` without ``use_consistent_padding``: an
integer ``p`` is the pair ``(p, p)``, which pads the input and so means the opposite of
torch's. "CIRCULAR" wraps a result of ``n*strides`` elements round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from mtconv.compat import jax as lax
from mtconv.conventions.arguments import Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_last
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import reshape

__all__ = ["conv_transpose"]

ARRAYS = ("inputs", "kernel", "bias")
KERNEL = lax.KERNEL
_FUNCTION = "flax.ConvTranspose"
LINK = "https://flax.readthedocs.io/en/latest/api_reference/flax.nnx/nn/linear.html"


@documented("flax", LINK)
def conv_transpose(
    inputs: Any,
    kernel: Any,
    bias: Any = None,
    strides: Ints | None = None,
    padding: str | int | Sequence[int] | Sequence[tuple[int, int]] = "SAME",
    kernel_dilation: Ints | None = 1,
    transpose_kernel: bool = False,
    *,
    precision: Any = None,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Do what flax's `ConvTranspose` does, on arrays of any library.

    Parameters
    ----------
    inputs : array, shape (*batch, *space, C_in)
        The input, with any number of batch axes.
    kernel : array, shape (*k, C_in, C_out), or (*k, C_out, C_in) if transposed
        The parameter ``kernel``.
    bias : array, shape (C_out,), optional
        The parameter ``bias``.
    strides : int or sequence of int, optional
        As in flax.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        What the spread input is padded by, or "SAME", "VALID" or "CIRCULAR".
    kernel_dilation : int or sequence of int, optional
        As in flax.
    transpose_kernel : bool
        Whether the kernel is (*k, C_out, C_in) and not flipped.

    Returns
    -------
    array
        Shape (*batch, *size, C_out).

    Examples
    --------
    >>> conv_transpose([[1], [2]], [[[1]], [[10]]], strides=2)[:, 0]
    array([10,  1, 20,  2])
    """
    return _run(locals())


def _run(arguments: dict[str, Any]) -> Any:
    transposed = Arguments(_FUNCTION, arguments, (), ()).flag("transpose_kernel")
    rule = lax.KERNEL_TRANSPOSED if transposed else lax.KERNEL
    call = FrameworkCall(_FUNCTION, rule, ARRAYS, arguments)
    batch = tuple(call.x.shape[: call.x.ndim - call.rank - 1])
    if call.x.ndim <= call.rank:
        call.refuse_dimensions(f"at least {call.rank + 1} dimensions (*space, C_in)")
    if len(batch) > 1:
        call.x = reshape(call.x, (prod(batch), *call.x.shape[len(batch) :]))
    call.arrange(channels_last(call.rank, batched=bool(batch)))
    result = call.transposed(read)
    return reshape(result, (*batch, *result.shape[1:])) if len(batch) > 1 else result


def read(call: Arguments) -> Geometry:
    """Read flax's options as jax's, but for what jax does not have."""
    stride = call.ints("strides", least=1, default=1)
    dilation = call.ints("kernel_dilation", least=1, default=1)
    if isinstance(call["padding"], str) and call["padding"] == "CIRCULAR":
        extra = call.flag("transpose_kernel")
        lows = [
            (max(span - s, 0) + extra) // 2
            for span, s in zip(call.spans(dilation), stride, strict=True)
        ]
        bigs = (n * s for n, s in zip(call.small, stride, strict=True))
        sizes = zip(lows, bigs, strict=True)
        return call.sized(stride, dilation, sizes, padding_mode="circular")
    padding = call["padding"]
    if not isinstance(padding, str):
        padding = call.ends("padding")
    options = {"strides": stride, "padding": padding, "rhs_dilation": dilation}
    options["use_consistent_padding"] = False
    return lax.read(Arguments(call.function, options, call.small, call.taps))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in flax's options."""
    options = {
        "strides": geometry.per_axis("stride"),
        "kernel_dilation": geometry.per_axis("dilation"),
    }
    if geometry.padding_mode == "circular":
        yield options | {"padding": "CIRCULAR"}
        return
    for pairs in lax.write(geometry):
        yield options | {"padding": pairs["padding"]}


SIZES = size_rules("""
    `"SAME"` | max(K - s, 0) // 2 | n*s | padding="SAME"
    `"VALID"` | 0 | (n-1)*s + max(K, s) | padding="VALID"
    pairs `(a, b)` | K - 1 - a | (n-1)*s + a + b - K + 2 | padding=((a, b),)
    `p` | K - 1 - p | (n-1)*s + 2*p - K + 2 | padding=p
    `"CIRCULAR"`, wraps round | max(K - s, 0) // 2 | n*s
    | padding="CIRCULAR", transpose_kernel=False
    the same, kernel transposed | (max(K - s, 0) + 1) // 2 | n*s
    | padding="CIRCULAR", transpose_kernel=True
""")
DRAWS = draw_rules(
    "strides: stride, padding: VALID/SAME, kernel_dilation: dilation, "
    "transpose_kernel: False/True",
)
LIMIT = "its CIRCULAR splits the overlap in another way"
