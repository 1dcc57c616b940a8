"""The page: a tab for each step of the work, each in its own module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import gradio as gr

from hashbench.studio.context import StudioContext
from hashbench.studio.tabs import analysis_tab, data_tab, runs_tab, search_tab, train_tab

TABS: Final[tuple[tuple[str, Callable[[StudioContext], gr.Timer | None]], ...]] = (
    ("Data", data_tab.fill),
    ("Train", train_tab.fill),
    ("Search", search_tab.fill),
    ("Analysis", analysis_tab.fill),
    ("Runs", runs_tab.fill),
)
"""Each tab's title and what fills it; its ``elem_id`` is ``tab-`` and the title in lower case."""


def build(context: StudioContext) -> gr.Blocks:
    """Make the page.

    Args:
        context: What the page was started with.

    Returns:
        The page, not served yet. It keeps no state: what it shows is read from the store.
    """
    page: gr.Blocks
    with gr.Blocks(title="hashbench studio", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown("# hashbench studio", elem_id="heading")
        filled = []
        with gr.Tabs(elem_id="tabs"):
            for title, fill in TABS:
                name = title.lower()
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    filled.append((tab, fill(context)))
        _tick_where_seen(filled)
    return page


def _tick_where_seen(filled: Sequence[tuple[gr.Tab, gr.Timer | None]]) -> None:
    """Have only the tab that is open read the disk again and again."""
    timers = [timer for _, timer in filled if timer]
    if filled[0][1] is not None:
        filled[0][1].active = True
    for tab, own in filled:
        states = [timer is own for timer in timers]
        tab.select(
            lambda states=states: [gr.Timer(active=state) for state in states],
            [],
            timers,
            show_progress="hidden",
            api_visibility="private",
        )
