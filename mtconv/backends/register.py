"""Backends from outside of mtconv join the registry."""

from __future__ import annotations

import sys

from mtconv.backends.dispatch import (
    BACKENDS,
    NEUTRAL,
    Backend,
    BackendRow,
    check_provided,
    loaded,
)
from mtconv.errors import message, shown
from mtconv.planning.choose import DECLARED
from mtconv.planning.plan import plan_for, plan_for_spec
from mtconv.planning.support import Support

__all__ = ["register", "unregister"]

_BUILT_IN = frozenset(BACKENDS)


def register(
    name: str,
    backend: str | Backend,
    support: Support,
    *,
    arrays: str = "",
    requires: tuple[str, ...] = (),
    install: str = "",
) -> None:
    """Add a backend under a name, for this process.

    Parameters
    ----------
    name : str
        What callers write, as in ``backend="toy"``.
    backend : str or object
        The name of a module to import when the backend is first used, or an object. It
        has `NAME`, `asarray`, `result_dtype` and `run`.
    support : Support
        What the backend can do. Anything else is refused before it is called.
    arrays : str
        The class of its arrays, for example "toylib.Array": calls on such arrays go to
        this backend. Left out, the backend takes NumPy arrays by its name only. NumPy's
        arrays, lists and numbers belong to no backend, nor do their subclasses.
    requires : tuple of str
        Packages without which the module cannot be imported.
    install : str
        The command that installs them; by default ``pip install`` and their names.

    Raises
    ------
    ValueError
        If the name is taken, or ``arrays`` is no class of a module or a neutral one.
    TypeError
        If ``support`` is no `Support`.
    BackendError
        If the object lacks a part of the contract, or its `NAME` is another.

    See Also
    --------
    mtconv.testing.backend_contract.check_backend : run the tests of the contract.

    Examples
    --------
    >>> from mtconv.backends import Support
    >>> register("mine", "mine_mtconv", Support(("direct",), ("float64",)))
    >>> unregister("mine")
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(message("register", "name", "must be an identifier", shown(name)))
    if name in BACKENDS:
        rule = "must be a name that no backend has"
        raise ValueError(message("register", "name", rule, repr(name)))
    if not isinstance(support, Support):
        raise TypeError(message("register", "support", "must be a Support", shown(support)))
    package, class_name = _class_of(arrays)
    command = install or f"pip install {' '.join(requires)}"
    module = backend if isinstance(backend, str) else type(backend).__module__
    row = BackendRow(module, (package, class_name), requires, command)
    if not isinstance(backend, str):
        check_provided(name, backend)
        loaded[name] = backend
    DECLARED[name] = support
    BACKENDS[name] = row


def _class_of(arrays: str) -> tuple[str, str]:
    """Split the name of a class of arrays into its module and itself."""
    if arrays == "":
        return "", ""
    parts = arrays.split(".") if isinstance(arrays, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        rule = "must name a class behind its module"
        fix = "Write the module too, as in 'toylib.Array'."
        raise ValueError(message("register", "arrays", rule, shown(arrays), fix=fix))
    package, _, class_name = arrays.rpartition(".")
    array_class = getattr(sys.modules.get(package), class_name, None)
    neutral = isinstance(array_class, type) and issubclass(array_class, NEUTRAL)
    if neutral or package.partition(".")[0] in ("builtins", "numpy"):
        rule = "must be a class that is none of NumPy's arrays, lists and numbers"
        fix = "Leave it out: callers name the backend for those."
        raise ValueError(message("register", "arrays", rule, repr(arrays), fix=fix))
    return package, class_name


def unregister(name: str) -> None:
    """Remove a backend that `register` added, with all plans made for it.

    Parameters
    ----------
    name : str
        Its name.

    Raises
    ------
    ValueError
        If the name is not that of such a backend.

    Examples
    --------
    >>> unregister("numpy")
    Traceback (most recent call last):
    ValueError: unregister: `name` must be that of a registered backend; got 'numpy'.
    """
    if name in _BUILT_IN or name not in BACKENDS:
        rule = "must be that of a registered backend"
        raise ValueError(message("unregister", "name", rule, shown(name)))
    for table in (BACKENDS, DECLARED, loaded):
        table.pop(name, None)
    plan_for.cache_clear()
    plan_for_spec.cache_clear()
