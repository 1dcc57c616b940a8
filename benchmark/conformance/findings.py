"""Checks of a component, and what they found."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from hashbench.core.errors import HashbenchError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams, resolve_params

Subject = TypeVar("Subject")


class NotConformingError(Exception):
    """A component violates its interface; the message says what was seen."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One requirement of the harness.

    ``run`` inspects a component and returns what was seen; any exception is a failure. ``fix`` says
    what to do about one.
    """

    title: str
    run: Callable[[Subject], str]
    fix: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: whether it passed, what was seen, and how to fix it if not."""

    title: str
    passed: bool
    seen: str
    fix: str = ""


class Checks(list[Check[Subject]]):
    """The checks of one kind of component, in order."""

    def add(
        self, title: str, *, fix: str
    ) -> Callable[[Callable[[Subject], str]], Callable[[Subject], str]]:
        """Decorate a function that inspects a component, so that it becomes a check."""

        def decorate(run: Callable[[Subject], str]) -> Callable[[Subject], str]:
            self.append(Check(title, run, fix))
            return run

        return decorate


def expect(holds: bool, seen: str) -> None:
    """Raise `NotConformingError` with what was seen, unless a condition holds."""
    if not holds:
        raise NotConformingError(seen)


def examine(checks: Iterable[Check[Subject]], subject: Subject) -> list[Finding]:
    """Run all checks on a component, also after a failure; one finding a check, in order."""
    return [_examine(check, subject) for check in checks]


def _examine(check: Check[Subject], subject: Subject) -> Finding:
    try:
        return Finding(check.title, passed=True, seen=check.run(subject))
    except NotConformingError as failure:
        return Finding(check.title, passed=False, seen=str(failure), fix=check.fix)
    except Exception as error:
        return Finding(check.title, passed=False, seen=_one_line(error), fix=check.fix)


def _one_line(error: Exception) -> str:
    """Describe an error; one that is not meant for users with the line that raised it."""
    if isinstance(error, HashbenchError):
        return " ".join(str(error).split())
    frame = traceback.extract_tb(error.__traceback__)[-1]
    file = frame.filename.rpartition("/")[2]
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{what} ({file}:{frame.lineno})"


def _card(bench: Any) -> str:
    cls = bench.cls
    info = getattr(cls, "info", None)
    expect(isinstance(info, ComponentInfo) and bool(info.title), "no info with a title")
    assert isinstance(info, ComponentInfo)  # noqa: S101 - for the type checker: seen just above
    documented = bool(vars(cls).get("__doc__")) and bool(inspect.getdoc(cls))
    expect(documented, "no docstring: hashbench list and describe would show none")
    seen = f"'{info.title}', version {info.version}"
    params = getattr(cls, "Params", None)
    if params is None:
        return seen
    expect(inspect.isclass(params) and issubclass(params, BaseParams), "Params is no BaseParams")
    for preset in (None, *params.presets):
        resolve_params(params, preset=preset, params={})
    return f"{seen}, {len(params.model_fields)} parameters, {len(params.presets)} presets"


CARD_CHECK: Final[Check[Any]] = Check(
    "card and parameters",
    _card,
    "give the class info = ComponentInfo(title, ...), a docstring, and Params derived from "
    "BaseParams with a default for every parameter and presets that it accepts",
)
"""The check of ``info``, the docstring, and ``Params`` with its presets."""
