"""What a verification did: a tally for each algorithm and framework, and a report."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CHECKS", "COMPAT", "Report", "Tally"]

# The three maps equal the plain loops; and they are derivatives of one form.
CHECKS = ("conv_transpose", "conv", "kernel_grad", "adjoint")

# What the names of frameworks begin with in tallies.
COMPAT = "compat."


@dataclass
class Tally:
    """What one algorithm of one backend did, or another framework.

    Parameters
    ----------
    backend, algorithm : str
        Which it was; "compat.torch" and "its own", for example, for a framework.
    cases : int
        Number of problems tried.
    seconds : float
        Time it took.
    failures : dict of str to list of str
        Messages by check; empty lists where all is well. A framework has one check,
        "conv_transpose".
    refusals : list of str
        What a framework raised in place of results.
    """

    backend: str
    algorithm: str
    cases: int = 0
    seconds: float = 0.0
    failures: dict[str, list[str]] = field(
        default_factory=lambda: {check: [] for check in CHECKS}
    )
    refusals: list[str] = field(default_factory=list)

    @property
    def ran(self) -> bool:
        """Whether there was a result of any problem."""
        return len(self.refusals) < self.cases

    @property
    def passed(self) -> bool:
        """Whether there were results and no check failed."""
        return self.ran and not any(self.failures.values())


@dataclass
class Report:
    """Tallies of algorithms and frameworks, and what was not tried.

    Parameters
    ----------
    lines : list of Tally
        One for each algorithm of each backend, and one for each framework.
    missing : dict of str to tuple of str
        Backends that were not tried, and the packages that they need.
    skipped : dict of str to str
        Frameworks that are installed but cannot start, and what they raised.
    """

    lines: list[Tally]
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether something ran, and no check failed."""
        return bool(self.lines) and all(line.passed for line in self.lines)
