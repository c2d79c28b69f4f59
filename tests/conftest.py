"""What all tests share: the engines under test, exact comparison, Hypothesis profiles.

An engine is a backend with one of its algorithms; JAX comes twice, eager and under `jit`.
``MTCONV_TEST_BACKENDS=numpy,sparse`` runs the tests of these backends only.
"""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

import mtconv
from mtconv.backends.dispatch import missing_packages
from mtconv.planning.choose import DECLARED, INEXACT
from mtconv.strategies import Case


@pytest.fixture
def cut_anew() -> Iterator[Callable[[], None]]:
    """Forget how problems are cut, now and afterwards, where tests change the limits."""
    from mtconv.backends._numpy.blocks import cut
    from mtconv.planning.plan import plan_for, plan_for_spec
    from mtconv.planning.scale import scale_of

    def forget() -> None:
        for cached in (cut, scale_of, plan_for, plan_for_spec):
            cached.cache_clear()

    forget()
    yield forget
    forget()


# What `mtconv warm` has left on this machine is no part of the tests.
os.environ.update(MTCONV_NUMBA="0", MTCONV_RATES="default")

hypothesis.settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis.settings.register_profile("many", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("dev")

# Has a configuration of its own: it needs a GPU, or `nox -s gpu_smoke` in place of one.
collect_ignore = ["gpu"]

CORE = ("numpy", "jax", "sparse")
SELECTED = os.environ.get("MTCONV_TEST_BACKENDS", ",".join(CORE)).split(",")


def _compiled_in_less_time() -> str:
    """Return the flag that has XLA make machine code in less time, where XLA knows it.

    The programs are the same. A flag that XLA does not know ends the process, so its name
    is looked for in the library first.
    """
    spec = importlib.util.find_spec("jaxlib")
    library = Path(spec.origin).with_name("libjax_common.so") if spec else Path("none")
    if not library.exists():
        return ""
    with library.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        known = content.find(b"xla_cpu_use_fusion_emitters") >= 0
    return "--xla_cpu_use_fusion_emitters=false" if known else ""


if "jax" in SELECTED and not missing_packages("jax"):
    # For subprocesses too. `nox -s newest` sets it, and runs what users run.
    os.environ.setdefault("XLA_FLAGS", _compiled_in_less_time())

    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 8)  # for the tests of meshes
    # The same programs, made into machine code in less time, which they do not win back.
    jax.config.update("jax_disable_most_optimizations", True)


@dataclass(frozen=True)
class Engine:
    """The three maps on one backend with one algorithm; takes and gives NumPy arrays."""

    backend: str
    algorithm: str
    jit: bool = False

    def conv_transpose(self, x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
        return self._call(mtconv.conv_transpose, (x, kernel, bias), options)

    def conv(self, x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
        return self._call(mtconv.conv, (x, kernel, bias), options)

    def kernel_grad(self, x: Any, y: Any, **options: Any) -> Any:
        return self._call(mtconv.kernel_grad, (x, y), options)

    def maps(self, case: Case, bias: Any = None) -> tuple[Any, Any, Any]:
        """All three maps of a case; under `jit` one program, which compiles faster."""
        return self._calls(
            (mtconv.conv_transpose, (case.x, case.kernel, bias), case.options),
            (mtconv.conv, (case.y, case.kernel), case.conv_options),
            (mtconv.kernel_grad, (case.x, case.y), case.grad_options),
        )

    def _call(self, *call: Any) -> Any:
        return self._calls(call)[0]

    def _calls(self, *calls: tuple[Callable[..., Any], Any, dict[str, Any]]) -> Any:
        choices = {"backend": self.backend, "algorithm": self.algorithm}
        if not self.jit:
            return tuple(np.asarray(f(*a, **options, **choices)) for f, a, options in calls)
        compiled = _jitted(
            tuple((f, *options.items(), *choices.items()) for f, _, options in calls)
        )
        results = compiled(*(tuple(map(_native, arrays)) for _, arrays, _ in calls))
        return tuple(map(np.asarray, results))

    def __str__(self) -> str:
        return f"{self.backend}{':jit' if self.jit else ''}-{self.algorithm}"


def _native(array: Any) -> Any:
    """Convert to the machine's byte order: `jit` takes no other, whatever it calls."""
    if array is None:
        return None
    array = np.asarray(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@cache
def _jitted(calls: tuple[Any, ...]) -> Callable[..., Any]:
    """Compile once for each set of functions and options, whatever the values."""
    functions = [partial(function, **dict(options)) for function, *options in calls]
    compiled: Callable[..., Any] = jax.jit(
        lambda *arrays: [f(*a) for f, a in zip(functions, arrays, strict=True)]
    )
    return compiled


def _engines() -> Iterator[Any]:
    for backend in SELECTED:
        absent = missing_packages(backend)
        marks = [pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")]
        # The other algorithms of compiled kernels are those of NumPy.
        algorithms = DECLARED[backend].algorithms if backend != "numba" else ("native",)
        for algorithm in algorithms:
            if algorithm in INEXACT:
                continue
            for jit in (False, True) if backend == "jax" else (False,):
                engine = Engine(backend, algorithm, jit)
                yield pytest.param(engine, id=str(engine), marks=marks)


ENGINES = tuple(_engines())


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every backend with every algorithm that is exact on integer-valued arrays."""
    param: Engine = request.param
    return param


@pytest.fixture(
    scope="session", params=[e for e in ENGINES if e.values[0].backend != "jax"]
)
def quick_engine(request: pytest.FixtureRequest) -> Engine:
    """The engines that compile nothing, on which every example may have another shape."""
    param: Engine = request.param
    return param


@pytest.fixture(scope="session", params=SELECTED)
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend by name, with the algorithm that it chooses."""
    name: str = request.param
    absent = missing_packages(name)
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    return name


@pytest.fixture(scope="session")
def jax_numpy() -> Any:
    """The module `jax.numpy`, for tests that are about JAX alone."""
    if "jax" not in SELECTED:
        pytest.skip("MTCONV_TEST_BACKENDS leaves JAX out")
    return pytest.importorskip("jax.numpy")


# One problem for each thing that can go wrong, for the engines that compile.
POOL = {
    "plain": ((1, 1, 5), (1, 1, 3), {}),
    "output padding": (
        (2, 4, 5),
        (4, 3, 3),
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    "kernel below stride": ((2, 3, 4), (3, 2, 2), {"stride": 3}),
    "padding beyond kernel": (
        (1, 2, 3),
        (2, 2, 4),
        {"stride": 2, "dilation": 2, "padding": ((8, 1),)},
    ),
    "zero extension": ((1, 2, 3), (2, 3, 2), {"padding": ((-2, -1),)}),
    "unbatched groups": ((4, 6), (4, 2, 3), {"groups": 2, "stride": 2}),
    "bare signal": ((5,), (3,), {"stride": 2, "output_size": 12}),
    "bare image": ((3, 4), (2, 3), {"stride": (2, 1), "padding": "same"}),
    "unequal groups": (
        (2, 6, 4, 5),
        (6, 2, 3, 3),
        {"groups": 3, "stride": (2, 1), "padding": 1, "dilation": (1, 2)},
    ),
    "depthwise": (
        (1, 4, 5, 4),
        (4, 1, 3, 2),
        {"groups": 4, "stride": 2, "padding": "same_lower"},
    ),
    "channels last": (
        (2, 4, 5, 3),
        (3, 2, 3, 4),
        {"layout": "NHWC", "kernel_layout": "HWIO", "stride": 2},
    ),
    "kernel layout of groups": (
        (2, 4, 5, 4),
        (3, 3, 2, 4),
        {"layout": "NHWC", "kernel_layout": "HWOI", "groups": 2},
    ),
    "common factor": (
        (1, 2, 4, 4),
        (2, 3, 2, 2),
        {"stride": 4, "dilation": 2, "output_padding": (3, 0)},
    ),
    "volume": ((1, 2, 3, 2, 3), (2, 2, 2, 3, 2), {"stride": (2, 1, 2), "padding": 1}),
    "volume in groups": ((1, 4, 2, 3, 2), (4, 3, 2, 2, 2), {"groups": 2, "dilation": 2}),
    "empty batch": ((0, 2, 3), (2, 3, 2), {"stride": 2}),
    "natural size below one": (
        (1, 1, 1),
        (1, 1, 1),
        {"stride": 3, "padding": 1, "output_size": 1},
    ),
}


@pytest.fixture(scope="session", params=POOL, ids=lambda name: name.replace(" ", "-"))
def pooled(request: pytest.FixtureRequest) -> Callable[..., Case]:
    """Each problem of the pool as ``make(seed, dtype)``, a case with random values."""
    x_shape, kernel_shape, options = POOL[request.param]
    y_shape = mtconv.conv_transpose_shape(x_shape, kernel_shape, **options)

    def make(seed: int, dtype: str = "float64") -> Case:
        rng = np.random.default_rng(seed)
        x, kernel, y = (
            rng.integers(-4, 5, shape).astype(dtype)
            for shape in (x_shape, kernel_shape, y_shape)
        )
        return Case(x, kernel, y, None, options)

    return make


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """Return the check that two arrays are equal in shape and in every element."""

    def check(got: Any, expected: Any) -> None:
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_array_equal(got, expected)

    return check


def pytest_collection_finish() -> None:
    """Have garbage collected less often, and what is there by now left alone.

    Collections looked at all modules and tests again and again. Tests that are about
    collections ask for them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many cases the enumerations covered (the property "cases" of a test)."""
    counts: dict[str, int] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "cases":
                module = report.nodeid.split("::")[0]
                counts[module] = counts.get(module, 0) + value
    for module, count in counts.items():
        terminalreporter.write_line(f"{module}: {count} cases enumerated")
