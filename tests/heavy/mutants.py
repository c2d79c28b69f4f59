"""The mutants of a file: what cosmic-ray's operators make of it, less what says nothing.

Left out are mutants in annotations (nothing evaluates them), in decorators that only cache
(speed, never a result), and those that Python refuses or warns of when it compiles them.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

CACHES = ("lru_cache", "cache")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the n-th place where an operator applies."""

    path: Path
    line: int
    operator: str
    occurrence: int
    # What its outcome is kept under: in another text of the function it is another.
    key: str

    def source(self) -> str | None:
        """The whole file with the change; None where it says nothing."""
        return _mutated(self)

    def describe(self) -> str:
        """Name the line, before and after."""
        before = source_of(self.path).split("\n")
        after = (self.source() or "").split("\n")
        pairs = zip(before, after, strict=False)
        old, new = next(((a, b) for a, b in pairs if a != b), (before[self.line - 1], ""))
        return f"{self.path}:{self.line}: {old.strip()}  ->  {new.strip()}"


@cache
def source_of(path: Path) -> str:
    return path.read_text()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(source_of(path))


@lru_cache(maxsize=16)
def _mutated(mutant: Mutant) -> str | None:
    operator = get_operator(mutant.operator)()
    text: str = mutate_code(source_of(mutant.path), operator, mutant.occurrence)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            tree = ast.parse(text)
            compile(tree, str(mutant.path), "exec")
        except SyntaxError:
            return None
    return None if ast.dump(tree) == ast.dump(tree_of(mutant.path)) else text


def mutants_of(path: Path) -> Iterator[Mutant]:
    """List all mutants of a file in the order of cosmic-ray's operators."""
    quiet = list(_quiet(tree_of(path)))
    nodes = list(ast_nodes(get_ast(source_of(path))))
    for name in operator_names():
        kind = get_operator(name)
        if kind.arguments():  # those need to be told which variables
            continue
        operator = kind()
        positions = [p for node in nodes for p in operator.mutation_positions(node)]
        within: Counter[str] = Counter()
        for occurrence, (start, _) in enumerate(positions):
            if any(first <= start < stop for first, stop in quiet):
                continue
            scope = f"{path}:{_scope(path, start[0])}:{name.removeprefix('core/')}"
            within[scope] += 1
            yield Mutant(path, start[0], name, occurrence, f"{scope}:{within[scope]}")


def _scope(path: Path, line: int) -> str:
    """Name the function or class at the top level that has a line, and hash its text."""
    for node in tree_of(path).body:
        first = min(n.lineno for n in (node, *getattr(node, "decorator_list", ())))
        if first <= line <= (node.end_lineno or node.lineno):
            text = "\n".join(source_of(path).split("\n")[first - 1 : node.end_lineno])
            name = getattr(node, "name", "module")
            return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return "module"


def _quiet(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Find the spans of annotations and of decorators that cache."""
    for node in ast.walk(tree):
        spans = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for decorator in getattr(node, "decorator_list", ()):
            name = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(name, ast.Name) and name.id in CACHES:
                yield (decorator.lineno, 0), (decorator.end_lineno + 1, 0)
        for span in spans:
            if isinstance(span, ast.expr):
                end = (span.end_lineno or span.lineno, span.end_col_offset or 0)
                yield (span.lineno, span.col_offset), end


def statement_at(path: Path, line: int) -> range | None:
    """Lines of the innermost statement, or of its head if it has a body of its own.

    None for what runs on import: modules, classes and the heads of functions.
    """
    best: range | None = None
    for function in ast.walk(tree_of(path)):
        if not isinstance(function, ast.FunctionDef):
            continue
        if not function.body[0].lineno <= line <= (function.end_lineno or 0):
            continue
        for node in (inner for s in function.body for inner in ast.walk(s)):
            if not isinstance(node, ast.stmt):
                continue
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            span = range(node.lineno, max(last or 0, node.lineno) + 1)
            if line in span and (best is None or len(span) < len(best)):
                best = span
    return best
