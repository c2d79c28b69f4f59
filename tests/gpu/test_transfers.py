"""Nothing travels between host and GPU behind the caller's back, and nothing waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import mtconv
from tests.gpu.support import FEW, SMOKE, library, make, same

# An index of cells, made on the host, is this large at most.
LARGEST_INDEX = 1024


def results(case: Any, arrays: Any, **choices: Any) -> tuple[Any, Any, Any]:
    x, kernel, bias, y = arrays
    return (
        mtconv.conv_transpose(x, kernel, bias, **case.options, **choices),
        mtconv.conv(y, kernel, **case.conv_options, **choices),
        mtconv.kernel_grad(x, y, **case.grad_options, **choices),
    )


@pytest.mark.parametrize("problem", FEW)
def test_jax_transfers_nothing(jax: Any, problem: str) -> None:
    """From the first call on, tracing and compiling included, eager and in gradients."""
    lib, case = library("jax"), make(problem, seed=1)
    arrays = case.on(lib)

    def up(x: Any, kernel: Any) -> Any:
        return mtconv.conv_transpose(x, kernel, **case.options)

    with jax.transfer_guard("disallow"):
        got = results(case, arrays)
        _, backward = jax.vjp(up, *arrays[:2])
        backward(arrays[3])
    for result, expected in zip(got, case.expected(), strict=True):
        same(lib.get(result), expected)


def test_the_guard_of_jax_sees_a_transfer(jax: Any) -> None:
    x = library("jax").put(np.ones(3, "float32"))
    with (
        jax.transfer_guard("disallow"),
        pytest.raises(Exception, match="Disallowed host-to-device"),
    ):
        x + np.ones(3, "float32")


@contextmanager
def no_waiting(torch: Any) -> Iterator[None]:
    """Make every operation that waits for the GPU an error."""
    if SMOKE:
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("algorithm", ["auto", "exact"])
@pytest.mark.parametrize("problem", FEW)
def test_torch_waits_for_nothing(torch: Any, problem: str, algorithm: str) -> None:
    lib, case = library("torch"), make(problem, seed=1)
    arrays = case.on(lib)
    leaves = [a.clone().requires_grad_() for a in arrays[:2]]
    with no_waiting(torch):
        got = results(case, arrays, algorithm=algorithm)
        out = mtconv.conv_transpose(*leaves, algorithm=algorithm, **case.options)
        torch.autograd.grad(out, leaves, arrays[3])
    for result, expected in zip(got, case.expected(), strict=True):
        same(lib.get(result), expected)


@pytest.mark.skipif(SMOKE, reason="nothing waits on a CPU")
def test_waiting_is_an_error_of_torch(torch: Any) -> None:
    x = torch.ones(3, device="cuda")
    with no_waiting(torch), pytest.raises(RuntimeError, match="synchroniz"):
        x.sum().item()


@pytest.mark.skipif(SMOKE, reason="there are no copies to a CPU")
def test_torch_copies_no_data(torch: Any) -> None:
    """The profiler sees no copy to or from the host where no index is needed."""
    lib, case = library("torch"), make("strided image")
    arrays = case.on(lib)
    results(case, arrays)  # plans and cuDNN's own set-up
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for algorithm in ("auto", "exact"):
            results(case, arrays, algorithm=algorithm)
        arrays[0].cpu()  # what it would look like
        torch.cuda.synchronize()
    copies = [e.name for e in profile.events() if e.name.startswith("Memcpy")]
    if not any("DtoH" in name for name in copies):
        pytest.skip("the profiler sees no copies on this machine")
    assert [name for name in copies if "DtoH" in name] == [copies[-1]]
    assert not any("HtoD" in name for name in copies)


@pytest.mark.parametrize("name", ["torch", "cupy"])
@pytest.mark.parametrize("problem", FEW)
def test_only_small_indices_are_made_on_the_host(
    name: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lib, case = library(name), make(problem)
    arrays = case.on(lib)
    backend = __import__(f"mtconv.backends._{name}", fromlist=["_LIBRARY"])
    owner = type(backend._LIBRARY)
    original, sizes = owner.from_numpy, []

    def counted(self: Any, array: Any, device: Any) -> Any:
        assert array.dtype == np.int64, "data were sent to the device"
        sizes.append(array.size)
        return original(self, array, device)

    monkeypatch.setattr(owner, "from_numpy", counted)
    results(case, arrays, algorithm="exact")
    assert max(sizes, default=0) <= LARGEST_INDEX
    with pytest.raises(AssertionError, match="data were sent"):
        mtconv.conv_transpose(arrays[0], case.kernel, **case.options)


def test_cupy_refuses_what_would_be_a_hidden_copy() -> None:
    """So a result that is CuPy's has never been on the host."""
    lib = library("cupy")
    with pytest.raises(TypeError):
        np.asarray(lib.put(np.ones(3)))
    assert lib.on_gpu(mtconv.conv_transpose(lib.put(np.ones(3)), lib.put(np.ones(2))))
