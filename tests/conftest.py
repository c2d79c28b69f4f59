"""What all tests share: the engines under test, exact comparison, Hypothesis profiles.

An engine is a backend with one of its algorithms; JAX comes twice, eager and under `jit`.
``MTCONV_TEST_BACKENDS=numpy,sparse`` runs the tests of these backends only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import hypothesis
import numpy as np
import pytest

import mtconv
from mtconv.dispatch import missing_packages
from mtconv.ladders import AVAILABLE, INEXACT

hypothesis.settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis.settings.register_profile("many", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("dev")

CORE = ("numpy", "jax", "sparse")
SELECTED = os.environ.get("MTCONV_TEST_BACKENDS", ",".join(CORE)).split(",")

if "jax" in SELECTED and not missing_packages("jax"):
    import jax

    jax.config.update("jax_enable_x64", True)


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

    def _call(
        self, function: Callable[..., Any], arrays: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        function = partial(
            function, backend=self.backend, algorithm=self.algorithm, **options
        )
        if self.jit:
            function = jax.jit(function)
            arrays = tuple(None if a is None else np.asarray(a) for a in arrays)
        return np.asarray(function(*arrays))

    def __str__(self) -> str:
        return f"{self.backend}{':jit' if self.jit else ''}-{self.algorithm}"


def _engines() -> Iterator[Any]:
    for backend in CORE:
        if backend not in SELECTED:
            continue
        absent = missing_packages(backend)
        marks = [pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")]
        for algorithm in AVAILABLE[backend]:
            if algorithm in INEXACT:
                continue
            for jit in (False, True) if backend == "jax" else (False,):
                engine = Engine(backend, algorithm, jit)
                yield pytest.param(engine, id=str(engine), marks=marks)


ENGINES = tuple(_engines())


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every backend with every algorithm that is exact on integer-valued arrays."""
    found: Engine = request.param
    return found


@pytest.fixture(scope="session", params=[name for name in CORE if name in SELECTED])
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend by name, with the algorithm that it chooses."""
    name: str = request.param
    absent = missing_packages(name)
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    return name


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """Return the check that two arrays are equal in shape and in every element."""

    def check(got: Any, expected: Any) -> None:
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_array_equal(got, expected)

    return check


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
