"""Ways to break into a call: at a line, at an allocation, by a signal, by the collector."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import mtconv

__all__ = [
    "AtEvent",
    "Provoked",
    "allocations_fail",
    "finalized_garbage",
    "frequent_collections",
    "inside_mtconv",
    "interrupted",
    "repeated_alarms",
    "watch",
    "within_call",
]

ROOT = str(Path(mtconv.__file__).parent) + os.sep

Action = Callable[[], None]


class Provoked(BaseException):
    """An exception that nothing expects, as KeyboardInterrupt is one."""


def inside_mtconv(frame: FrameType) -> bool:
    """Return whether a frame runs code of mtconv."""
    return frame.f_code.co_filename.startswith(ROOT)


def watch() -> None:
    """End the process, with all stacks, unless this is called again within a minute."""
    faulthandler.dump_traceback_later(60, exit=True)


class AtEvent:
    """Do something at an event of the code of mtconv, counted from 1.

    Events are lines, or the instructions of the interpreter where ``finely`` is set. What
    the action raises is raised by the code itself.
    """

    def __init__(self, number: int, action: Action, *, finely: bool = False) -> None:
        self.number, self.action, self.finely = number, action, finely
        self.events = 0

    @property
    def acted(self) -> bool:
        """Return whether the event came."""
        return self.events >= self.number > 0

    def __enter__(self) -> AtEvent:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        del event, argument
        if not inside_mtconv(frame):
            return None
        frame.f_trace_opcodes = self.finely
        return self._event

    def _event(self, frame: FrameType, event: str, argument: object) -> Any:
        del frame, argument
        if event == ("opcode" if self.finely else "line"):
            self.events += 1
            if self.events == self.number:
                self.action()
        return self._event


ALLOCATING = (
    *("empty", "zeros", "ones", "full", "empty_like", "zeros_like", "ones_like"),
    *("full_like", "array", "copy", "ascontiguousarray", "pad", "concatenate", "stack"),
    *("arange", "repeat", "tile", "where"),
)


class Allocations:
    """Counts the arrays that mtconv asks for; one of them is refused."""

    def __init__(self, number: int) -> None:
        self.number, self.refused = number, False
        self._numbers = count()

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Refuse an array of this function where its turn comes."""

        def allocate(*arguments: Any, **named: Any) -> Any:
            if inside_mtconv(sys._getframe(1)) and next(self._numbers) == self.number:
                self.refused = True
                msg = "provoked"
                raise MemoryError(msg)
            return real(*arguments, **named)

        return allocate


@contextmanager
def allocations_fail(number: int) -> Iterator[Allocations]:
    """Let the allocation of this number, counted from 0, end in a MemoryError."""
    allocations = Allocations(number)
    real = {name: getattr(np, name) for name in ALLOCATING}
    try:
        for name, function in real.items():
            setattr(np, name, allocations.wrap(function))
        yield allocations
    finally:
        for name, function in real.items():
            setattr(np, name, function)


def interrupted(work: Action, delay: float, times: int, gap: float) -> int:
    """Repeat work until Ctrl-C came so many times; return how often it was raised.

    An interrupt can be lost where Python cannot raise, in a finalizer; then the work
    ends with the second in which it was due.
    """
    left, raised = times, 0
    end = time.perf_counter() + delay + 1

    def strike(*_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            if left:
                signal.setitimer(signal.ITIMER_REAL, gap)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        while left and time.perf_counter() < end:
            try:
                while left and time.perf_counter() < end:
                    work()
            except KeyboardInterrupt:
                raised += 1
    except KeyboardInterrupt:
        raised += 1
    left = 0
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    return raised


@contextmanager
def repeated_alarms(action: Action, seconds: float) -> Iterator[None]:
    """Call something from a signal handler, and again some time after it ended."""
    armed = True

    def handle(*_: object) -> None:
        if armed:
            action()
            signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def frequent_collections(threshold: int) -> Iterator[None]:
    """Collect garbage, all generations, after so many new objects."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what is there already need not be looked at every time
    gc.set_threshold(threshold, 1, 1)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def within_call() -> bool:
    """Return whether the caller interrupts a call of mtconv."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if inside_mtconv(frame):
            return True
        frame = frame.f_back
    return False


class _Node:
    """Garbage that only the collector frees: it refers to itself."""

    def __init__(self, action: Action | None) -> None:
        self.itself, self.action = self, action

    def __del__(self) -> None:
        if self.action is not None:
            self.action()


# Weak references must outlive what they refer to, or their callbacks are not called.
_references: list[Any] = []


def finalized_garbage(action: Action, *, weakly: bool) -> None:
    """Leave garbage behind, the finalizer or weak reference of which does something."""
    if weakly:
        del _references[:-50]
        _references.append(weakref.ref(_Node(None), lambda _: action()))
    else:
        _Node(action)
