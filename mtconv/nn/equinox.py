"""A transposed convolution for `equinox` with torch's semantics and weight layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox
import jax

from mtconv.nn._torch import TorchOptions

__all__ = ["ConvTranspose"]

Ints = int | Sequence[int]


class ConvTranspose(equinox.Module):  # type: ignore[misc]
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
    key : jax.Array
        Randomness for the initial values, which are distributed as torch's.

    Attributes
    ----------
    weight : jax.Array, shape (in_channels, out_channels / groups, *kernel_size)
        torch's parameter ``weight``, unchanged.
    bias : jax.Array, shape (out_channels,), or None
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
    >>> layer = ConvTranspose(1, 1, (3,), stride=2, padding=1, key=jax.random.key(0))
    >>> values = jax.numpy.array([[[1.0, 10, 100]]]), jax.numpy.array([1000.0])
    >>> layer = equinox.tree_at(lambda each: (each.weight, each.bias), layer, values)
    >>> layer(jax.numpy.array([[1, 2]])).tolist()
    [[1010.0, 1102.0, 1020.0]]
    """

    options: TorchOptions = equinox.field(static=True)
    weight: jax.Array
    bias: jax.Array | None

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
        key: jax.Array,
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
        bound = self.options.bound
        for_weight, for_bias = jax.random.split(key)
        self.weight = jax.random.uniform(
            for_weight, self.options.weight_shape, dtype, -bound, bound
        )
        self.bias = (
            jax.random.uniform(for_bias, (out_channels,), dtype, -bound, bound)
            if bias
            else None
        )

    def __call__(
        self,
        x: jax.Array,
        output_size: Sequence[int] | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Apply the layer to x of shape (C, *space) or (N, C, *space).

        ``output_size`` settles the size of the result instead of ``output_padding``;
        ``key`` is ignored, for `equinox.nn.Sequential`.
        """
        del key
        return self.options(x, self.weight, self.bias, output_size)
