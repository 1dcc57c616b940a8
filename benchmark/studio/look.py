"""How the page looks: the system's own fonts, and text that stands out from its ground."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gradio.themes import Base

_SANS: Final = ["system-ui", "sans-serif"]
_MONOSPACED: Final = ["ui-monospace", "monospace"]


def theme() -> Base:
    """Gradio's default without the fonts that it has a server send, and with more contrast."""
    from gradio.themes import Default

    return Default(primary_hue="blue", font=_SANS, font_mono=_MONOSPACED).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_text_color="white",
    )


def style() -> str:
    """What the page's own style sheet says."""
    return files("hashbench.studio").joinpath("page.css").read_text(encoding="utf-8")
