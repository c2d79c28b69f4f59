"""Imports in the middle of a call, which happen once a process at most.

Python holds a lock for each module that is being imported. Three things go wrong with that:

- A process that forks while another thread imports leaves the child a lock that nobody
  opens. So a fork waits until the imports of mtconv on other threads have ended.
- A call in a signal handler or a finalizer may interrupt an import of its own thread, and
  would be handed a module of which half is there.
- Python imports nothing while it is shutting down.

In the last two cases `ImportRefused` is raised, a `BackendError` that says so, and
`ImportBroken` where Ctrl-C or an error has broken off an import before. Nothing here waits
for ever, and no lock is held that an interrupted call could hold.
"""

from __future__ import annotations

import logging  # noqa: F401 - its functions for forks are registered before those below
import os
import sys
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from time import monotonic, sleep
from typing import Any

from mtconv.errors import BackendError

__all__ = [
    "ImportBroken",
    "ImportGate",
    "ImportRefused",
    "gate",
    "imported",
    "is_initializing",
    "refuse_at_shutdown",
    "undivided",
]

# Seconds that a fork waits for imports, or an import for a fork.
LONGEST_WAIT = 30.0

_PAUSE = 0.001


class ImportRefused(BackendError):
    """An import that cannot be made at this moment; a later one may succeed."""


class ImportBroken(BackendError):
    """An import that cannot be made in this process any more."""


class ImportGate:
    """Knows which threads import, so that forks wait for them, and which are about to fork.

    Every change is one operation of a dict, which no signal handler can divide.
    """

    def __init__(self) -> None:
        self._importing: dict[object, int] = {}
        self._forking: dict[object, int] = {}
        self._lost = False

    def run(self, subject: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that imports or compiles, once forks of other threads are over.

        Raises
        ------
        ImportRefused
            If this thread is inside of such a call already, if a fork has left one
            unfinished, or if the function fails because Python is shutting down. The
            message begins with ``subject``.
        """
        self._check(subject)
        entry = object()
        try:
            self._enter(entry)
            return function(*arguments)
        except ImportRefused:
            raise
        except Exception as error:
            if is_shutting_down():
                raise _at_shutdown(subject) from error
            raise
        finally:
            self._importing.pop(entry, None)

    def _check(self, subject: str) -> None:
        if sys.meta_path is None:
            raise _at_shutdown(subject)
        if threading.get_ident() in list(self._importing.values()):
            raise _interrupting(subject)
        if self._lost:
            why = "this process was forked while another thread imported"
            raise _refused(subject, f"is not imported yet, and {why}", " the fork")

    def _enter(self, entry: object) -> None:
        """Put the entry up, at a moment when no other thread is about to fork."""
        own = threading.get_ident()
        end = monotonic() + LONGEST_WAIT
        # A fork looks at the entries after it has put up its own. So one of the two waits.
        self._importing[entry] = own
        while set(self._forking.values()) - {own} and monotonic() < end:
            self._importing.pop(entry, None)
            sleep(_PAUSE)
            self._importing[entry] = own

    def _others(self) -> list[object]:
        own = threading.get_ident()
        return [entry for entry, thread in list(self._importing.items()) if thread != own]

    def before_fork(self) -> None:
        """Wait for imports of other threads, and keep them from beginning one."""
        self._forking[object()] = threading.get_ident()
        end = monotonic() + LONGEST_WAIT
        while self._others() and monotonic() < end:
            sleep(_PAUSE)

    def after_fork_in_parent(self) -> None:
        """Let other threads import again."""
        own = threading.get_ident()
        for entry, thread in list(self._forking.items()):
            if thread == own:
                self._forking.pop(entry, None)

    def after_fork_in_child(self) -> None:
        """Forget the other threads; what one of them has not finished stays lost."""
        self._forking.clear()
        for entry in self._others():
            self._lost = True
            self._importing.pop(entry, None)

    def register(self) -> None:
        """Have forks call this object, before they call what is registered by now.

        `logging` holds its lock during a fork, and libraries take that lock while they are
        imported. A fork that took it first would wait for an import that waits for it.
        """
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self.before_fork,
                after_in_parent=self.after_fork_in_parent,
                after_in_child=self.after_fork_in_child,
            )


gate = ImportGate()
gate.register()


def imported(name: str, subject: str = "", *packages: str) -> Any:
    """Return a module that is imported completely, typed as anything.

    ``packages`` are others that it imports; ``subject`` is what an error is about, the
    name of the module if left out.

    Raises
    ------
    ImportRefused
        If this call interrupts an import on its thread, or Python is shutting down.
    ImportBroken
        If an earlier import of its package, or of one of the others, was broken off.
    ImportError
        If it is not installed.
    """
    module = sys.modules.get(name)
    if module is not None and not is_initializing(module):
        return module
    packages = (name.partition(".")[0], *packages)
    _refuse_broken(subject or name, packages)
    return undivided(subject or name, packages, _import_whole, name)


def _import_whole(name: str) -> Any:
    """Import a module after its package, which another thread may be importing.

    Python itself does not wait for that thread before it imports a part of the package.
    """
    import_module(name.partition(".")[0])
    return import_module(name)


def _refuse_broken(subject: str, packages: Iterable[str]) -> None:
    """Refuse packages of which an import that was broken off has left parts.

    Python forgets the package then, but not its parts. A second import finds those, and
    ends without an error and without the names that the first one would have set. None in
    the place of a part only keeps it from being imported.
    """
    present = [name for name, part in list(sys.modules.items()) if part is not None]
    for package in packages:
        if package not in sys.modules and any(
            name.startswith(f"{package}.") for name in present
        ):
            msg = (
                f"{subject} cannot be imported: an earlier import of {package} in this "
                "process was broken off, by Ctrl-C or an error, and left parts of it "
                "behind. Restart the process. If it happens there too, "
                f"`import {package}` says why."
            )
            raise ImportBroken(msg)


def undivided(
    subject: str, packages: Iterable[str], function: Callable[..., Any], *arguments: Any
) -> Any:
    """Call a function that imports from these packages, at a moment when it can.

    Raises
    ------
    ImportRefused
        As in `ImportGate.run`, and if this call interrupts another import from mtconv or
        from these packages, so that what the function returned may not be complete.
    """
    roots = {"mtconv", *packages}
    try:
        result = gate.run(subject, function, *arguments)
    except ImportRefused:
        raise
    except Exception as error:
        if _interrupts_import(roots):
            raise _interrupting(subject) from error
        raise
    if _interrupts_import(roots):
        raise _interrupting(subject)
    return result


def is_shutting_down() -> bool:
    """Return whether the main thread has ended, so that exit functions run, or later."""
    return sys.is_finalizing() or not threading.main_thread().is_alive()


def refuse_at_shutdown(subject: str) -> None:
    """Raise `ImportRefused` while Python is shutting down, in place of an `ImportError`.

    SciPy, for one, imports within its own functions, in every call.
    """
    if is_shutting_down():
        msg = f"{subject} cannot be imported while Python is shutting down."
        raise ImportRefused(msg)


def is_initializing(module: object) -> bool:
    """Return whether a module is being imported, by whichever thread."""
    # The mark that Python's own import system goes by.
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _interrupts_import(roots: set[str]) -> bool:
    """Return whether this thread is in the middle of an import from these packages."""
    frame = sys._getframe() if hasattr(sys, "_getframe") else None
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if (
            frame.f_code.co_name == "<module>"
            and isinstance(name, str)
            and name.partition(".")[0] in roots
            and is_initializing(sys.modules.get(name))
        ):
            return True
        frame = frame.f_back
    return False


def _at_shutdown(subject: str) -> ImportRefused:
    return _refused(subject, "cannot be imported while Python is shutting down", "")


def _interrupting(subject: str) -> ImportRefused:
    why = "this call, from a signal handler or a finalizer, interrupts an import"
    return _refused(subject, f"is not imported yet, and {why}", " handlers are set")


def _refused(subject: str, why: str, moment: str) -> ImportRefused:
    advice = f"Make one call of mtconv with the same kind of arrays before{moment}."
    return ImportRefused(f"{subject} {why}. {advice}")
