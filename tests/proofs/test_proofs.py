"""The proofs, in small: every statement for two triples, and mistakes that are found.

`python -m nox -s proofs` settles them for all 168 triples and finds all mistakes.
"""

import pytest

pytest.importorskip("z3")

from mtconv import geometry
from tests.proofs.claims import Triple
from tests.proofs.library import load
from tests.proofs.planted import mistakes
from tests.proofs.prove import FEW, counterexample, found_by, triples
from tests.proofs.statements import STATEMENTS
from tests.proofs.symbolic import Symbol, paths

# Modulo 1 every inverse is 0, so those changes change nothing.
EVERY = [mistake for mistake in mistakes() if "inverse = pow" not in mistake.before]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("triple", [Triple(3, 2, 1), Triple(2, 2, 2)])
def test_statements_hold(statement, triple):
    assert counterexample(statement, load(), triple) is None


def test_every_function_of_an_axis_has_a_statement():
    named = [name for names in STATEMENTS.values() for name in names]
    assert sorted(named) == sorted(geometry.__all__)


def test_the_ranges_are_those_of_the_page():
    assert len(list(triples())) == 7 * 6 * 4
    assert set(FEW) <= set(triples())


@pytest.mark.parametrize("number", range(0, len(EVERY), 15))
def test_planted_mistakes_are_found(number):
    assert found_by(EVERY[number]) is not None


def test_a_counterexample_is_a_case():
    mistake = next(m for m in EVERY if m.function == "small_size" and "+ 2" in m.after)
    case = found_by(mistake)
    assert case.startswith("small_size_counts_the_windows_that_fit at Triple(kernel=2")


def test_both_ways_of_a_branch_are_taken():
    x = Symbol("x")

    def sign():
        return "negative" if x < 0 else "zero" if x == 0 else "positive"

    assert {result for _, result in paths(sign, [])} == {"negative", "zero", "positive"}
    assert {result for _, result in paths(sign, [x.term > 0])} == {"positive"}


def test_numbers_are_tried_one_by_one_where_one_is_needed():
    x = Symbol("x")
    assumptions = [x.term >= 3, x.term < 7, x.term % 2 == 0]
    assert sorted(result for _, result in paths(lambda: int(x), assumptions)) == [4, 6]
