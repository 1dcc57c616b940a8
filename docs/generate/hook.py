"""A hook of MkDocs that inserts tables made from the code into pages.

A page marks the place with ``<!-- from the code: protocols -->`` on a separate line. A repository
host hides the comment, so the page must also read well without the table.
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
    """Return a page with a table in every marked place; an unknown name raises KeyError."""
    return PLACE.sub(lambda match: MAKERS[match[1]](), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill a page; MkDocs calls this before it renders the page."""
    return filled(markdown)
