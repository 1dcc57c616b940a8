"""A table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a table; a bar or a line break in a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: object) -> str:
    """A word of the code; nothing stays nothing."""
    return f"`{text}`" if text not in ("", None) else ""


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
