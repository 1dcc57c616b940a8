"""A request and its answer, without the socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    Attributes:
        verb: ``GET``, ``POST`` or ``DELETE``.
        path: Decoded, without parameters.
        parameters: What stands behind the question mark.
        body: What was sent.
    """

    verb: str
    path: str
    parameters: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered.

    Attributes:
        status: How it went.
        body: The answer.
        kind: Its media type.
    """

    status: HTTPStatus
    body: bytes
    kind: str = JSON

    @classmethod
    def of(cls, said: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """An answer of plain data."""
        return cls(status, json.dumps(said, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    @classmethod
    def refused(cls, status: HTTPStatus, message: str) -> Response:
        """An answer that says why there is none."""
        return cls.of({"error": {"status": int(status), "message": message}}, status)
