"""A table ready to be written, and how its cells are worded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

import pandas as pd

FLOAT = float("inf")
"""The code length of what is no code."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is said of a value beside it.

    Attributes:
        rank: 1 for the best of what it may be compared with, 2 for the second, else 0.
        letters: Those of significance, or none.
    """

    rank: int = 0
    letters: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table ready to be written.

    Attributes:
        title: Its heading.
        frame: Cells as text, columns in order.
        notes: What a reader must know to read it.
        marks: Marks by row and column, counted from 0.
        name: Which of `hashbench.reports.view.TABLES` it belongs to.
    """

    title: str
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)
    name: str = ""


def text_frame(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a frame of text."""
    texts = [[str(value) for value in row] for row in rows]
    return pd.DataFrame(texts, columns=list(columns), dtype=object)


def bits_text(bits: float) -> str:
    """A code length, or ``float``.

    Example:
        >>> bits_text(16.0), bits_text(FLOAT)
        ('16', 'float')
    """
    return "float" if bits == FLOAT else f"{bits:.0f}"


def mean_text(values: pd.Series[Any], *, digits: int = 4) -> str:
    """The mean with the sample's standard deviation, where there are several.

    Example:
        >>> mean_text(pd.Series([0.6, 0.7, 0.8]))
        '0.7000 ± 0.1000'
    """
    text = f"{values.mean():.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {values.std(ddof=1):.{digits}f}"


def records_text(rows: pd.DataFrame) -> str:
    """The ids of the records behind some rows, by seed."""
    ordered = rows.sort_values(["seed", "record"], kind="stable")["record"]
    return " ".join(dict.fromkeys(ordered))


def span_text(values: pd.Series[Any]) -> str:
    """One value, or the least and the greatest of several."""
    low, high = values.min(), values.max()
    return worded(low) if low == high else f"{worded(low)} to {worded(high)}"


def worded(value: Any) -> str:
    """A value as a note words it; numbers short."""
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, Real) else str(value)
