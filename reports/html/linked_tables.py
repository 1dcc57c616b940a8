"""The tables of a page, with every value linked to its records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hashbench.reports.table import Mark, Table

_ID: Final = "[0-9a-f]{16}"
_TRACED = re.compile(rf"^(.*?) \[({_ID}(?: {_ID})*)\]$")
_UNMARKED: Final = Mark()
_IDS = re.compile(rf"^{_ID}(?: {_ID})*$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a table.

    Attributes:
        text: The text shown.
        link: Address of the records within the page; empty without records.
        rank: 1 for the best value, 2 for the second, else 0.
        letters: Its letters of significance; empty if there are none.
    """

    text: str
    link: str = ""
    rank: int = 0
    letters: str = ""


@dataclass(frozen=True, slots=True)
class LinkedTable:
    """A table of the page.

    Attributes:
        key: Unique within the page.
        title: The heading.
        head: Column headings.
        rows: Entries.
        notes: The notes printed under the table.
        warnings: The warnings in the records of the table's fits, one line each.
    """

    key: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: str
    warnings: tuple[str, ...] = ()


def linked(table: Table, key: str) -> LinkedTable:
    """Link a table that was made with ``trace``; ``key`` is unique within the page."""
    rows = tuple(
        tuple(
            entry(str(text), table.marks.get((row, column), _UNMARKED))
            for column, text in enumerate(texts)
        )
        for row, texts in enumerate(table.frame.values.tolist())
    )
    notes = f"{'; '.join(table.notes)}.".replace("`", "") if table.notes else ""
    return LinkedTable(
        key, table.title, tuple(map(str, table.frame.columns)), rows, notes, table.warnings
    )


def entry(text: str, mark: Mark = _UNMARKED) -> Entry:
    """Return an entry of a traced table as a link to its records.

    Example:
        >>> entry("0.5000 [00000000000000aa 00000000000000bb]")
        Entry(text='0.5000', link='#record-00000000000000aa,00000000000000bb', rank=0, letters='')
    """
    if found := _TRACED.match(text):
        return Entry(found[1], record_link(found[2].split()), mark.rank, mark.letters)
    if _IDS.match(text):
        ids = text.split()
        return Entry(ids[0] if len(ids) == 1 else f"{len(ids)} records", record_link(ids))
    return Entry(text, "", mark.rank, mark.letters)


def record_link(ids: Sequence[str]) -> str:
    """Return the address, within the page, of the details of some records."""
    return f"#record-{','.join(dict.fromkeys(ids))}"
