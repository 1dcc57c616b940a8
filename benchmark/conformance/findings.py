"""Checks, and what came of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hashbench.core.errors import HashbenchError

Subject = TypeVar("Subject")


class NotConformingError(Exception):
    """A component does not keep to its interface; the message says what was seen."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One thing that the harness counts on.

    Attributes:
        title: What is checked.
        run: Looks at the subject and says what was seen; raises what it likes if it fails.
        fix: What to do about a failure.
    """

    title: str
    run: Callable[[Subject], str]
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check.

    Attributes:
        title: What was checked.
        passed: Whether it held.
        seen: What was seen, in one line.
        fix: What to do about it; empty if it held.
    """

    title: str
    passed: bool
    seen: str
    fix: str = ""


def expect(holds: bool, seen: str) -> None:
    """Go on if something holds.

    Raises:
        NotConformingError: With ``seen``, if it does not.
    """
    if not holds:
        raise NotConformingError(seen)


def examine(checks: Iterable[Check[Subject]], subject: Subject) -> list[Finding]:
    """Run every check, whatever came of the ones before it.

    Args:
        checks: The checks.
        subject: What they look at.

    Returns:
        One finding a check, in order.
    """
    return [_examine(check, subject) for check in checks]


def _examine(check: Check[Subject], subject: Subject) -> Finding:
    try:
        return Finding(check.title, passed=True, seen=check.run(subject))
    except NotConformingError as failure:
        return Finding(check.title, passed=False, seen=str(failure), fix=check.fix)
    except Exception as error:
        return Finding(check.title, passed=False, seen=_told(error), fix=check.fix)


def _told(error: Exception) -> str:
    """An error in one line; one that is not meant for users with the line that raised it."""
    if isinstance(error, HashbenchError):
        return " ".join(str(error).split())
    frame = traceback.extract_tb(error.__traceback__)[-1]
    file = frame.filename.rpartition("/")[2]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{what} ({file}:{frame.lineno})"
