"""A request that is refused: one line for the caller, and the status that it goes with."""

from __future__ import annotations

from http import HTTPStatus

from hashbench.core.errors import DamagedStoreError, HashbenchError, StoreError


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a request.

    Args:
        status: The HTTP status of the answer.
        message: What is wrong and what to do about it.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal_of(error: HashbenchError) -> Refusal:
    """What an error of the house is over HTTP.

    A store that is damaged or cannot be written is the server's trouble (500, 507); all else is in
    what was asked for (422).
    """
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, DamagedStoreError):
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    elif isinstance(error, StoreError):
        status = HTTPStatus.INSUFFICIENT_STORAGE
    return Refusal(status, str(error))
