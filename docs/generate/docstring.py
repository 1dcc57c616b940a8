"""The attributes that a class's docstring documents."""

from __future__ import annotations

import inspect
import re

_ATTRIBUTES = re.compile(r"^Attributes:\n(.*?)(?:^\S|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def attributes(cls: type) -> dict[str, str]:
    """Return the text of each attribute, also of base classes, on one line as Markdown."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        section = _ATTRIBUTES.search(inspect.cleandoc(base.__doc__ or "") + "\n")
        entries = _ENTRY.findall(section[1]) if section else []
        found |= {name: plain(text) for name, text in entries}
    return found


def summary(cls: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return plain((inspect.getdoc(cls) or "").partition("\n\n")[0])


def plain(text: str) -> str:
    """Return a text on one line, with single instead of double back quotes."""
    return " ".join(text.split()).replace("``", "`")
