"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table, with bars and line breaks in cells escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: object) -> str:
    """Return a text as inline code; an empty text stays empty."""
    return f"`{text}`" if text not in ("", None) else ""


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
