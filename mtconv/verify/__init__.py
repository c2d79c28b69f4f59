"""Verification on the user's own machine, and a conformance set for other languages."""

from mtconv.verify.cases import random_cases as random_cases
from mtconv.verify.conformance import Expected as Expected
from mtconv.verify.conformance import export_conformance as export_conformance
from mtconv.verify.conformance import read_conformance as read_conformance
from mtconv.verify.run import verify as verify
from mtconv.verify.tally import Report as Report
from mtconv.verify.tally import Tally as Tally

__all__ = [
    "Expected",
    "Report",
    "Tally",
    "export_conformance",
    "random_cases",
    "read_conformance",
    "verify",
]
