"""A client of a search worker: what the endpoints say, as plain data."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from hashbench.core.errors import ConfigError, HashbenchError
from hashbench.serve.discovery import LOOPBACK, find_server

_SECONDS: Final = 60.0


class AnswerError(HashbenchError):
    """A worker refused a request.

    Args:
        status: The HTTP status.
        message: Why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoAnswerError(AnswerError):
    """A worker is gone, or takes too long.

    Args:
        port: Where it was asked.
        why: What the connection said.
    """

    def __init__(self, port: int, why: str) -> None:
        super().__init__(503, f"serve: no answer on port {port} ({why})")


class Client:
    """Asks one worker; a connection a request, so that several threads may share it.

    Example:
        client = Client.of_store(Path("hashbench-store"))
        method = client.get("methods")["methods"][0]["id"]
        client.get(f"methods/{method}/search", query=0, k=5)
        client.post(f"methods/{method}/search", Path("cat.jpg").read_bytes(), k=5)

    Args:
        port: Where it listens, on 127.0.0.1.
        token: What it wants to see, if anything.
    """

    def __init__(self, port: int, token: str | None = None) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @classmethod
    def of_store(cls, root: Path) -> Self:
        """A client of the worker that serves a store.

        Args:
            root: The store's folder.

        Raises:
            ConfigError: If none does.
            StoreError: If its token cannot be read.
        """
        found = find_server(root)
        if found is None:
            raise ConfigError(f"serve: {root} is not served; start hashbench serve {root}")
        return cls(found.port, found.token())

    def get(self, path: str, **parameters: str | int) -> Any:
        """Ask; see `raw` for what goes wrong.

        Args:
            path: Behind ``/v1/``; empty lists the endpoints.
            parameters: Behind the question mark.
        """
        return json.loads(self.raw("GET", path, b"", **parameters))

    def post(self, path: str, body: bytes = b"", **parameters: str | int) -> Any:
        """Send an image; see `raw` for what goes wrong.

        Args:
            path: Behind ``/v1/``.
            body: The file.
            parameters: Behind the question mark.
        """
        return json.loads(self.raw("POST", path, body, **parameters))

    def delete(self, path: str) -> Any:
        """Remove; see `raw` for what goes wrong."""
        return json.loads(self.raw("DELETE", path))

    def raw(self, verb: str, path: str, body: bytes = b"", **parameters: str | int) -> bytes:
        """The bytes of an answer, of a thumbnail for instance.

        Args:
            verb: ``GET``, ``POST`` or ``DELETE``.
            path: Behind ``/v1/``.
            body: What is sent.
            parameters: Behind the question mark.

        Raises:
            AnswerError: If the worker refuses, with its status and its line.
            NoAnswerError: If it is gone, or does not answer within a minute; its status is 503.
        """
        behind = f"?{urlencode(parameters)}" if parameters else ""
        connection = HTTPConnection(LOOPBACK, self._port, timeout=_SECONDS)
        try:
            where = f"/v1/{quote(path)}".removesuffix("/")
            connection.request(verb, where + behind, body or None, self._headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, HTTPException) as error:
            raise NoAnswerError(self._port, str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - what HTTP calls errors
            raise AnswerError(response.status, _message(data))
        return data


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "serve: an answer that is not of this API"
