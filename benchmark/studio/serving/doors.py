"""Which of Gradio's many endpoints are open: those that the page and its clients need."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import Final

from hashbench.serve.refusal import Refusal

API: Final = "/gradio_api"
UPLOAD: Final = f"{API}/upload"
_FILE: Final = f"{API}/file="
_WORD = r"[\w-]{1,100}"
_READ: Final = re.compile(
    rf"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt"
    rf"|/(?:assets|static|svelte)(?:/[\w@+-][\w.@+-]*)+"
    rf"|{API}/(?:info|startup-events|queue/data|upload_progress)"
    rf"|{API}/heartbeat/{_WORD}|{API}/call/{_WORD}/{_WORD}"
)
_WRITE: Final = re.compile(
    rf"{UPLOAD}|{API}/(?:queue/join|cancel|reset)|{API}/(?:call|run|api)/{_WORD}"
)


def check_door(method: str, path: str, *, uploads: Path) -> None:
    """See whether an endpoint is open.

    Args:
        method: The verb.
        path: Decoded, without what follows the question mark.
        uploads: The folder whose files may be read, resolved.

    Raises:
        Refusal: 405 if the verb is none of the page's, 404 if the endpoint or the file is not
            there; what exists elsewhere on the machine answers no differently from what does not.
    """
    if method not in {"GET", "HEAD", "POST"}:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{method[:20]}: not answered here")
    if method != "POST" and path.startswith(_FILE):
        if inside(path.removeprefix(_FILE), uploads):
            return
    elif (_WRITE if method == "POST" else _READ).fullmatch(path):
        return
    raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing here")


def inside(name: str, uploads: Path) -> bool:
    """Whether a name is that of a file below the uploads, all links followed.

    Args:
        name: An absolute path.
        uploads: The folder, resolved.
    """
    try:
        path = Path(name)
        found = path.resolve(strict=True)
        return path.is_absolute() and found.is_file() and found.is_relative_to(uploads)
    except (OSError, ValueError, RuntimeError):
        return False
