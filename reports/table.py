"""A table as text, independent of the output format, and the wording of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import pandas as pd

FLOAT = float("inf")
"""The code length that stands for float embeddings."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The rank and the significance letters of a value.

    Attributes:
        rank: 1 for the best of the values it may be compared with, 2 for the second, else 0.
        letters: Its letters of significance; empty if there are none.
    """

    rank: int = 0
    letters: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text, for any output format.

    Attributes:
        title: The heading.
        frame: Cells as text, columns in order.
        notes: The notes printed under the table.
        marks: Marks by row and column, counted from 0.
        name: The name in `hashbench.reports.view.TABLES` that the table belongs to.
        fits: The ids of the fits whose values the table shows.
        warnings: The warnings in these fits' records, one line each, printed under the notes.
    """

    title: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)
    name: str = ""
    fits: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def text_frame(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a data frame of text."""
    texts = [[str(value) for value in row] for row in rows]
    return pd.DataFrame(texts, columns=list(columns), dtype=object)


def bits_text(bits: float) -> str:
    """Return a code length as text, or ``float``.

    Example:
        >>> bits_text(16.0), bits_text(FLOAT)
        ('16', 'float')
    """
    return "float" if bits == FLOAT else f"{bits:.0f}"


def mean_text(values: pd.Series[Any], *, digits: int = 4) -> str:
    """Return the mean, with the sample's standard deviation if there are several values.

    Example:
        >>> mean_text(pd.Series([0.6, 0.7, 0.8]))
        '0.7000 ± 0.1000'
    """
    text = f"{values.mean():.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {values.std(ddof=1):.{digits}f}"


def records_text(rows: pd.DataFrame) -> str:
    """Return the ids of the records behind some rows, ordered by seed."""
    ordered = rows.sort_values(["seed", "record"], kind="stable")["record"]
    return " ".join(dict.fromkeys(ordered))


def span_text(values: pd.Series[Any]) -> str:
    """Return one value as text, or the smallest and the largest of several."""
    low, high = values.min(), values.max()
    return worded(low) if low == high else f"{worded(low)} to {worded(high)}"


def worded(value: Any) -> str:
    """Return a value as text for a note, numbers in short form."""
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, Real) else str(value)
