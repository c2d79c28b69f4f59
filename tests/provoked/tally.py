"""Counts of what was provoked and compared, and the results that were wrong."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from random import Random
from typing import Any

from tests.provoked.families import Family, Job
from tests.provoked.hooks import watch

__all__ = ["Tally"]

SHOWN = 20  # wrong results that are described
HELD = 8  # results that are looked at again later


class Tally:
    """Makes calls and compares their results, for one kind of provocation after another."""

    def __init__(self, random: Random) -> None:
        self.random, self.kind = random, ""
        self.cases: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.descriptions: list[str] = []
        self._held: deque[tuple[Family, Job, Any]] = deque(maxlen=HELD)
        self._shown = time.monotonic()

    def begin(self, kind: str) -> None:
        """Count under another kind from now on."""
        self.kind = kind

    def case(self, *, struck: bool) -> None:
        """Count a case, and whether what was meant to break in did so."""
        watch()
        self.cases[self.kind] += 1
        self.struck[self.kind] += struck
        if time.monotonic() > self._shown + 5:
            self._shown = time.monotonic()
            print(f"... {self.kind}: {self.cases[self.kind]} cases", flush=True)

    def fail(self, what: str, family: Family, job: Job) -> None:
        """Count a wrong result."""
        self.wrong[self.kind] += 1
        if len(self.descriptions) < SHOWN:
            self.descriptions.append(f"{self.kind}: {what}: {job} of {family}")

    def compare(self, family: Family, job: Job, result: Any) -> None:
        """Compare a result with what is due."""
        self.compared[self.kind] += 1
        if not family.is_right(job, result):
            self.fail("wrong", family, job)

    def check(self, family: Family, job: Job, *, hold: bool = False) -> None:
        """Make a call that has to be right."""
        try:
            result = family.call(job)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}", family, job)
            return
        self.compare(family, job, result)
        if hold and family.is_right(job, result):
            self._held.append((family, job, result))

    def probe(self, family: Family, form: str) -> None:
        """Call a map with two kernels of one shape: the second may meet the first's."""
        names = ["polyphase", *family.algorithms, "polyphase"]
        algorithm = self.random.choice(names + ["fft"] * ("fft" in names))
        for variant in self.random.sample(range(4), 2):
            self.check(family, Job(form, variant, algorithm), hold=variant == 0)

    def follow(self, family: Family) -> None:
        """Make the calls after an exception: other kernels, every map, held results.

        The transposed convolution comes last, mostly: it packs kernels, and may so cover
        what an aborted call left behind.
        """
        forms = ["conv", "conv", "kernel_grad", "conv_transpose"]
        if self.random.random() < 0.25:
            self.random.shuffle(forms)
        for form in forms:
            self.probe(family, form)
        for held_family, job, result in list(self._held):
            if not held_family.is_right(job, result):
                self.fail("overwritten later", held_family, job)

    def table(self) -> str:
        """Lay out the counts, a row for each kind."""
        head = f"{'kind':<14}{'cases':>8}{'struck':>8}{'compared':>10}{'wrong':>7}"
        rows = [(kind, self.cases[kind]) for kind in self.cases]
        lines = [head]
        for kind, cases in [*rows, ("all", sum(self.cases.values()))]:
            every = kind == "all"
            counts = [
                sum(counter.values()) if every else counter[kind]
                for counter in (self.struck, self.compared, self.wrong)
            ]
            lines.append(f"{kind:<14}{cases:>8}{counts[0]:>8}{counts[1]:>10}{counts[2]:>7}")
        return "\n".join(lines)

    def finish(self) -> int:
        """Print the table and what was wrong; return the exit status."""
        print(self.table())
        for text in self.descriptions:
            print(text, file=sys.stderr)
        return 1 if sum(self.wrong.values()) else 0
