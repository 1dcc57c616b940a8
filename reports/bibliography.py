"""BibTeX entries of the papers that hashbench's components implement."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from hashbench.core.info import ComponentInfo

FILE = Path(__file__).with_name("bibliography.bib")
# Entries of our own file start and end on lines of their own, so no parser is needed.
_ENTRY = re.compile(r"^@\w+\{([^,\s]+),\n.*?^\}$", flags=re.MULTILINE | re.DOTALL)
_SPECIAL = re.compile(r"([#$%&_{}])")


@lru_cache(maxsize=1)
def entries() -> dict[str, str]:
    """Return the entries of the shipped file as text, by key."""
    found = _ENTRY.finditer(FILE.read_text(encoding="utf-8"))
    return {match[1]: match[0] for match in found}


def bibtex(info: ComponentInfo) -> str | None:
    """Return the BibTeX entry of a component.

    A component of another package may name a key that the shipped file does not have; its entry is
    then made from the component's title and paper.

    Args:
        info: The component's information.

    Returns:
        BibTeX text, or None if the component names no key, so that there is nothing to cite.

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
