"""NumPy's error state while blocks are computed: the caller's, without invalid values.

BLAS may compute with what lies behind its matrices and throw the result away. That a value
was invalid says nothing about those that it was given.

NumPy keeps the state in a context variable. A call sets none in the caller's context, but
runs in a context of its own. CPython 3.11 can crash where a context variable is set while
garbage is collected and a finalizer sets one in the same context, and a finalizer may call
mtconv.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Any

import numpy as np

__all__ = ["quiet_context"]

# Contexts by the settings of their callers; they are copied, never entered.
_contexts: dict[tuple[Any, ...], Context] = {}


def quiet_context() -> Context:
    """Return a context in which NumPy says nothing of invalid values."""
    state = np.geterr()
    settings = tuple(state.values())
    if "call" in settings or "log" in settings:
        # What the caller wants to be called may look at the caller's variables.
        return _quieted(copy_context(), state)
    context = _contexts.get(settings)
    if context is None:
        context = _contexts[settings] = _quieted(Context(), state)
    return context.copy()


def _quieted(context: Context, state: Any) -> Context:
    context.run(lambda: np.seterr(**{**state, "invalid": "ignore"}))
    return context
