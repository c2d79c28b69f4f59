"""BLAS on one thread, while mtconv's own threads keep the processors busy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from mtconv.importing import ImportRefused, undivided

__all__ = ["BlasGuard", "guard"]

_Result = TypeVar("_Result")


class BlasGuard:
    """Limits BLAS to one thread while any call needs that; the last call restores it.

    A signal handler or a finalizer can run while this thread changes the limit. Its calls
    see the lock in their own thread and do without the limit.
    """

    def __init__(self) -> None:
        self._libraries: list[Any] | None = None
        self._before: list[int] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the calls of other threads, which a fork leaves behind.

        A limit stays known, so that the next call restores it.
        """
        # Reentrant, and taken and released by C code, which no exception can divide.
        self._lock = threading.RLock()
        self._users: set[object] = set()

    def usable(self) -> bool:
        """Return whether threadpoolctl finds NumPy's BLAS, and no change is under way."""
        if self._changing():
            return False
        if self._libraries is None:
            # Not under the lock: an import can wait for another thread.
            try:
                self._libraries = undivided("BLAS", ("threadpoolctl",), _blas_libraries)
            except ImportRefused:  # for this call alone
                return False
        return bool(self._libraries)

    def _changing(self) -> bool:
        """Return whether this thread is inside the lock."""
        owned: bool = self._lock._is_owned()  # type: ignore[attr-defined]
        return owned

    def on_one_thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call a function while BLAS is limited to one thread, and return its result.

        An interrupt can skip the exit of a context manager, but not this.
        """
        user = object()
        try:
            self._enter(user)
            return function(*arguments)
        finally:
            try:
                self._leave(user)
            except BaseException:  # an interrupt: what it cut short is done again
                self._leave(user)
                raise

    def _enter(self, user: object) -> None:
        with self._lock:
            self._users.add(user)
            if self._before is None:
                self._limit()

    def _leave(self, user: object) -> None:
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._restore()

    def _limit(self) -> None:
        libraries = self._libraries or []
        # Known before anything changes, so that an interrupt loses no number.
        self._before = [library.num_threads for library in libraries]
        for library in libraries:
            _set_threads(library, 1)

    def _restore(self) -> None:
        # Not strict: an interrupted `_limit` may have noted no numbers.
        for library, number in zip(self._libraries or [], self._before or [], strict=False):
            _set_threads(library, number)
        self._before = None


def _set_threads(library: Any, number: int) -> None:
    """Set the number of threads of a BLAS, whichever thread has set it before.

    Later versions of threadpoolctl let one thread set it, and pass over what others ask.
    The thread that lifts a limit here may be another than the one that set it, and may end
    before any other call.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(number)
    if release is not None:
        release(force=True)


def _blas_libraries() -> list[Any]:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


guard = BlasGuard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: guard.reset())
