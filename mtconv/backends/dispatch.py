"""Which backend owns these arrays. No array library is imported until it is needed.

An array of a library can exist only where that library is already imported, so owners
are looked up in ``sys.modules``. NumPy arrays and Python sequences are neutral: they
follow the other operand.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from mtconv.errors import BackendError, message, shown
from mtconv.importing import ImportRefused, imported, undivided
from mtconv.planning.plan import Plan
from mtconv.planning.rates import stored
from mtconv.planning.support import NUMBERS
from mtconv.pytrees import announce
from mtconv.sizes import compiling

__all__ = [
    "BACKENDS",
    "OF_NUMPY",
    "Backend",
    "BackendRow",
    "backend_for",
    "backend_name",
    "check_provided",
    "eager_call",
    "load",
    "loaded",
    "missing_packages",
    "neutral_backend",
    "plain_dtype",
    "shares_memory",
]


class Backend(Protocol):
    """What a backend provides: a module with these names, or an object."""

    NAME: str

    def asarray(self, function: str, argument: str, array: Any) -> Any:
        """Convert a neutral array, and refuse dtypes that the backend cannot take."""

    def result_dtype(self, *arrays: Any) -> str:
        """Name the dtype of the result of a call on these arrays (None: left out)."""

    def run(self, plan: Plan, first: Any, second: Any, bias: Any, precision: Any) -> Any:
        """Execute a plan on arrays of this backend."""


class BackendRow(NamedTuple):
    """A backend: its module, the class of its arrays, and what has to be installed.

    ``arrays`` is the package and the class by which arrays are recognised, empty where a
    backend has no arrays of its own; ``install`` is the command that installs
    ``requires``.
    """

    module: str
    arrays: tuple[str, str] = ("", "")
    requires: tuple[str, ...] = ()
    install: str = ""


BACKENDS = {
    "numpy": BackendRow("mtconv.backends._numpy", ("numpy", "ndarray"), ("numpy",)),
    "numba": BackendRow(
        "mtconv.backends._numba", ("", ""), ("numba",), "pip install 'mtconv[fast]'"
    ),
    "jax": BackendRow(
        "mtconv.backends._jax", ("jax", "Array"), ("jax",), "pip install 'mtconv[jax]'"
    ),
    "sparse": BackendRow(
        "mtconv.backends._sparse", ("", ""), ("scipy",), "pip install 'mtconv[sparse]'"
    ),
    "torch": BackendRow(
        "mtconv.backends._torch",
        ("torch", "Tensor"),
        ("torch",),
        "pip install 'mtconv[torch]'",
    ),
    "cupy": BackendRow(
        "mtconv.backends._cupy",
        ("cupy", "ndarray"),
        ("cupy",),
        "pip install 'mtconv[cupy]' (CUDA 12) or 'mtconv[cupy13]' (CUDA 13)",
    ),
    "dask": BackendRow(
        "mtconv.backends._dask",
        ("dask.array", "Array"),
        ("dask",),
        "pip install 'mtconv[dask]'",
    ),
    "array_api": BackendRow("mtconv.backends._array_api"),
}

# What a backend has to provide.
_PROVIDED = ("NAME", "asarray", "result_dtype", "run")

# The arrays of the three maps; others, such as a bias, may be None.
_REQUIRED = ("x", "kernel", "y")

# Dtypes whose arrays NumPy's backend takes as they are.
_PLAIN = {np.dtype(name): name for name in NUMBERS if name != "bfloat16"}

# Backends that compute with NumPy's arrays.
OF_NUMPY = ("numpy", "numba")

NEUTRAL = (np.ndarray, np.generic, list, tuple, int, float, complex)


def plain_dtype(
    first: Any, second: Any, bias: Any, backend: str | None = None
) -> str | None:
    """Name the one dtype of a call on NumPy arrays of numbers, as most calls are.

    None for all others: subclasses, several dtypes, or one that is not of the machine, and
    where another backend than those of NumPy's arrays is named.
    """
    if backend is not None and (type(backend) is not str or backend not in OF_NUMPY):
        return None
    if type(first) is not np.ndarray or type(second) is not np.ndarray:
        return None
    dtype = first.dtype
    if second.dtype is not dtype:
        return None
    if bias is not None and (type(bias) is not np.ndarray or bias.dtype is not dtype):
        return None
    return _PLAIN.get(dtype)


def neutral_backend(dtype: str) -> str:
    """Name the backend of NumPy arrays of a dtype that nobody named one for.

    That is "numba" after `mtconv warm`, for what it compiled, and "numpy" otherwise. It is
    settled by the first call that can read what is stored; where a call interrupts that,
    or Python is shutting down, it is "numpy" for this call.
    """
    try:
        return _settled_backend(dtype)
    except ImportRefused:  # which is not kept
        return "numpy"


@cache
def _settled_backend(dtype: str) -> str:
    if os.environ.get("MTCONV_NUMBA") == "0" or stored() is None:
        return "numpy"
    warmed = imported("mtconv.backends._numba.warmed")
    return "numba" if undivided("numba", ("numba",), warmed.is_warmed, dtype) else "numpy"


def eager_call(
    first: Any, second: Any, bias: Any, backend: Any
) -> tuple[str, Callable[..., Any], bool] | None:
    """Return dtype, what executes the plan, and whether memory is shared, of plain tensors.

    None for calls on anything else.
    """
    if backend is not None or compiling():
        return None
    engine: Any = loaded.get("torch")
    if engine is None:
        if _array_class(BACKENDS["torch"]) not in type(first).__mro__:
            return None
        engine = load("torch")
    dtype: str | None = engine.eager_dtype(first, second, bias)
    if dtype is None:
        return None
    return dtype, engine.run_eager, shares_memory("torch", dtype)


def shares_memory(backend: str, dtype: str) -> bool:
    """Return whether compiled kernels may compute in the memory of a backend's arrays.

    They do so for tensors of torch, and for the dtypes of which they take NumPy arrays
    without being named.
    """
    return backend == "torch" and neutral_backend(dtype) == "numba"


def backend_for(function: str, backend: str | None, **arrays: Any) -> Backend:
    """Return the backend that owns these arrays; a bias that is left out is None.

    Raises
    ------
    BackendError
        If an array is of an unknown type, if two libraries are mixed, or if ``backend``
        names another library than that of an array.
    """
    owners = {}
    for name, array in arrays.items():
        if array is not None or name in _REQUIRED:
            owner = _owner(function, name, array)
            if owner is not None:
                owners[name] = owner
    if len(set(owners.values())) > 1:
        got = ", ".join(f"{name} of {owner}" for name, owner in owners.items())
        argument = next(iter(owners))
        msg = message(
            function,
            argument,
            "must be of the same array library as the others",
            got,
            fix="Convert one of them; NumPy arrays follow the other library by themselves.",
        )
        raise BackendError(msg)
    owner = next(iter(owners.values()), None)
    if owner is not None and owner not in BACKENDS:
        owner = "array_api"
    if backend is None:
        return load(owner or "numpy")
    backend = backend_name(function, backend, "must be None or one of")
    if owner is not None and owner != backend:
        argument = next(iter(owners))
        msg = message(
            function,
            "backend",
            f"must be {owner!r} or None for an array of {owner}",
            repr(backend),
            fix=f"Convert `{argument}` to NumPy first: only neutral arrays are converted.",
        )
        raise BackendError(msg)
    return load(backend)


def backend_name(function: str, backend: Any, rule: str = "must be one of") -> str:
    """Return the plain name of a backend that a value names."""
    name = str.__str__(backend) if isinstance(backend, str) else None
    if name not in BACKENDS:
        names = ", ".join(repr(known) for known in BACKENDS)
        raise BackendError(message(function, "backend", f"{rule} {names}", shown(backend)))
    return name


def _owner(function: str, argument: str, array: Any) -> str | None:
    """Return the name of the backend, or of the Array API namespace, of an array.

    None for neutral ones.
    """
    if isinstance(array, NEUTRAL):
        return None
    for name, row in list(BACKENDS.items()):  # `register` may add one meanwhile
        array_class = _array_class(row)
        # isinstance, since tracers of JAX are not of a subclass of jax.Array.
        if array_class is not None and isinstance(array, array_class):
            return name
    if hasattr(array, "__array_namespace__"):
        return str(array.__array_namespace__().__name__)
    kind = f"{type(array).__module__}.{type(array).__qualname__}"
    kind = kind.removeprefix("builtins.")
    msg = message(
        function,
        argument,
        "must be an array of a known library, a list or a number",
        kind,
        fix="Convert it, for example with numpy.asarray.",
    )
    raise BackendError(msg)


def _array_class(row: BackendRow) -> Any:
    """Return the class of a backend's arrays; None if there are no arrays of it yet.

    A library whose import has not ended has no such class.
    """
    package, class_name = row.arrays
    return getattr(sys.modules.get(package), class_name, None)


# Backends whose import has ended.
loaded: dict[str, Backend] = {}


def load(name: str) -> Backend:
    """Return the module of a backend, imported completely.

    Raises
    ------
    ImportError
        If its library is not installed; the message says how to install it.
    BackendError
        If this call interrupts the import of the backend on the same thread, as a signal
        handler or a finalizer can, or if Python is shutting down and imports nothing.
    """
    if name == "torch" and compiling():
        # torch can follow an import statement while it compiles, but no import by name.
        from mtconv.backends import _torch

        return _torch
    backend = loaded.get(name)
    if backend is None:
        backend = _import(name)
        loaded[name] = backend
    return backend


def _import(name: str) -> Backend:
    row = BACKENDS[name]
    absent = () if sys.meta_path is None else missing_packages(name)
    if absent:
        msg = (
            f"The {name} backend of mtconv needs {' and '.join(absent)}, which "
            f"cannot be imported. Install it with: {row.install}"
        )
        raise ImportError(msg)
    subject = f"The {name} backend of mtconv"
    module = imported(row.module, subject, row.arrays[0].partition(".")[0], *row.requires)
    check_provided(name, module)
    if name == "jax":
        announce()  # of objects that were made while it was imported
    return cast("Backend", module)


def check_provided(name: str, backend: object) -> None:
    """Refuse a backend that lacks a part of the contract, or has another name."""
    absent = [part for part in _PROVIDED if not hasattr(backend, part)]
    if absent:
        msg = f"The {name} backend of mtconv must provide {', '.join(absent)}."
        raise BackendError(msg)
    own_name = getattr(backend, "NAME", None)
    if own_name != name:
        own = shown(own_name)
        msg = f"The {name} backend of mtconv must have NAME = {name!r}; it is {own}."
        raise BackendError(msg)


def missing_packages(name: str) -> tuple[str, ...]:
    """List the packages that a backend needs and that are not installed."""
    return tuple(
        package
        for package in BACKENDS[name].requires
        if package not in sys.modules and importlib.util.find_spec(package) is None
    )
