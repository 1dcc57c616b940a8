"""Small pictures to choose from."""

from __future__ import annotations

import gradio as gr


def thumbnails(label: str, name: str) -> gr.Gallery:
    """Thumbnails of which one can be chosen; none opens large.

    Args:
        label: What is shown above them.
        name: The element's id.
    """
    return gr.Gallery(
        label=label,
        elem_id=name,
        columns=8,
        height=280,
        allow_preview=False,
        object_fit="contain",
        interactive=False,
        buttons=[],
    )
