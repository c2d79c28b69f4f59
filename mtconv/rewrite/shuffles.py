"""One convolution of stride 1 and a shuffle of channels to space, and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mtconv.backends._array_api.library import Library
from mtconv.backends.dispatch import backend_for
from mtconv.backends.libraries import library_of
from mtconv.errors import GeometryError, message
from mtconv.functional import conv
from mtconv.problem.options import IntOrInts, Padding, check_word, freeze
from mtconv.rewrite.frame import Rewritten, checked_arrays, filled, shuffled
from mtconv.rewrite.sub_pixel import SubPixel, sub_pixel
from mtconv.rewrite.taps import dense_axis, placed_kernel
from mtconv.spec import ConvSpec

__all__ = [
    "ConvAndShuffle",
    "TransposedForm",
    "as_conv_and_shuffle",
    "from_conv_and_shuffle",
]


@dataclass(frozen=True, eq=False)
class ConvAndShuffle(Rewritten):
    """A convolution of stride 1, a shuffle of channels to space, and a crop.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution that it equals.
    kernel : array, shape (C_out * prod(block), C_in / groups, *k)
        The kernel of the convolution, as `mtconv.conv` takes it without layouts.
    bias : array, shape (C_out * prod(block),), or None
        Its bias.
    padding : tuple of (int, int)
        Its padding; negative values crop its input.
    dilation : tuple of int
        Its dilation.
    groups : int
        Its groups.
    block : tuple of int
        Phases along each axis. Channel ``c * prod(block) + phase`` of the convolution is
        the phase, in C order, of channel c of the result.
    crop : tuple of int
        Elements to drop at the high end of each axis after the shuffle.
    """

    kernel: Any
    bias: Any
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    block: tuple[int, ...]
    crop: tuple[int, ...]

    def _kernel(self) -> Any:
        return self.kernel

    def _apply(self, functions: Library, x: Any) -> Any:
        y = conv(
            x,
            self.kernel,
            self.bias,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return shuffled(functions, y, self.spec)


def as_conv_and_shuffle(spec: ConvSpec, kernel: Any, bias: Any = None) -> ConvAndShuffle:
    """Rewrite a transposed convolution as a convolution and a shuffle.

    Parameters
    ----------
    spec : ConvSpec
        The transposed convolution, with zeros as padding.
    kernel : array
        Its kernel, as ``spec.conv_transpose`` takes it.
    bias : array, shape (C_out,), optional
        Its bias.

    Returns
    -------
    ConvAndShuffle
        The arrays and options of the convolution, the block and the crop. Calling it
        applies it.

    Raises
    ------
    GeometryError, BackendError
        If kernel or bias do not fit the spec.

    Notes
    -----
    The kernel of the convolution has a channel for each output phase and taps for all
    offsets between input and output. Those that no tap of the original fills are zero, so
    the convolution costs as much as the original where the stride divides the kernel size,
    and more elsewhere. Zeros of the kernel are multiplied: NaN and infinity in the input
    reach all phases, where `as_phases` keeps them to what the kernel reaches.

    Examples
    --------
    >>> import mtconv
    >>> spec = mtconv.ConvSpec.from_shapes((1, 1, 3), (1, 1, 4), stride=2, padding=1)
    >>> form = as_conv_and_shuffle(spec, [[[1, 10, 100, 1000]]])
    >>> form.kernel
    array([[[1000,   10,    0]],
    <BLANKLINE>
           [[   0,  100,    1]]])
    >>> form.padding, form.block, form.crop
    (((1, 1),), (2,), (0,))
    >>> form([[[1, 2, 3]]])
    array([[[  10,  102, 1020,  203, 2030,  300]]])
    """
    kernel, bias, functions = checked_arrays("as_conv_and_shuffle", spec, kernel, bias)
    axes = tuple(map(dense_axis, spec.axes))
    block = tuple(axis.stride for axis in spec.axes)
    if bias is not None:
        bias = functions.take(bias, _repeated(functions, bias, prod(block)), 0)
    return ConvAndShuffle(
        spec,
        filled(functions, kernel, placed_kernel(spec, axes, block)),
        bias,
        tuple(axis.padding for axis in axes),
        tuple(axis.dilation for axis in axes),
        spec.groups,
        block,
        tuple(axis.crop for axis in axes),
    )


def _repeated(functions: Library, bias: Any, times: int) -> Any:
    """Return the numbers of the channels, each so many times."""
    return functions.native(np.repeat(np.arange(bias.shape[0]), times), bias)


@dataclass(frozen=True, eq=False)
class TransposedForm:
    """A transposed convolution by the arguments of `mtconv.conv_transpose`.

    Parameters
    ----------
    kernel : array, shape (C_in, C_out / groups, *k)
        The kernel.
    bias : array, shape (C_out,), or None
        The bias.
    options : dict
        The options.
    """

    kernel: Any
    bias: Any
    options: dict[str, Any]


def from_conv_and_shuffle(
    kernel: Any,
    bias: Any = None,
    *,
    block: IntOrInts,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
    order: str = "CRD",
) -> TransposedForm:
    """Write a convolution of stride 1 and a shuffle as one transposed convolution.

    Parameters
    ----------
    kernel : array, shape (C_out * prod(block), C_in / groups, *k)
        The kernel of the convolution.
    bias : array, shape (C_out * prod(block),), optional
        Its bias, which must be the same for all phases of a channel.
    block : int or sequence of int
        Phases along each axis.
    padding : int, sequence of int, or sequence of (lo, hi) pairs
        Padding of the convolution.
    dilation : int or sequence of int
        Dilation of the convolution.
    groups : int
        Groups of the convolution.
    order : str
        Which channel is which phase, in the words of ONNX: "CRD", channels first, as
        `torch.nn.PixelShuffle` has it, or "DCR", phases first, as
        `tf.nn.depth_to_space` has it.

    Returns
    -------
    TransposedForm
        ``conv_transpose(x, form.kernel, form.bias, **form.options)`` is the shuffled
        result of the convolution.

    Raises
    ------
    GeometryError, BackendError
        If the channels are no multiple of the block, or no transposed convolution is the
        same.

    Examples
    --------
    >>> form = from_conv_and_shuffle([[[1, 10]], [[100, 1000]]], block=2)
    >>> form.kernel
    array([[[  10, 1000,    1,  100]]])
    >>> form.options
    {'stride': (2,), 'padding': ((2, 2),), 'groups': 1}
    """
    function = "from_conv_and_shuffle"
    order = check_word(function, "order", order, ("CRD", "DCR"))
    options = freeze(function, padding=padding, dilation=dilation, groups=groups)
    engine = backend_for(function, None, kernel=kernel, bias=bias)
    kernel = engine.asarray(function, "kernel", kernel)
    functions = library_of(engine, kernel)
    sub = sub_pixel(function, tuple(kernel.shape), block, options, order)
    if bias is not None:
        bias = engine.asarray(function, "bias", bias)
        _check_bias(function, bias, functions, sub)
        bias = functions.take(bias, functions.native(sub.channels[:, 0], bias), 0)
    return TransposedForm(filled(functions, kernel, sub.table), bias, sub.options)


def _check_bias(function: str, bias: Any, functions: Library, sub: SubPixel) -> None:
    """Check that the phases of each channel have the same bias."""
    if tuple(bias.shape) == (sub.channels.size,):
        values = functions.to_numpy(bias)[sub.channels]
        if (values == values[:, :1]).all():
            return
        got = "biases that differ from phase to phase"
    else:
        got = f"shape {tuple(bias.shape)}"
    rule = f"must have shape ({sub.channels.size},), the same for all phases of a channel"
    fix = "Add other biases after the shuffle."
    raise GeometryError(message(function, "bias", rule, got, fix=fix))
