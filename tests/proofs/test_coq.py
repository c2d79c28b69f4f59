"""The file that Coq checks, and its definitions beside those of `mtconv.geometry`.

Coq proves the statements of relation.v for all sizes, strides and dilations. That they are
about mtconv is seen here: both compute the same integers for every small axis, and the same
three maps.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mtconv
from mtconv.geometry import Axis, phases, restrict, touched_big, touched_small, windows

COQC = shutil.which("coqc")
SOURCE = Path(__file__).with_name("relation.v")

pytestmark = pytest.mark.skipif(COQC is None, reason="needs coqc: nox -s coq")

THEOREMS = re.findall(r"^ *(?:Theorem|Corollary) (\w+)", SOURCE.read_text(), re.M)

HEAD = "Require Import relation ZArith List. Import ListNotations. Open Scope Z_scope.\n"

ROWS = """
Definition upto (n : Z) : list Z := map Z.of_nat (seq 0 (Z.to_nat n)).
Definition window_row (a : axis) (j : Z) : list Z :=
  if window_start a j <? window_stop a j
  then [j; window_start a j; window_stop a j; window_big a j] else [].
Definition phase_row (a : axis) (r : Z) : list Z :=
  [r; phase_cells a r; phase_tap a r; tap_step a; phase_taps a r; phase_shift a r;
   shift_step a].
Definition pair_row (p : Z * Z) : list Z := [fst p; snd p].
Definition blocks (n : Z) : list (Z * Z) :=
  flat_map (fun b => map (fun c => (b, c)) (filter (Z.leb b) (upto (n + 1))))
    (upto (n + 1)).
Definition row (a : axis) : list Z :=
  extent a :: flat_map (window_row a) (upto (kernel a))
  ++ flat_map (phase_row a) (upto (Z.min (stride a) (big a)))
  ++ flat_map (fun b => pair_row (touched_small a (fst b) (snd b))
                 ++ [lo (restrict a (touched_small a (fst b) (snd b)) b)]) (blocks (big a))
  ++ flat_map (fun b => pair_row (touched_big a (fst b) (snd b))) (blocks (small a)).
"""


def small_axes():
    sizes = itertools.product(range(4), range(6), range(1, 5), range(1, 5), range(1, 4))
    for number, sizes_of_one in enumerate(sizes):
        yield Axis(*sizes_of_one, lo=number % 7 - 3)  # 7 and the ranges share no factor


def blocks(size):
    return [(a, b) for a in range(size + 1) for b in range(a, size + 1)]


def row(axis):
    """The integers of an axis, in the order of Coq's `row`."""
    yield axis.extent
    for window in windows(axis):
        yield from window
    for phase in phases(axis):
        yield from phase
    for block in blocks(axis.big):
        halo = touched_small(axis, *block)
        yield from (*halo, restrict(axis, halo, block).lo)
    for block in blocks(axis.small):
        yield from touched_big(axis, *block)


def literal(axis):
    numbers = (axis.small, axis.big, axis.kernel, axis.stride, axis.dilation, axis.lo)
    return "Axis " + " ".join(f"({number})" for number in numbers)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder with the compiled file: Coq has checked every proof in it."""
    folder = tmp_path_factory.mktemp("coq")
    shutil.copy(SOURCE, folder)
    coq(folder, "relation.v")
    return folder


def coq(folder, name):
    command = [COQC, "-q", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def computed(folder, text):
    """The lists of integers that the commands of a text print."""
    (folder / "asked.v").write_text(HEAD + text)
    answers = coq(folder, "asked.v").split(": list")[:-1]
    return [[int(n) for n in re.findall(r"-?\d+", answer)] for answer in answers]


def test_every_statement_is_proved_without_an_assumption(compiled):
    assert len(THEOREMS) >= 13
    text = "".join(f"Print Assumptions {name}.\n" for name in THEOREMS)
    (compiled / "asked.v").write_text(HEAD + text)
    answers = coq(compiled, "asked.v").split("\n")[:-1]
    assert answers == ["Closed under the global context"] * len(THEOREMS)


def test_an_assumption_would_be_seen(compiled):
    text = "Axiom guess : 1 = 2. Lemma use : 1 = 2. Proof. exact guess. Qed.\n"
    (compiled / "asked.v").write_text(HEAD + text + "Print Assumptions use.\n")
    assert "guess : 1 = 2" in coq(compiled, "asked.v")


def test_the_definitions_are_those_of_geometry(compiled):
    axes = list(small_axes())
    parts = [axes[start : start + 48] for start in range(0, len(axes), 48)]
    asked = [
        f"Eval vm_compute in (flat_map row [{'; '.join(map(literal, part))}]).\n"
        for part in parts
    ]
    for part, integers in zip(
        parts, computed(compiled, ROWS + "".join(asked)), strict=True
    ):
        assert integers == [number for axis in part for number in row(axis)]


def maps(axis, x, w, y):
    """Coq's text for the three maps over the integers, one after the other."""
    functions = {}
    for name, values in (("x", x), ("w", w), ("y", y)):
        numbers = "; ".join(f"({value})" for value in values)
        functions[name] = f"(fun k => nth (Z.to_nat k) [{numbers}] 0)"
    x, w, y = functions.values()
    ring, a = "Z 0 1 Z.add Z.mul", f"({literal(axis)})"
    return " ++ ".join(
        [
            f"map (conv_transpose {ring} {a} {x} {w}) (upto {axis.big})",
            f"map (conv {ring} {a} {y} {w}) (upto {axis.small})",
            f"map (kernel_grad {ring} {a} {x} {y}) (upto {axis.kernel})",
        ]
    )


def test_the_three_maps_are_those_of_mtconv(compiled):
    random = np.random.default_rng(0)
    parts, expected = [], []
    for n, k, stride, dilation in itertools.product((1, 3), (1, 2, 3), (1, 2, 3), (1, 2)):
        lo, hi = 1, dilation * (k - 1) - 1
        size = stride * (n - 1) + dilation * (k - 1) + 1 - lo - hi
        if size < 1 or lo > dilation * (k - 1):
            continue
        x, w, y = (random.integers(-9, 10, count) for count in (n, k, size))
        options = {"stride": stride, "dilation": dilation, "padding": [(lo, hi)]}
        parts.append(maps(Axis(n, size, k, stride, dilation, lo), x, w, y))
        expected += mtconv.conv_transpose(x, w, **options).tolist()
        expected += mtconv.conv(y, w, **options).tolist()
        expected += mtconv.kernel_grad(x, y, kernel_size=(k,), **options).tolist()
    (integers,) = computed(compiled, f"{ROWS}Eval vm_compute in ({' ++ '.join(parts)}).\n")
    assert integers == expected
    assert len(parts) >= 20
