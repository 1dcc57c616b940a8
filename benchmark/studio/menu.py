"""A menu whose entries come and go."""

from __future__ import annotations

from typing import Any

import gradio as gr


def menu(*arguments: Any, **settings: Any) -> gr.Dropdown:
    """A dropdown that counts as empty while an entry is chosen that is gone.

    The page may send what was removed a moment ago, by its visitor or by another; that is no error.
    It is not a subclass: for one, gradio writes a file of its own beside this one.

    Args:
        arguments: As `gradio.Dropdown` takes them.
        settings: As `gradio.Dropdown` takes them.
    """
    made = gr.Dropdown(*arguments, **settings)
    checked = made.preprocess

    def preprocess(payload: Any) -> Any:
        try:
            return checked(payload)
        except gr.Error:
            return None

    made.preprocess = preprocess  # type: ignore[method-assign]  # see above
    return made
