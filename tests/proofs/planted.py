"""Off-by-one mistakes in the source of `mtconv.geometry`, one at a time.

Every whole number in the body of a function becomes one more, and every comparison by less
one by less or equal, and the other way round.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from tests.proofs.library import SOURCE

FLIPPED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


class Mistake(NamedTuple):
    """One changed line, and the whole source with it."""

    function: str
    line: int
    before: str
    after: str
    source: str


def places(tree: ast.Module) -> Iterator[tuple[str, ast.AST, int]]:
    """List what can be changed: a number, or one of the signs of a comparison."""
    for function in tree.body:
        methods = function.body if isinstance(function, ast.ClassDef) else [function]
        for method in methods:
            if not isinstance(method, ast.FunctionDef):
                continue
            for node in (inner for line in method.body for inner in ast.walk(line)):
                if isinstance(node, ast.Constant) and type(node.value) is int:
                    yield method.name, node, 0
                if isinstance(node, ast.Compare):
                    for number, sign in enumerate(node.ops):
                        if type(sign) in FLIPPED:
                            yield method.name, node, number


def mistakes() -> Iterator[Mistake]:
    """Yield every planted mistake."""
    for number in range(len(list(places(ast.parse(SOURCE))))):
        tree = ast.parse(SOURCE)
        function, node, sign = list(places(tree))[number]
        if isinstance(node, ast.Constant):
            node.value += 1
        else:
            node.ops[sign] = FLIPPED[type(node.ops[sign])]()
        before, after = ast.unparse(ast.parse(SOURCE)), ast.unparse(tree)
        pairs = zip(before.splitlines(), after.splitlines(), strict=True)
        old, new = next((old, new) for old, new in pairs if old != new)
        yield Mistake(function, node.lineno, old.strip(), new.strip(), after)
