"""A hook of MkDocs: puts what is made from the code in the places that pages name.

A page says ``<!-- from the code: protocols -->`` on a line of its own. The site then has the table
there; on a repository host, which shows no comments, the page reads without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import commands
import components
import exit_codes
import matrix_keys
import pitfalls
import protocols
import record_fields

PLACE: Final = re.compile(r"^<!-- from the code: ([a-z ]+) -->$", re.MULTILINE)

MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands.page,
    "losses": components.losses,
    "backbones": components.backbones,
    "shallow methods": components.shallow_methods,
    "engines": components.engines,
    "recipes": components.recipes,
    "matrix keys": matrix_keys.page,
    "record fields": record_fields.page,
    "exit codes": exit_codes.page,
    "protocols": protocols.page,
    "pitfalls": pitfalls.page,
}


def filled(markdown: str) -> str:
    """A page with every place filled; a name that no maker has is a KeyError."""
    return PLACE.sub(lambda match: MAKERS[match[1]](), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page, before it is rendered."""
    return filled(markdown)
