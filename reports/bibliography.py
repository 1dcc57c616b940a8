"""BibTeX entries of what hashbench's components are from."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from hashbench.core.info import ComponentInfo

FILE = Path(__file__).with_name("bibliography.bib")
# An entry of our own file starts and ends a line of its own, which spares a parser.
_ENTRY = re.compile(r"^@\w+\{([^,\s]+),\n.*?^\}$", flags=re.MULTILINE | re.DOTALL)
_SPECIAL = re.compile(r"([#$%&_{}])")


@lru_cache(maxsize=1)
def entries() -> dict[str, str]:
    """The entries of the shipped file by key, as text."""
    found = _ENTRY.finditer(FILE.read_text(encoding="utf-8"))
    return {match[1]: match[0] for match in found}


def bibtex(info: ComponentInfo) -> str | None:
    """The entry that a component's card names.

    A component of another package may name a key that the shipped file does not have; its entry is
    then made of what the card says.

    Args:
        info: The card.

    Returns:
        BibTeX text, or None if the card names no key: then there is nothing to cite.

    Example:
        >>> print(bibtex(ComponentInfo("Mine", paper="Me, CVPR 2030", citation="me2030mine")))
        @misc{me2030mine,
          title = {Mine},
          note = {Me, CVPR 2030}
        }
    """
    if not info.citation:
        return None
    shipped = entries().get(info.citation)
    if shipped:
        return shipped
    note = f",\n  note = {{{_plain(info.paper)}}}" if info.paper else ""
    return f"@misc{{{info.citation},\n  title = {{{_plain(info.title)}}}{note}\n}}"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
