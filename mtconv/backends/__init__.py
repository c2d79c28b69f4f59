"""Interpreters of a plan, one per array library; imported only when asked for."""

from mtconv.backends.register import register as register
from mtconv.backends.register import unregister as unregister
from mtconv.planning.support import Support as Support

__all__ = ["Support", "register", "unregister"]
