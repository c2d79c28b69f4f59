"""`jax.lax.conv_transpose`: any axis order, the kernel flipped unless told otherwise.

The kernel is ``(*k, C_in, C_out)`` and flipped; with ``transpose_kernel=True`` it is
``(*k, C_out, C_in)`` and not flipped. Pairs pad the spread input, so that they enlarge the
result. Any word but "SAME" and "VALID" is handed on to the plain convolution, so with
strides of 1 it means that convolution's padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mtconv.conventions.arguments import Arguments, Geometry, Pairs
from mtconv.conventions.call import FrameworkCall, channels_last
from mtconv.conventions.documented import documented
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule
from mtconv.errors import GeometryError, message, shown

__all__ = ["conv_transpose"]

ARRAYS = ("lhs", "rhs")
KERNEL = KernelRule("*IO", flip=True)
KERNEL_TRANSPOSED = KernelRule("*OI")

_FUNCTION = "jax.lax.conv_transpose"
LINK = "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html"


@documented("jax", LINK)
def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `jax.lax.conv_transpose` on arrays of any library.

    Parameters
    ----------
    lhs : array, shape (N, *space, C_in)
        The input.
    rhs : array, shape (*k, C_in, C_out), or (*k, C_out, C_in) if transposed
        The kernel.
    strides : sequence of int
        As in jax.
    padding : str or sequence of (lo, hi) pairs
        "SAME", "VALID", or what the spread input is padded by.
    rhs_dilation : sequence of int, optional
        As in jax.
    dimension_numbers : tuple of three str, or of three sequences of int, optional
        Orders of the axes of `lhs`, of `rhs` and of the result.
    transpose_kernel : bool
        Whether the kernel is not flipped, and its channels are the other way round.
    precision : optional
        As in `@`.
    preferred_element_type : dtype, optional
        What input and kernel are converted to first.
    use_consistent_padding : bool
        Whether pairs are what the result is cropped by.

    Returns
    -------
    array
        Shape (N, *size, C_out), or in the order that `dimension_numbers` says.

    Examples
    --------
    The kernel is flipped: the last tap meets the first element.

    >>> conv_transpose([[[1], [2]]], [[[1]], [[10]], [[100]]], (2,), "VALID")[0, :, 0]
    array([100,  10, 201,  20,   2])
    """
    return _run(locals())


def _run(arguments: dict[str, Any]) -> Any:
    options = Arguments(_FUNCTION, arguments, (), ())
    rule = KERNEL_TRANSPOSED if options.flag("transpose_kernel") else KERNEL
    numbers = arguments["dimension_numbers"]
    lhs_spec, kernel_order, out_spec = _orders(numbers)
    call = FrameworkCall(_FUNCTION, rule, ("lhs", "rhs"), arguments, order=kernel_order)
    if numbers is None:
        if call.rank > 3:
            rule_text = "must be given for more than three spatial axes"
            options.refuse("dimension_numbers", rule_text, None)
        lhs_spec = out_spec = channels_last(call.rank)
    call.arrange(lhs_spec, out_spec)
    if arguments["preferred_element_type"] is not None:
        call.convert("preferred_element_type", arguments["preferred_element_type"])
    return call.transposed(read)


def read(call: Arguments) -> Geometry:
    """Read jax's options; whether the kernel is transposed is a matter of it alone."""
    consistent = call.flag("use_consistent_padding")
    stride = call.ints("strides", least=1)
    dilation = call.ints("rhs_dilation", least=1, default=1)
    spans = call.spans(dilation)
    if isinstance(call["padding"], str):
        return call.cropped(stride, dilation, _words(call, spans, stride, consistent))
    crops = call.pairs("padding")
    if not consistent:
        rows = zip(spans, crops, strict=True)
        crops = tuple((span - 1 - a, span - 1 - b) for span, (a, b) in rows)
    return call.cropped(stride, dilation, crops)


def _words(
    call: Arguments, spans: tuple[int, ...], strides: tuple[int, ...], consistent: bool
) -> Pairs:
    """Return what the words crop, those of the plain convolution included."""
    padding = call["padding"]
    if padding in ("SAME", "VALID"):
        return tuple(
            word_crops(padding, span - step)
            for span, step in zip(spans, strides, strict=True)
        )
    if consistent or any(step != 1 for step in strides):
        call.word("padding", ("SAME", "VALID"))
    kind = call.word("padding", ("SAME", "VALID", "SAME_LOWER"), padding.upper())
    if kind == "VALID":
        return tuple((span - 1, span - 1) for span in spans)
    # The plain convolution pads (span-1)//2 before and span//2 after, or the other way.
    ends = ((span // 2, (span - 1) // 2) for span in spans)
    return tuple((hi, lo) if kind == "SAME_LOWER" else (lo, hi) for lo, hi in ends)


def word_crops(word: str, excess: int) -> tuple[int, int]:
    """Return the crops of "SAME" or "VALID"; ``excess`` is ``K - stride``."""
    lo = max(excess, 0) // 2 if word == "SAME" else 0
    return lo, (excess if word == "SAME" else min(excess, 0)) - lo


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in jax's options."""
    yield {
        "strides": geometry.per_axis("stride"),
        "padding": tuple((a.extent - 1 - a.lo, a.extent - 1 - a.hi) for a in geometry.axes),
        "rhs_dilation": geometry.per_axis("dilation"),
    }


def _orders(
    dimension_numbers: Any,
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...]]:
    """Return the orders of lhs, of rhs as the rule wants it, and of the result."""
    if dimension_numbers is None:
        return (), None, ()
    if not isinstance(dimension_numbers, (tuple, list)) or len(dimension_numbers) != 3:
        rule = "must be three strings for lhs, rhs and the result, or None"
        got = shown(dimension_numbers)
        raise GeometryError(message(_FUNCTION, "dimension_numbers", rule, got))
    if not isinstance(dimension_numbers[0], str):  # a ConvDimensionNumbers
        lhs, rhs, out = (tuple(spec) for spec in dimension_numbers)
    else:
        data, kernel, result = dimension_numbers
        rhs = _permutation("rhs", kernel, "OI", kernel)
        lhs = _permutation("lhs", data, "NC", kernel)
        out = _permutation("out", result, "NC", kernel)
    return lhs, (*rhs[2:], rhs[1], rhs[0]), out


def _permutation(name: str, spec: str, channels: str, kernel: str) -> tuple[int, ...]:
    """Positions of the two channel letters and of the spatial ones, in rhs's order."""
    space = [letter for letter in kernel if letter not in "OI"]
    if sorted(spec) != sorted([*channels, *space]):
        msg = message(
            _FUNCTION,
            "dimension_numbers",
            f"must name {channels} and the spatial axes of rhs in its {name} part",
            repr(spec),
        )
        raise GeometryError(msg)
    return tuple(spec.index(letter) for letter in (*channels, *space))


SIZES = size_rules("""
    `"SAME"` | max(K - s, 0) // 2 | n*s | padding="SAME"
    `"VALID"` | 0 | (n-1)*s + max(K, s) | padding="VALID"
    pairs `(a, b)` | K - 1 - a | (n-1)*s + a + b - K + 2 | padding=((a, b),)
    pairs, `use_consistent_padding` | a | (n-1)*s + K - a - b
    | padding=((a, b),), use_consistent_padding=True
""")
DRAWS = draw_rules(
    "strides: stride, padding: VALID/SAME, rhs_dilation: dilation, "
    "transpose_kernel: False/True",
)
LIMIT = "its pairs say every crop"
