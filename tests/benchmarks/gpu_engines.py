"""Calls of JAX, torch and CuPy on one GPU, ready to be timed.

A call enqueues its work and returns the result; the engine's `wait` blocks until it is
there. Arrays come from the host in float32 or float64 and are cast on the device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import mtconv
from tests.benchmarks.harness import Layer

__all__ = ["WHATS", "Call", "Cupy", "Jax", "Torch"]

Pairs = Sequence[tuple[str, str]]

# One map each, or the forward pass and both gradients.
WHATS = ("forward", "dx", "dw", "grads")
COMPILERS = 8


class Call(NamedTuple):
    """Something to time: what enqueues it, what waits for it, and its compile time."""

    run: Callable[[], Any]
    wait: Callable[[Any], Any]
    host: Callable[[Any], Any]
    compile_s: float | None = None


class Jax:
    """mtconv on JAX and its forms, and `lax`."""

    FORMS = ("native", "polyphase", "gemm", "inserted")

    def __init__(self, smoke: bool) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax = jax
        self.device = jax.devices("cpu" if smoke else "gpu")[0]
        self.version = jax.__version__
        self.card = self.device.device_kind

    def calls(
        self,
        layer: Layer,
        host: Sequence[Any],
        mode: str,
        wanted: Pairs,
    ) -> dict[str, Call | Exception]:
        """Compile the wanted pairs of form and map; several programs at a time.

        Those of "grads" are compiled alone first, so that their compile times count.
        """
        jax, dtype = self.jax, _dtype(layer, mode)
        arrays = [jax.device_put(a, self.device).astype(dtype) for a in host]
        precision = {"float32": "highest", "tf32": "default"}.get(mode)

        def build(pair: tuple[str, str]) -> Call | Exception:
            form, what = pair
            guard = jax.default_matmul_precision(precision) if precision else nullcontext()
            try:
                start = time.perf_counter()
                with guard:
                    function = _by_map(self._function(layer, form), what)
                    program = jax.jit(function).lower(*arrays).compile()
                seconds = time.perf_counter() - start
            except Exception as error:  # a form that a platform cannot do is a result too
                return error
            return Call(
                partial(program, *arrays),
                jax.block_until_ready,
                _first(np.asarray),
                seconds,
            )

        alone = [pair for pair in wanted if pair[1] == "grads"]
        rest = [pair for pair in wanted if pair[1] != "grads"]
        built = dict(zip(alone, map(build, alone), strict=True))
        with ThreadPoolExecutor(COMPILERS) as pool:
            built.update(zip(rest, pool.map(build, rest), strict=True))
        return {f"{form} {what}": call for (form, what), call in built.items()}

    def _function(self, layer: Layer, form: str) -> Callable[..., Any]:
        from tests.benchmarks.lax_peer import lax_transposed

        if form in ("lax first", "lax last"):
            return lax_transposed(layer, form.endswith("last"))
        if form == "inserted":
            return lax_transposed(layer, channels_last=False, inserted=True)
        algorithm = "auto" if form == "mtconv" else form
        options = layer.transposed_options
        return partial(mtconv.conv_transpose, algorithm=algorithm, **options)

    def ceilings(self, scale: int) -> dict[str, float]:
        """Measure a copy in bytes per second and products in multiply-adds per second."""
        jax, jnp = self.jax, self.jax.numpy
        big = jax.device_put(np.ones(scale * scale * 4, "float32"), self.device)
        got = {"copy": 8 * big.size / _seconds(self, lambda a: a + 1, big)}
        for name, dtype, precision in (
            ("float32", "float32", "highest"),
            ("tf32", "float32", "default"),
            ("bfloat16", "bfloat16", None),
        ):
            noise = np.random.default_rng(0).standard_normal((scale, scale))
            a = jax.device_put(noise.astype("float32"), self.device).astype(dtype)
            product = partial(jnp.matmul, precision=precision)
            got[name] = scale**3 / _seconds(self, product, a, a)
        return got


def _seconds(engine: Jax, function: Callable[..., Any], *arrays: Any) -> float:
    jitted = engine.jax.jit(function)
    engine.jax.block_until_ready(jitted(*arrays))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        engine.jax.block_until_ready(jitted(*arrays))
        times.append(time.perf_counter() - start)
    return min(times)


def _by_map(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Return one map of a transposed convolution as a function of x, kernel and y."""
    import jax

    def call(x: Any, kernel: Any, y: Any) -> Any:
        if what == "forward":
            return function(x, kernel)
        out, backward = jax.vjp(function, x, kernel)
        by_x, by_kernel = backward(y)
        return {"dx": by_x, "dw": by_kernel, "grads": (out, by_x, by_kernel)}[what]

    return call


class Torch:
    """torch's own layers in both memory formats, and mtconv on torch."""

    def __init__(self, smoke: bool) -> None:
        import torch

        if not (smoke or torch.cuda.is_available()):
            msg = "torch sees no GPU"
            raise RuntimeError(msg)
        self.torch = torch
        self.device = "cpu" if smoke else "cuda"
        self.version = torch.__version__
        self.card = "cpu" if smoke else torch.cuda.get_device_name()
        torch.backends.cudnn.benchmark = True

    def wait(self, result: Any) -> Any:
        """Wait for all work."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()
        return result

    def calls(
        self,
        layer: Layer,
        host: Sequence[Any],
        mode: str,
        wanted: Pairs,
    ) -> dict[str, Call | Exception]:
        """Return calls of the wanted pairs; flags are those of the last `calls`."""
        torch = self.torch
        torch.backends.cudnn.allow_tf32 = mode == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = mode == "tf32"
        dtype = getattr(torch, _dtype(layer, mode))
        arrays = [torch.from_numpy(a).to(self.device, dtype) for a in host]
        formats = {2: torch.channels_last, 3: torch.channels_last_3d}
        got: dict[str, Call | Exception] = {}
        for form, what in wanted:
            tensors = arrays
            if form.endswith("last"):
                if len(layer.input_size) not in formats:
                    continue
                memory = formats[len(layer.input_size)]
                tensors = [a.contiguous(memory_format=memory) for a in arrays]
            run = self._run(layer, form, what, tensors)
            got[f"{form} {what}"] = Call(run, self.wait, _first(self.to_host))
        return got

    def _run(self, layer: Layer, form: str, what: str, tensors: Any) -> Callable[[], Any]:
        torch, (x, kernel, y) = self.torch, tensors
        name = f"conv_transpose{len(layer.input_size)}d"
        function: Any = getattr(torch.nn.functional, name)
        if form == "mtconv torch":
            function = mtconv.conv_transpose
        options = layer.transposed_options
        if what == "forward":
            return lambda: function(x, kernel, **options)
        if what == "grads":
            leaves = [a.clone().requires_grad_() for a in (x, kernel)]

            def both() -> Any:
                out = function(*leaves, **options)
                return out, *torch.autograd.grad(out, leaves, y)

            return both
        mask, place = (
            ([True, False, False], 0) if what == "dx" else ([False, True, False], 1)
        )
        rest = (layer.stride, layer.padding, layer.dilation, True)
        rest = (*rest, layer.output_padding, layer.groups, mask)
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(y, x, kernel, None, *rest)[place]

    def to_host(self, tensor: Any) -> Any:
        """Copy a tensor to the host in a dtype that NumPy has."""
        wide = self.torch.float64 if tensor.dtype == self.torch.float64 else None
        return tensor.detach().to(wide or self.torch.float32).cpu().numpy()


class Cupy:
    """mtconv on CuPy, and SciPy's interface of it for images of one channel."""

    def __init__(self, smoke: bool) -> None:
        import cupy

        del smoke
        self.cupy = cupy
        self.version = cupy.__version__
        self.card = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()

    def calls(
        self,
        layer: Layer,
        host: Sequence[Any],
        mode: str,
        wanted: Pairs,
    ) -> dict[str, Call | Exception]:
        """Return the calls that there are for a layer."""
        cupy, dtype = self.cupy, _dtype(layer, mode)
        x, kernel, _ = (cupy.asarray(a, dtype=dtype) for a in host)
        wait = _synchronized(cupy)
        got: dict[str, Call | Exception] = {}
        if ("mtconv cupy", "forward") in wanted:
            options = layer.transposed_options
            run = partial(mtconv.conv_transpose, x, kernel, **options)
            got["mtconv cupy forward"] = Call(run, wait, _first(cupy.asnumpy))
        plain = layer.in_channels == layer.out_channels == layer.batch == 1
        plain = plain and len(layer.input_size) == 2 and max(layer.dilation) == 1
        if plain and ("cupyx", "forward") in wanted:
            got["cupyx forward"] = Call(
                partial(_cupyx, cupy, layer, x, kernel), wait, _first(cupy.asnumpy)
            )
        return got


def _cupyx(cupy: Any, layer: Layer, x: Any, kernel: Any) -> Any:
    """Convolve a zero-inserted image by SciPy's function on CuPy, and crop."""
    from cupyx.scipy.signal import fftconvolve

    size = [s * (n - 1) + 1 for s, n in zip(layer.stride, layer.input_size, strict=True)]
    dense = cupy.zeros(size, x.dtype)
    dense[tuple(slice(None, None, s) for s in layer.stride)] = x[0, 0]
    full = fftconvolve(dense, kernel[0, 0])
    extra = [(0, extra) for extra in layer.output_padding]
    full = cupy.pad(full, extra)
    cut = zip(layer.padding, layer.y_shape[2:], strict=True)
    return full[tuple(slice(p, p + n) for p, n in cut)][None, None]


def _synchronized(cupy: Any) -> Callable[[Any], Any]:
    def wait(result: Any) -> Any:
        cupy.cuda.get_current_stream().synchronize()
        return result

    return wait


def _first(to_host: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Copy a result to the host; of several, the first."""
    return lambda result: np.asarray(
        to_host(result[0] if isinstance(result, tuple) else result)
    ).astype("float64")


def _dtype(layer: Layer, mode: str) -> str:
    return "bfloat16" if mode == "bfloat16" else layer.dtype
