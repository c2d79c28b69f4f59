"""Two maps that should be transposes: call them, compare them, and find where they part."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtconv.testing.inner import Comparison, compare_products
from mtconv.testing.probes import alike, probes

__all__ = ["Pair", "PairRules"]

# Up to so many elements on both sides together, every unit vector is tried.
_MOST_UNITS = 200

Array = NDArray[Any]


class PairRules(NamedTuple):
    """How inner products are compared."""

    conjugate: bool = False
    exact: bool = False
    terms: int | None = None


class Pair:
    """Two callables, and the checks that they are linear and transposes of one another.

    Parameters
    ----------
    f, f_transposed : callable
        The maps.
    rules : PairRules
        How inner products are compared.
    """

    def __init__(
        self, f: Callable[[Any], Any], f_transposed: Callable[[Any], Any], rules: PairRules
    ) -> None:
        self._maps = {"f": f, "f_transposed": f_transposed}
        self._rules = rules
        self._earlier: dict[str, tuple[Any, bytes]] = {}

    def check(self, x: Any, y: Any) -> None:
        """Raise AssertionError unless the maps are transposes on these and other arrays."""
        small = np.array(x)
        raw, fx = self._call("f", x)
        if y is None:
            values = (np.arange(fx.size) * 5 % 9 - 3).reshape(fx.shape)
            y = alike(raw, values)
            y = values.astype(fx.dtype) if y is None else y
        big = np.array(y)
        if big.shape != fx.shape:
            msg = f"y has shape {big.shape}, but f(x) has shape {fx.shape}"
            raise AssertionError(msg)
        fty = self._call("f_transposed", y)[1]
        if fty.shape != small.shape:
            msg = (
                f"f takes shape {small.shape} to {fx.shape}, but f_transposed takes "
                f"{big.shape} to {fty.shape}: transposes map back"
            )
            raise AssertionError(msg)
        xs, ys = [(small, fx)], [(big, fty)]
        self._compare(xs, ys, (x, y))
        if not small.size or not big.size:
            return
        self._check_zero("f", x)
        self._check_zero("f_transposed", y)
        xs += self._probes("f", x)
        ys += self._probes("f_transposed", y)
        self._compare(xs, ys, (x, y))
        if small.size + big.size <= _MOST_UNITS:
            difference = self._differing_entry(x, y)
            if difference is not None:
                msg = f"not adjoint: {difference}"
                raise AssertionError(msg)

    def _call(self, name: str, argument: Any) -> tuple[Any, Array]:
        """Return what a map gives for a copy of an array, also as a NumPy array."""
        try:
            handed = copy.deepcopy(argument)
        except Exception:  # a library whose arrays have no copies: they are not written to
            handed = argument
        before = np.array(handed).tobytes()
        raw = self._maps[name](handed)
        result = np.array(raw)
        if np.array(handed).tobytes() != before:
            msg = f"{name} has changed its argument"
            raise AssertionError(msg)
        for words, (array, content) in self._earlier.items():
            if np.array(array).tobytes() != content:
                msg = f"{name} has changed {words} of an earlier call"
                raise AssertionError(msg)
        self._earlier[f"the argument of {name}"] = handed, before
        self._earlier[f"the result of {name}"] = raw, result.tobytes()
        return raw, result

    def _probes(self, name: str, model: Any) -> list[tuple[Array, Array]]:
        """Call a map with other arrays than the one there is."""
        pairs = []
        for values in probes(np.asarray(model), exact=self._rules.exact):
            array = alike(model, values)
            if array is not None:
                pairs.append((np.array(array), self._call(name, array)[1]))
        return pairs

    def _check_zero(self, name: str, model: Any) -> None:
        array = alike(model, np.zeros(np.shape(model)))
        if array is None:
            return
        result = self._call(name, array)[1]
        if (result != 0).any():
            index = tuple(int(i) for i in np.argwhere(result != 0)[0])
            msg = (
                f"{name} is not linear: it takes zeros to {result[index]} at index {index}"
            )
            raise AssertionError(msg)

    def _compare(
        self,
        xs: list[tuple[Array, Array]],
        ys: list[tuple[Array, Array]],
        models: tuple[Any, Any],
    ) -> None:
        """Compare the inner products of all pairs."""
        for x, fx in xs:
            for y, fty in ys:
                result = self._products(x, fx, y, fty)
                if not result.equal:
                    msg = (
                        f"not adjoint: <f(x), y> = {result.left} and "
                        f"<x, f_transposed(y)> = {result.right} {result.words}"
                    )
                    raise AssertionError(msg + self._place(x, y, models))

    def _products(self, x: Array, fx: Array, y: Array, fty: Array) -> Comparison:
        conjugate, exact, terms = self._rules
        return compare_products(
            x, fx, y, fty, conjugate=conjugate, exact=exact, terms=terms
        )

    def _place(self, x: Array, y: Array, models: tuple[Any, Any]) -> str:
        """Describe where both sides part, where other arrays can be made to find out."""
        if any(alike(model, np.zeros(np.shape(model))) is None for model in models):
            return ""
        if x.size + y.size <= _MOST_UNITS:
            difference = self._differing_entry(*models)
        else:
            difference = self._entry(*self._bisected(x, y, models), models)
        if difference is None:
            return "; no pair of unit vectors shows it: one of the maps is not linear"
        return f"; {difference}"

    def _bisected(self, x: Array, y: Array, models: tuple[Any, Any]) -> tuple[int, int]:
        """Halve x, then y, and keep the half where the products differ more."""
        arrays = [x, y]
        for side in (0, 1):
            spots = np.arange(arrays[side].size)
            while len(spots) > 1:
                halves = np.array_split(spots, 2)
                kept = []
                for half in halves:
                    part = np.zeros_like(arrays[side])
                    part.flat[half] = arrays[side].flat[half]
                    kept.append(part)
                gaps = [
                    self._gap(*((part, y) if side == 0 else (arrays[0], part)), models)
                    for part in kept
                ]
                best = int(gaps[1] > gaps[0])
                spots, arrays[side] = halves[best], kept[best]
        return tuple(int(np.argmax(array != 0)) for array in arrays)  # type: ignore[return-value]

    def _gap(self, x: Array, y: Array, models: tuple[Any, Any]) -> float:
        fx = self._call("f", alike(models[0], x))[1]
        fty = self._call("f_transposed", alike(models[1], y))[1]
        gap = self._products(x, fx, y, fty).gap
        return gap if gap == gap else np.inf

    def _differing_entry(self, x: Any, y: Any) -> str | None:
        """Return the first entry of the full matrix where both maps differ, in words."""
        shapes = np.shape(x), np.shape(y)
        columns = [self._unit("f", x, i) for i in range(int(np.prod(shapes[0])))]
        rows = [self._unit("f_transposed", y, o) for o in range(int(np.prod(shapes[1])))]
        for i, column in enumerate(columns):
            for o, row in enumerate(rows):
                text = self._difference(i, o, column, row)
                if text is not None:
                    return text
        return None

    def _entry(self, i: int, o: int, models: tuple[Any, Any]) -> str | None:
        column = self._unit("f", models[0], i)
        return self._difference(i, o, column, self._unit("f_transposed", models[1], o))

    def _unit(self, name: str, model: Any, spot: int) -> Array:
        values = np.zeros(np.shape(model))
        values.flat[spot] = 1
        array = alike(model, values)
        return self._call(name, array)[1] if array is not None else np.zeros(0)

    def _difference(self, i: int, o: int, column: Array, row: Array) -> str | None:
        """Compare one entry: what f has at o for unit vector i, and the other way round."""
        if not column.size or not row.size:
            return None
        e_i, e_o = np.zeros(row.shape, row.dtype), np.zeros(column.shape, column.dtype)
        e_i.flat[i], e_o.flat[o] = 1, 1
        if self._products(e_i, column, e_o, row).equal:
            return None
        small, big = (
            tuple(int(n) for n in np.unravel_index(*spot))
            for spot in ((i, row.shape), (o, column.shape))
        )
        return (
            f"f takes the unit vector at index {small} to {column[big]} at index {big}, "
            f"but f_transposed takes the one at {big} to {row[small]} at {small}"
        )
