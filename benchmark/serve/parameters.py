"""The words behind the question mark of a request, typed and checked."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import parse_qsl

from hashbench.core.errors import did_you_mean
from hashbench.serve.refusal import Refusal

_MOST = 16
_DIGITS = 18


class Parameters:
    """The parameters of one request.

    Args:
        text: What stands behind the question mark.
        known: The names that the endpoint takes.

    Raises:
        Refusal: 400 if one is unknown, comes twice, or is malformed.
    """

    def __init__(self, text: str, known: Collection[str]) -> None:
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MOST
            )
        except ValueError:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "parameters: expected NAME=VALUE&NAME=VALUE"
            ) from None
        self._values: dict[str, str] = {}
        for name, value in pairs:
            if name not in known:
                raise _wrong(f"unknown parameter '{name}'. {did_you_mean(name, sorted(known))}")
            if name in self._values:
                raise _wrong(f"parameter '{name}' is given twice")
            self._values[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """A word.

        Raises:
            Refusal: 400 if it is missing and there is no default, or it is empty.
        """
        value = self._values.get(name, default)
        if not value:
            raise _wrong(f"parameter '{name}' is missing")
        return value

    def number(self, name: str, default: int | None = None, *, low: int, high: int) -> int:
        """A whole number.

        Args:
            name: Of the parameter.
            default: What counts where it is not given.
            low: The smallest that is taken.
            high: The largest.

        Raises:
            Refusal: 400 if it is missing and there is no default, or it is not such a number.
        """
        if name not in self._values and default is not None:
            return default
        value = self.text(name)
        digits = value.isascii() and value.isdigit() and len(value) <= _DIGITS
        if not digits or not low <= int(value) <= high:
            raise _wrong(
                f"{name}: expected a whole number from {low} to {high}, got {value[:40]!r}"
            )
        return int(value)


def _wrong(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message)
