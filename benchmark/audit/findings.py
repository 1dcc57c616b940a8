"""What an audit looked at, and what it found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Subject(StrEnum):
    """What is checked, in the order of the summary."""

    RECORDS = "records"
    CELLS = "fit ids"
    ARTIFACTS = "artifacts"
    CODES = "codes"
    METRICS = "metric values"
    ARRAYS = "per-query values and curves"
    STATISTICS = "code statistics"
    LATENCY = "latency entries"
    HISTOGRAMS = "distance histograms"
    REPRODUCTIONS = "reproductions"
    PROTOCOLS = "protocols"
    DATA = "datasets"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is not as it should be, or that could not be checked.

    Attributes:
        file: The file, from the store's root.
        what: What was seen, in one line.
        subject: What was being checked; None for what is no part of a store.
    """

    file: str
    what: str
    subject: Subject | None = None


@dataclass(slots=True)
class Audit:
    """The tally of an audit, filled as it goes.

    Attributes:
        checked: How many of each subject were looked at.
        problems: What is wrong.
        notes: What could not be checked, and why; left-overs of interrupted work.
    """

    checked: Counter[Subject] = field(default_factory=Counter)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def wrong(self, subject: Subject, file: str, what: str) -> None:
        """Add a problem."""
        self.problems.append(Finding(file, _line(what), subject))

    def note(self, file: str, what: str) -> None:
        """Add what is no problem, but what a reader should know."""
        self.notes.append(Finding(file, _line(what)))

    def summary(self) -> list[tuple[str, int, int]]:
        """Subject, number looked at, number of problems, for each subject that came up."""
        found = Counter(problem.subject for problem in self.problems)
        return [
            (each.value, self.checked[each], found[each])
            for each in Subject
            if self.checked[each] or found[each]
        ]


def _line(text: str) -> str:
    return " ".join(text.split())
