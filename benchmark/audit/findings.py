"""The findings of an audit: numbers checked, problems and notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Subject(StrEnum):
    """The things that an audit checks, in the order of its summary."""

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
    """A problem, or a remark on something that could not be checked.

    Attributes:
        file: The file, relative to the store.
        what: A description in one line.
        subject: The subject of a problem; None for a remark.
    """

    file: str
    what: str
    subject: Subject | None = None


@dataclass(slots=True)
class Audit:
    """The result of an audit, filled while it runs.

    Attributes:
        checked: Numbers of things checked, by subject.
        problems: Contradictions and damage.
        notes: Things that could not be checked, with the reason; left-overs of interrupted work.
    """

    checked: Counter[Subject] = field(default_factory=Counter)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def add_problem(self, subject: Subject, file: str, what: str) -> None:
        """Add a problem."""
        self.problems.append(Finding(file, _line(what), subject))

    def add_note(self, file: str, what: str) -> None:
        """Add a remark that is no problem."""
        self.notes.append(Finding(file, _line(what)))

    def summary(self) -> list[tuple[str, int, int]]:
        """Subject, number checked and number of problems, for each subject that occurred."""
        found = Counter(problem.subject for problem in self.problems)
        return [
            (each.value, self.checked[each], found[each])
            for each in Subject
            if self.checked[each] or found[each]
        ]


def _line(text: str) -> str:
    return " ".join(text.split())
