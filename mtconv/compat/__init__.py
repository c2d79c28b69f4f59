"""The calls of other frameworks, with their names, defaults and quirks, on any array.

None of these modules imports the framework whose call it has. Each one is a translation
of arguments into mtconv's own relation and a rule for the order of the kernel's axes; the
registry lists them.
"""

from mtconv.compat import registry as registry
from mtconv.compat.checkpoint import convert_checkpoint as convert_checkpoint
from mtconv.compat.conversion import convert as convert
from mtconv.compat.conversion import convert_kernel as convert_kernel
from mtconv.compat.registry import *  # noqa: F403

__all__ = ["convert", "convert_checkpoint", "convert_kernel"]
__all__ += registry.__all__
