"""Which endpoint a request is for, and what becomes of its errors."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import click

from hashbench.core.errors import HashbenchError
from hashbench.serve.message import Request, Response
from hashbench.serve.refusal import Refusal, refusal_of


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint.

    Attributes:
        verbs: ``GET``, ``POST`` or ``DELETE``.
        path: With names in braces; a name stands for one part.
        call: What answers: the request, then the named parts.
        summary: What it is for.
        parameters: What may stand behind the question mark.
    """

    verbs: tuple[str, ...]
    path: str
    call: Callable[..., Response]
    summary: str
    parameters: str = ""

    def matched(self, path: str) -> dict[str, str] | None:
        """The named parts of a path that is of this endpoint; None if it is not."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        pattern = pattern.replace("(?P<role>[^/]+)", "(?P<role>query|database)")
        pattern = pattern.replace("(?P<index>[^/]+)", "(?P<index>[0-9]{1,9})")
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


class Routes:
    """All endpoints.

    Args:
        routes: The endpoints; of two that match the first counts.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = (*routes, Route(("GET",), "/v1", self.listing, "These endpoints."))

    def listing(self, request: Request) -> Response:
        """What can be asked."""
        del request
        return Response.of(
            {
                "endpoints": [
                    {
                        "verbs": list(route.verbs),
                        "path": route.path,
                        "parameters": route.parameters.split(),
                        "summary": route.summary,
                    }
                    for route in self._routes
                ]
            }
        )

    def answer(self, request: Request) -> Response:
        """Answer a request; whatever goes wrong is an answer too."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            return Response.refused(refusal.status, str(refusal))
        except HashbenchError as error:
            translated = refusal_of(error)
            return Response.refused(translated.status, str(translated))
        except MemoryError:
            return Response.refused(HTTPStatus.SERVICE_UNAVAILABLE, "not enough memory for this")
        except Exception as error:
            click.echo(traceback.format_exc(), err=True)
            return Response.refused(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"internal error: {type(error).__name__}; the worker's own output says more",
            )

    def _answer(self, request: Request) -> Response:
        verbs: set[str] = set()
        for route in self._routes:
            parts: dict[str, Any] | None = route.matched(request.path)
            if parts is not None and request.verb in route.verbs:
                return route.call(request, **parts)
            verbs |= set(route.verbs) if parts is not None else set()
        if verbs:
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{request.verb} {request.path}: only {' and '.join(sorted(verbs))} here",
            )
        raise Refusal(
            HTTPStatus.NOT_FOUND, f"{request.path[:100]}: no such endpoint; GET /v1 lists them"
        )
