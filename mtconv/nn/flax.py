"""A transposed convolution for `flax.nnx` with torch's semantics and weight layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from inspect import signature
from typing import Any

import jax
from flax import nnx

from mtconv.nn._torch import TorchOptions

__all__ = ["ConvTranspose"]

Ints = int | Sequence[int]


class ConvTranspose(nnx.Module):  # type: ignore[misc]
    """Transposed convolution in any number of dimensions, as `torch.nn.ConvTranspose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of input and result.
    kernel_size : sequence of int
        One size per spatial axis.
    stride, padding, output_padding : int or sequence of int
        As in torch; an integer stands for every axis.
    groups : int
        Number of groups.
    bias : bool
        Whether there is one.
    dilation : int or sequence of int
        As in torch.
    dtype : dtype
        Of the parameters.
    rngs : flax.nnx.Rngs
        Randomness for the initial values, which are distributed as torch's.

    Attributes
    ----------
    weight : flax.nnx.Param, shape (in_channels, out_channels / groups, *kernel_size)
        torch's parameter ``weight``, unchanged.
    bias : flax.nnx.Param, shape (out_channels,), or None
        torch's parameter ``bias``.

    Raises
    ------
    GeometryError
        If the options do not fit one another; when called, if x does not fit.

    Notes
    -----
    Dtypes and costs of a call are those of `mtconv.conv_transpose`.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html

    Examples
    --------
    >>> layer = ConvTranspose(1, 1, (3,), stride=2, padding=1, rngs=nnx.Rngs(0))
    >>> layer.weight[...] = jax.numpy.array([[[1, 10, 100]]])
    >>> layer.bias[...] = jax.numpy.array([1000])
    >>> layer(jax.numpy.array([[[1, 2]]]))
    Array([[[1010., 1102., 1020.]]], dtype=float32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        *,
        dtype: Any = jax.numpy.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.options = TorchOptions.read(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            dilation,
        )
        self.weight = nnx.Param(self._draw(rngs, self.options.weight_shape, dtype))
        self.bias = nnx.Param(self._draw(rngs, (out_channels,), dtype)) if bias else None

    # The metaclass of nnx hides it from help() and from editors.
    __signature__ = signature(partial(__init__, object()))  # type: ignore[arg-type]

    def _draw(self, rngs: nnx.Rngs, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        bound = self.options.bound
        return jax.random.uniform(rngs.params(), shape, dtype, -bound, bound)

    def __call__(self, x: jax.Array, output_size: Sequence[int] | None = None) -> jax.Array:
        """Apply the layer to x of shape (N, C, *space) or (C, *space).

        ``output_size`` settles the size of the result instead of ``output_padding``.
        """
        bias = None if self.bias is None else self.bias[...]
        return self.options(x, self.weight[...], bias, output_size)
