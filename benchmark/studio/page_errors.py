"""Errors in the page: one clear line each, never a traceback."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from hashbench.core.errors import HashbenchError

_SHOWN = 600


def guarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """An event's handler that tells what went wrong as a warning, and changes nothing then.

    Args:
        handler: What an event calls.
    """

    @wraps(handler)
    def safe(*values: Any) -> Any:
        try:
            return handler(*values)
        except HashbenchError as error:
            warn(str(error))
        except gr.Error:
            raise
        except Exception as error:  # whatever it is, the page goes on
            traceback.print_exc()
            warn(f"internal error: {type(error).__name__}: {error}; the terminal has more")
        return gr.skip()

    return safe


def warn(message: str) -> None:
    """Show a warning.

    Args:
        message: Plain text, which may hold what a user wrote.
    """
    gr.Warning(_safe(message), title="Please look")


def tell(message: str) -> None:
    """Show a piece of news.

    Args:
        message: Plain text, which may hold what a user wrote.
    """
    gr.Info(_safe(message), title="Done")


def _safe(message: str) -> str:
    # Such messages are shown as HTML.
    return "<br>".join(html.escape(line) for line in message[:_SHOWN].splitlines())
