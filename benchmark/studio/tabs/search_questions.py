"""What the page asks the search worker, and the pictures that go with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from hashbench.core.errors import ConfigError
from hashbench.serve.client import AnswerError, Client, NoAnswerError
from hashbench.serve.upload import MOST_BYTES
from hashbench.studio.tabs.search_view import Pictures, pictures_of

UPLOADED: Final = "uploaded"
_BLANK: Final = (228, 228, 228)
_SIDE: Final = 96

Shown = list[tuple[Image.Image, str]]
"""Pictures with captions, for a gallery."""


def read_upload(path: str | None) -> bytes:
    """The image that was sent.

    Args:
        path: Where it lies; None if nothing was sent.

    Raises:
        ConfigError: If there is none, it is too large, or it is gone.
    """
    if not path:
        raise ConfigError("search: choose an image first")
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ConfigError(
                f"search: the image has more than {MOST_BYTES // 2**20} MiB; make it smaller"
            )
        return file.read_bytes()
    except OSError:
        raise ConfigError("search: the image that was sent is gone; send it again") from None


def search(
    client: Client, paths: Sequence[str], sent: bytes | None, /, **words: str | int
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Search, and fetch the pictures of what was found.

    Args:
        client: Of the worker.
        paths: The endpoint, in parts.
        sent: The image that was sent; None if ``words`` name a query.
        words: The parameters.

    Raises:
        AnswerError: If the worker refuses.
    """
    path = "/".join(paths)
    if sent is None:
        said = client.get(path, **words)
        return said, fetch(client, pictures_of(said))
    said = client.post(path, sent, **words)
    pictures = fetch(client, pictures_of(said))
    pictures[UPLOADED] = client.raw("POST", "thumbnail", sent)
    for answer in said.get("answers", [said]):
        answer["query"]["thumbnail"] = UPLOADED
    return said, pictures


def fetch(client: Client, names: Sequence[str]) -> dict[str, bytes]:
    """Pictures by the address that the worker named, without those that are not at hand.

    Raises:
        NoAnswerError: If the worker is gone.
    """
    found = {}
    for name in names:
        try:
            found[name] = client.raw("GET", name.removeprefix("/v1/"))
        except NoAnswerError:
            raise
        except AnswerError:
            continue
    return found


def gallery(pictures: Pictures, named: Sequence[tuple[str, str]]) -> Shown:
    """Pictures with captions; grey where there is none.

    Args:
        pictures: By address.
        named: Address and caption of each.
    """
    blank = Image.new("RGB", (_SIDE, _SIDE), _BLANK)
    return [
        (Image.open(BytesIO(pictures[name])) if name in pictures else blank, caption)
        for name, caption in named
    ]
