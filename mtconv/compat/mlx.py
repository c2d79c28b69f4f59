"""`mlx.core.conv_transpose1d/2d/3d`: torch's geometry, channels last.

Kernels are ``(C_out, *k, C_in/groups)``, not flipped; ``output_padding`` has no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mtconv.conventions.arguments import ANY, Arguments, Geometry, Ints
from mtconv.conventions.call import FrameworkCall, channels_last
from mtconv.conventions.documented import documented, ranked
from mtconv.conventions.framework import Options, draw_rules, size_rules
from mtconv.conventions.kernel import KernelRule

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

ARRAYS = ("input", "weight")
KERNEL = KernelRule("O*I", divided="I")
LINK = "https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.conv_transpose{rank}d.html"


@documented("mlx", LINK)
def _conv_transpose(
    rank: int,
    input: Any,
    weight: Any,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    output_padding: Ints = 0,
    groups: int = 1,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
) -> Any:
    """Call `mlx.core.conv_transpose{rank}d` on arrays of any library.

    Parameters
    ----------
    input : array, shape (N, *space, C_in)
        The input.
    weight : array, shape (C_out, *k, C_in / groups)
        The kernel.
    stride, padding, dilation, output_padding, groups : int or sequence of int
        As in mlx.

    Returns
    -------
    array
        Shape (N, *size, C_out), each size
        ``(n-1)*stride - 2*padding + dilation*(k-1) + output_padding + 1``.

    Examples
    --------
    >>> conv_transpose1d([[[1], [2]]], [[[1], [10], [100]]], stride=2)[0, :, 0]
    array([  1,  10, 102,  20, 200])
    >>> x, weight = [[[[0], [1]], [[2], [3]]]], [[[[0], [1]], [[2], [3]]]]
    >>> conv_transpose2d(x, weight)[0, :, :, 0]
    array([[ 0,  0,  1],
           [ 0,  4,  6],
           [ 4, 12,  9]])
    >>> x, weight = [[[[[1], [2]]]]], [[[[[1]]], [[[3]]]]]
    >>> conv_transpose3d(x, weight)[0, :, 0, :, 0]
    array([[1, 2],
           [3, 6]])
    """
    call = FrameworkCall(f"mlx.conv_transpose{rank}d", KERNEL, ARRAYS, locals(), rank=rank)
    call.arrange(channels_last(rank))
    return call.transposed(read)


conv_transpose1d, conv_transpose2d, conv_transpose3d = ranked(
    "conv_transpose{}d", _conv_transpose
)


def read(call: Arguments) -> Geometry:
    """Read mlx's options."""
    call.no_words("padding", "mlx")
    stride, dilation = call.ints("stride", least=1), call.ints("dilation", least=1)
    padding = call.ints("padding", least=ANY)
    extra = call.ints("output_padding", least=0)
    crops = [(p, p - q) for p, q in zip(padding, extra, strict=True)]
    return call.cropped(stride, dilation, crops, call.count("groups"))


def write(geometry: Geometry) -> Iterator[Options]:
    """Write a geometry in mlx's options."""
    yield {
        "stride": geometry.per_axis("stride"),
        "padding": geometry.per_axis("lo"),
        "dilation": geometry.per_axis("dilation"),
        "output_padding": tuple(lo - hi for lo, hi in geometry.crops),
        "groups": geometry.groups,
    }


def refusals(geometry: Geometry) -> Iterator[tuple[str, str]]:
    """Yield what mlx computes wrongly or has not got."""
    if any(axis.stride > 1 and axis.lo >= axis.extent for axis in geometry.axes):
        yield "with a stride it is wrong where padding exceeds the kernel", ""
    if len(geometry.axes) == 3 and geometry.groups > 1:
        fix = "Convert and run one group at a time."
        yield "it has groups in one and two dimensions only", fix


SIZES = size_rules("""
    `padding=p` | p | (n-1)*s + K - 2*p + q | padding=p, output_padding=q
""")
DRAWS = draw_rules(
    "stride: stride, padding: crop within kernel, dilation: dilation, "
    "output_padding: extra",
)
LIMIT = "it crops `padding` at both ends, less output_padding"
