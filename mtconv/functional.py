"""The three maps and their shapes: the functions that users call.

Each function takes the same steps: options are frozen, shapes become a spec, the spec
becomes a plan (both cached), and the backend of the arrays executes the plan.
"""

from __future__ import annotations

from typing import Any, SupportsIndex

from mtconv.backends import dispatch
from mtconv.importing import refuse_at_shutdown
from mtconv.planning.plan import asked_size, plan_for, plan_for_spec, plan_traced
from mtconv.problem.options import (
    ALGORITHMS,
    IntOrInts,
    Options,
    Padding,
    check_word,
    freeze,
    freeze_sizes,
)
from mtconv.sizes import traced
from mtconv.spec import ConvSpec

__all__ = ["apply_spec", "conv", "conv_transpose", "kernel_grad"]


def conv_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    output_padding: IntOrInts = 0,
    output_size: IntOrInts | None = None,
    dilation: IntOrInts = 1,
    groups: SupportsIndex = 1,
    padding_mode: str = "zeros",
    layout: str | None = None,
    kernel_layout: str | None = None,
    algorithm: str = "auto",
    backend: str | None = None,
    precision: Any = None,
) -> Any:
    """Apply the transposed convolution: each element of x adds a scaled copy of the kernel.

    ``y[b, o] = bias[b] + sum x[s, i] * kernel[s, b, j]`` over all channels ``s`` of the
    group and all taps with ``o = stride*i + dilation*j - lo``. It is the exact adjoint
    of `conv` with the same kernel array and options.

    Parameters
    ----------
    x : array, shape (N, C_in, *n) or (C_in, *n), or (*n,) with a kernel without channels
        The input. An array of NumPy, JAX, torch, CuPy, Dask or another library of the Array
        API standard, or nested sequences of numbers.
    kernel : array, shape (C_in, C_out / groups, *k), or (*k,) of one or two axes
        The kernel; its array library is that of x.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride : int or sequence of int
        Step in the result from one element of x to the next.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        Padding of the convolution, so this function crops by it; negative values extend
        with zeros. "valid" is 0. "same" makes the result ``stride`` times as large as x;
        "same_lower" does so with the odd element of padding first.
    output_padding : int or sequence of int
        Number of additional elements at the high end, less than the stride.
    output_size : int or sequence of int, optional
        Spatial size of the result, instead of `output_padding`.
    dilation : int or sequence of int
        Step in the result from one tap of the kernel to the next.
    groups : int
        Number of groups that the channels are divided into.
    padding_mode : str
        What the convolution reads in its padding: "zeros", "circular",
        "reflect", "replicate" or "symmetric". The amount may exceed the size of the array;
        the modes then go on as those of `numpy.pad` do.
    layout, kernel_layout : str, optional
        Order of the axes, for example "NHWC" and "HWIO"; "DHW" and "DHW" for a volume
        without channels and its kernel, "NHW" for a stack of images without channels.
    algorithm : str
        "auto", "exact" (exact on integer-valued arrays), or an algorithm by name. Inside
        `torch.autocast`, "auto" rounds float32 tensors as `torch.nn.functional` does;
        "exact" and its gradients are not affected.
    backend : str, optional
        Backend for neutral arrays (NumPy's, and sequences): "numpy", "jax" or "sparse".
    precision : optional
        Precision of matrix products on JAX, as `jax.lax.dot_general` takes it; other
        backends always compute in full precision.

    Returns
    -------
    array
        Shape (N, C_out, *size) in the layout of x, ``size = stride*(n - 1) +
        dilation*(k - 1) + 1 - lo - hi + output_padding``, dtype by the library's own
        promotion of x, kernel and bias. float16 and bfloat16 accumulate in float32. JAX
        without `jax_enable_x64` converts float64 to float32, and refuses integers that do
        not fit 32 bits.

    Raises
    ------
    GeometryError
        If shapes or options do not fit; the message says which, and how to fix it.
    BackendError
        If arrays of two libraries are mixed or a dtype is not supported.

    See Also
    --------
    conv : the adjoint.
    kernel_grad : the derivative with respect to the kernel.
    conv_transpose_shape : the shape of the result, without computing it.

    Notes
    -----
    Costs ``N * C_in * C_out / groups * prod(n) * prod(k)`` multiply-adds; the NumPy
    backend needs a workspace of at most 64 MiB per thread.

    On NumPy, `auto` takes the FFT for large kernels. In float64 and complex128 the error of
    an element is then below ``2**-44`` times the product of the Euclidean norms of x and
    kernel, for each padded element that folds onto it; whole numbers below 2**53
    stay exact, and everything else is as accurate as direct sums.

    References
    ----------
    .. [1] V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep
       learning", 2016, chapter 4.

    Examples
    --------
    >>> conv_transpose([[0, 1], [2, 3]], [[0, 1], [2, 3]])
    array([[ 0,  0,  1],
           [ 0,  4,  6],
           [ 4, 12,  9]])
    >>> conv_transpose([1, 2], [1, 10, 100], stride=2)
    array([  1,  10, 102,  20, 200])
    """
    options = freeze(
        "conv_transpose",
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        output_size=output_size,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        layout=layout,
        kernel_layout=kernel_layout,
    )
    return _apply("conv_transpose", x, kernel, bias, options, algorithm, backend, precision)


def conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: SupportsIndex = 1,
    padding_mode: str = "zeros",
    layout: str | None = None,
    kernel_layout: str | None = None,
    algorithm: str = "auto",
    backend: str | None = None,
    precision: Any = None,
) -> Any:
    """Apply the convolution (a correlation), the adjoint of `conv_transpose`.

    ``y[s, i] = bias[s] + sum x[b, o] * kernel[s, b, j]`` over all channels ``b`` of the
    group and all taps with ``o = stride*i + dilation*j - lo``.

    Parameters
    ----------
    x : array, shape (N, C_in, *size) or (C_in, *size), or (*size,)
        The input, on the big side of the relation.
    kernel : array, shape (C_out, C_in / groups, *k), or (*k,) of one or two axes
        The kernel; `conv_transpose` takes the same array.
    bias : array, shape (C_out,), optional
        Added to every element of a channel.
    stride : int or sequence of int
        As in `conv_transpose`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `conv_transpose`.
    dilation : int or sequence of int
        As in `conv_transpose`.
    groups : int
        As in `conv_transpose`.
    padding_mode : str
        As in `conv_transpose`.
    layout, kernel_layout : str, optional
        As in `conv_transpose`.
    algorithm : str
        As in `conv_transpose`.
    backend : str, optional
        As in `conv_transpose`.
    precision : optional
        As in `conv_transpose`.

    Returns
    -------
    array
        Shape (N, C_out, *n) in the layout of x, ``n = floor((size + lo + hi -
        dilation*(k - 1) - 1) / stride) + 1``, dtype by the library's promotion.

    Raises
    ------
    GeometryError, BackendError
        As in `conv_transpose`; also if the kernel spans more than the padded input.

    Notes
    -----
    Costs as many multiply-adds as its adjoint.

    On NumPy, `auto` takes the FFT for large kernels. In float64 and complex128 the error of
    an element is then below ``2**-44`` times the product of the Euclidean norms of the
    padded arrays; whole numbers below 2**53 stay exact, and everything else is as accurate
    as direct sums.

    Examples
    --------
    >>> conv([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    array([[19, 25],
           [37, 43]])
    """
    options = freeze(
        "conv",
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        layout=layout,
        kernel_layout=kernel_layout,
    )
    return _apply("conv", x, kernel, bias, options, algorithm, backend, precision)


def kernel_grad(
    x: Any,
    y: Any,
    *,
    kernel_size: IntOrInts,
    stride: IntOrInts = 1,
    padding: Padding = 0,
    dilation: IntOrInts = 1,
    groups: SupportsIndex = 1,
    padding_mode: str = "zeros",
    layout: str | None = None,
    kernel_layout: str | None = None,
    algorithm: str = "auto",
    backend: str | None = None,
    precision: Any = None,
) -> Any:
    """Differentiate ``<conv_transpose(x, w), y>`` with respect to the kernel w.

    ``dw[s, b, j] = sum x[s, i] * y[b, o]`` over the batch and all taps with
    ``o = stride*i + dilation*j - lo``, without conjugation. It is the kernel gradient
    of `conv_transpose` for input x and cotangent y, and that of `conv` for input y and
    cotangent x. The size of y determines the geometry.

    Parameters
    ----------
    x : array, shape (N, C_in, *n) or (C_in, *n), or (*n,)
        The array of the small side: the input of `conv_transpose`.
    y : array, shape (N, C_out, *size) or (C_out, *size), or (*size,)
        The array of the big side: a cotangent of the result of `conv_transpose`.
    kernel_size : int or tuple of int
        Number of taps; an int if x has batch and channels, otherwise a tuple.
    stride : int or sequence of int
        As in `conv_transpose`.
    padding : int, sequence of int, sequence of (lo, hi) pairs, or str
        As in `conv_transpose`.
    dilation : int or sequence of int
        As in `conv_transpose`.
    groups : int
        As in `conv_transpose`.
    padding_mode : str
        As in `conv_transpose`.
    layout, kernel_layout : str, optional
        As in `conv_transpose`; the kernel layout is that of the result, I being the
        channels of x.
    algorithm : str
        As in `conv_transpose`.
    backend : str, optional
        As in `conv_transpose`.
    precision : optional
        As in `conv_transpose`.

    Returns
    -------
    array
        Shape (C_in, C_out / groups, *kernel_size), dtype by the library's promotion.

    Raises
    ------
    GeometryError, BackendError
        As in `conv_transpose`; also if a convolution of y does not have the size of x.

    Notes
    -----
    Costs as many multiply-adds as the other two maps.

    On NumPy, `auto` takes the FFT for large kernels; its errors are bounded as in `conv`.

    Examples
    --------
    >>> kernel_grad([1, 10], [1, 2, 3, 4], kernel_size=(2,), stride=2)
    array([31, 42])
    """
    options = freeze(
        "kernel_grad",
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        layout=layout,
        kernel_layout=kernel_layout,
    )
    size = freeze_sizes("kernel_grad", "kernel_size", kernel_size)
    return _apply("kernel_grad", x, y, None, options, algorithm, backend, precision, size)


def apply_spec(
    form: str,
    spec: ConvSpec,
    first: Any,
    second: Any,
    bias: Any = None,
    *,
    algorithm: str = "auto",
    backend: str | None = None,
    precision: Any = None,
) -> Any:
    """Apply one of the maps of a spec made before; ``second`` is y for "kernel_grad"."""
    return _apply(form, first, second, bias, spec, algorithm, backend, precision)


def _apply(
    form: str,
    first: Any,
    second: Any,
    bias: Any,
    geometry: Options | ConvSpec,
    algorithm: str,
    backend: str | None,
    precision: Any,
    kernel_size: int | tuple[int, ...] | None = None,
) -> Any:
    """Find the backend of the arrays and the plan of their shapes, and execute."""
    if type(algorithm) is not str or algorithm != "auto":  # before it keys a cache
        algorithm = check_word(form, "algorithm", algorithm, ALGORITHMS)
    symbolic, shared, name = False, False, "numpy"
    dtype = dispatch.plain_dtype(first, second, bias, backend)
    try:
        if dtype is not None:
            name = backend or dispatch.neutral_backend(dtype)
            run = dispatch.load(name).run
        elif (eager := dispatch.eager_call(first, second, bias, backend)) is not None:
            name, (dtype, run, shared) = "torch", eager
        else:
            argument = "y" if form == "kernel_grad" else "kernel"
            operands = {"x": first, argument: second, "bias": bias}
            engine = dispatch.backend_for(form, backend, **operands)
            name, run = engine.NAME, engine.run
            first = engine.asarray(form, "x", first)
            second = engine.asarray(form, argument, second)
            bias = None if bias is None else engine.asarray(form, "bias", bias)
            dtype = engine.result_dtype(first, second, bias)
            symbolic = traced(first.shape, second.shape, asked_size(geometry))
        shape, other = first.shape, second.shape  # unpacking tuples would take longer
        bias_size = None if bias is None else bias.shape
        if symbolic:
            traits = (dtype, algorithm, name, bias_size, kernel_size)
            plan = plan_traced(form, (shape, other), geometry, *traits)
        elif isinstance(geometry, ConvSpec):
            choice = (dtype, algorithm, name, bias_size, shared)
            plan = plan_for_spec(form, geometry, shape, other, *choice)
        else:
            call = (dtype, algorithm, name, bias_size, kernel_size, shared)
            plan = plan_for(form, shape, other, geometry, *call)
        return run(plan, first, second, bias, precision)
    except ImportError:
        refuse_at_shutdown(f"What the {name} backend of mtconv needs")
        raise
