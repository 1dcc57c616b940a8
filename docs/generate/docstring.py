"""What a class's docstring says of its attributes."""

from __future__ import annotations

import inspect
import re

_ATTRIBUTES = re.compile(r"^Attributes:\n(.*?)(?:^\S|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def attributes(cls: type) -> dict[str, str]:
    """The text of each attribute, in one line, with Markdown's code marks.

    Those of base classes are there too.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        section = _ATTRIBUTES.search(inspect.cleandoc(base.__doc__ or "") + "\n")
        entries = _ENTRY.findall(section[1]) if section else []
        found |= {name: plain(text) for name, text in entries}
    return found


def summary(cls: type) -> str:
    """The first paragraph of a class's docstring."""
    return plain((inspect.getdoc(cls) or "").partition("\n\n")[0])


def plain(text: str) -> str:
    """A text in one line, its double back quotes single."""
    return " ".join(text.split()).replace("``", "`")
