"""Find out what a function takes, by calling it on one small problem after another."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtconv.problem.options import PADDING_MODES
from mtconv.testing.calls import Caller, Title
from mtconv.testing.case import Case
from mtconv.testing.classic import Entry, build
from mtconv.testing.memory import MEMORY
from mtconv.testing.words import DTYPES

__all__ = ["Accepted", "ask"]

# What every function takes; the others are optional, and asked for.
_PLAIN_MEMORY = MEMORY[:6]


@dataclass(frozen=True)
class Accepted:
    """What a function was checked for, and what it refused when it was asked.

    Parameters
    ----------
    dtypes, memory, padding_modes : tuple of str
        Names of dtypes, of ways that arrays lie in memory (`mtconv.strategies.problems`
        has them), and of padding modes.
    output_size : bool
        Whether it takes this option.
    refused : dict of str to str
        What it does not take, and what it raised.
    """

    dtypes: tuple[str, ...]
    memory: tuple[str, ...]
    padding_modes: tuple[str, ...] = ("zeros",)
    output_size: bool = False
    refused: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"dtypes: {', '.join(self.dtypes)}", f"memory: {', '.join(self.memory)}"]
        lines.append(f"padding modes: {', '.join(self.padding_modes)}")
        lines.append(f"output_size: {'yes' if self.output_size else 'no'}")
        lines += [f"refused {name}: {error}" for name, error in self.refused.items()]
        return "\n".join(lines)


def ask(
    function: Callable[..., Any],
    entry: Entry,
    *,
    dtypes: Sequence[str] | None = None,
    padding_modes: Sequence[str] | None = None,
    options: Collection[str] | None = None,
) -> Accepted:
    """Call a function on one small problem in every dtype, memory and optional option.

    What is given is not asked for: the function has to take it. An exception counts as
    a refusal; if it refuses every dtype, the first exception is raised.
    """
    refused: dict[str, str] = {}
    accepted = tuple(dtypes or _dtypes(function, entry, refused))
    base = build(entry, 0, accepted[0], "contiguous")
    memory = list(_PLAIN_MEMORY)
    memory += [
        word
        for word in MEMORY[len(_PLAIN_MEMORY) :]
        if _takes(function, build(entry, 0, accepted[0], word), word, refused)
    ]
    modes = tuple(padding_modes or ("zeros", *_modes(function, base, refused)))
    sized = "output_size" in options if options is not None else _sized(function, base)
    return Accepted(accepted, tuple(memory), modes, sized, refused)


def _dtypes(
    function: Callable[..., Any], entry: Entry, refused: dict[str, str]
) -> list[str]:
    accepted, first = [], None
    for dtype in DTYPES:
        if dtype == "bfloat16" and not _bfloat16():
            continue
        try:
            function(*_arrays(build(entry, 0, dtype, "contiguous")))
        except Exception as error:
            refused[dtype] = f"{type(error).__name__}: {error}"
            first = first or error
        else:
            accepted.append(dtype)
    if not accepted and first is not None:
        first.add_note("The function takes none of the dtypes that it was asked about.")
        raise first
    return accepted


def _bfloat16() -> bool:
    """Return whether bfloat16 is there, after bringing it where it can be brought."""
    if importlib.util.find_spec("ml_dtypes") is None:
        return False
    importlib.import_module("ml_dtypes")
    return True


def _arrays(case: Case) -> tuple[Any, Any, Any]:
    return case.x, case.kernel, case.bias


def _takes(
    function: Callable[..., Any], case: Case, name: str, refused: dict[str, str]
) -> bool:
    try:
        Caller(function)(case, Title(case))
    except AssertionError:
        return True  # wrong is not refused; the checks will say so
    except Exception as error:
        refused[name] = f"{type(error).__name__}: {error}"
        return False
    return True


def _modes(function: Callable[..., Any], base: Case, refused: dict[str, str]) -> list[str]:
    """List the padding modes, of a function that reads the option and knows the word."""
    if _answers(function, base, padding_mode="no such mode") is not None:
        return []
    accepted = []
    for mode in PADDING_MODES[1:]:
        padded = _answers(function, base, padding_mode=mode, padding=1)
        if padded is not None:
            accepted.append(mode)
    rest = [mode for mode in PADDING_MODES[1:] if mode not in accepted]
    if rest:
        refused["padding_mode"] = f"{', '.join(rest)} raise an exception"
    return accepted


def _sized(function: Callable[..., Any], base: Case) -> bool:
    """Return whether output_size is read: a legal size works, and another one raises."""
    sizes = tuple(2 * (axis.small - 1) + axis.extent + 1 for axis in base.spec.axes)
    legal = _answers(function, base, stride=2, output_size=sizes)
    illegal = _answers(function, base, output_size=tuple(size + 50 for size in sizes))
    return legal is not None and illegal is None


def _answers(function: Callable[..., Any], base: Case, **options: Any) -> Any:
    try:
        return np.asarray(function(*_arrays(base), **options))
    except Exception:
        return None
