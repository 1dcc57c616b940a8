"""The tab where methods are judged: figures, a choice of a method, a paired test, the report."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.context import Context

from hashbench.core.errors import HashbenchError
from hashbench.reports.html.gallery import drawings
from hashbench.studio.context import StudioContext
from hashbench.studio.menu import menu
from hashbench.studio.report_file import make_report, report_line
from hashbench.studio.tabs.analysis_data import AnalysisSource
from hashbench.studio.tabs.analysis_view import (
    comparison_html,
    decision_html,
    decision_program,
    figures_html,
    style,
)
from hashbench.studio.tabs.search_view import problem, problems, refused

_NOTHING = (
    "The store has no results yet. Train a method first; its figures appear here by themselves."
)


def fill(context: StudioContext) -> None:
    """Make the tab; called inside it.

    Args:
        context: What the page was started with.
    """
    handlers = AnalysisHandlers(context)
    opened = Context.block
    every: dict[str, Any] = {"api_visibility": "private"}
    gr.HTML(style(), elem_classes="hb-style")
    with gr.Row():
        arena = menu(label="Protocol and device", choices=[], elem_id="analysis-arena", scale=3)
        again = gr.Button("Read the store again", elem_id="analysis-refresh", min_width=160)
    status = gr.HTML(elem_id="analysis-status")
    gr.Markdown("## Which method should I use?")
    decision = gr.HTML(elem_id="analysis-decision", js_on_load=decision_program())
    gr.Markdown("## Compare two runs")
    with gr.Row():
        first = menu(label="First", choices=[], elem_id="analysis-first", scale=3)
        second = menu(label="Second", choices=[], elem_id="analysis-second", scale=3)
        metric = menu(label="By", choices=[], elem_id="analysis-metric", scale=2)
        compare = gr.Button("Compare", elem_id="analysis-compare", min_width=120)
    compared = gr.HTML(elem_id="analysis-compared")
    gr.Markdown("## Figures")
    figures = gr.HTML(elem_id="analysis-figures")
    _fill_report(context, handlers, every)

    chosen = [arena, first, second, metric]
    shown = [first, second, metric, decision, status]
    triggers = [again.click, *([opened.select] if isinstance(opened, gr.Tab) else [])]
    gr.on(triggers, handlers.opened, [arena], [arena, status], **every).then(
        handlers.read, chosen, shown, **every
    ).then(handlers.draw, [arena], [figures], **every)
    arena.input(handlers.read, chosen, shown, **every).then(
        handlers.draw, [arena], [figures], **every
    )
    compare.click(handlers.compare, chosen, [compared], **every)


def _fill_report(context: StudioContext, handlers: AnalysisHandlers, every: dict[str, Any]) -> None:
    gr.Markdown("## Report")
    gr.Textbox(
        report_line(context),
        label="One page with everything in it, made by",
        interactive=False,
        elem_id="report-command",
        buttons=["copy"],
    )
    with gr.Row():
        make = gr.Button("Make the report", elem_id="report-make")
        download = gr.DownloadButton(
            "Download the report", elem_id="report-download", interactive=False
        )
    status = gr.HTML(elem_id="report-status")
    make.click(handlers.report, None, [download, status], **every)


class AnalysisHandlers:
    """What the controls do.

    Args:
        context: What the page was started with.
    """

    def __init__(self, context: StudioContext) -> None:
        self._context = context
        self._source = AnalysisSource(context.store)

    def opened(self, arena: str | None) -> tuple[Any, str]:
        """The arenas, as the store is now; the chosen one stays where it can."""
        try:
            titles, wrong = self._source.titles()
        except HashbenchError as error:
            return gr.update(), refused(error)
        value = arena if arena in titles else next(iter(titles), None)
        said = problems(wrong) if titles else problem(_NOTHING) + problems(wrong)
        return gr.update(choices=titles, value=value), said

    def read(self, *chosen: str | None) -> tuple[Any, Any, Any, str, Any]:
        """What can be compared, and the choice of a method."""
        arena, *before = chosen
        nothing = gr.update(choices=[], value=None)
        if not arena:
            return nothing, nothing, nothing, "", gr.update()
        try:
            analysis = self._source.analysis(arena)
        except HashbenchError as error:
            return nothing, nothing, nothing, "", refused(error)
        runs, metrics = analysis.runs(), [(name, name) for name in analysis.metrics()]
        first, second, metric = before
        one = _kept(first, runs, 0)
        two = _kept(second, runs, _rival(runs))
        return (
            gr.update(choices=runs, value=one),
            gr.update(choices=runs, value=two),
            gr.update(choices=metrics, value=_kept(metric, metrics, 0)),
            decision_html(analysis),
            problems(analysis.problems),
        )

    def draw(self, arena: str | None) -> str:
        """The figures of an arena."""
        if not arena:
            return ""
        try:
            analysis = self._source.analysis(arena)
            found = drawings(analysis.arena, "studio", analysis.evidence.stores)
        except HashbenchError as error:
            return refused(error)
        return figures_html(arena, found)

    def compare(
        self, arena: str | None, first: str | None, second: str | None, metric: str | None
    ) -> str:
        """Two runs by the paired test."""
        if not (arena and first and second and metric):
            return problem("Choose two runs and a metric first.")
        try:
            analysis = self._source.analysis(arena)
            row = analysis.compare(first, second, metric)
        except HashbenchError as error:
            return refused(error)
        titles = {key: title for title, key in analysis.runs()}
        return comparison_html(row, metric, (titles[first], titles[second]))

    def report(self) -> tuple[Any, str]:
        """The whole report as one file."""
        try:
            file = make_report(self._context)
        except HashbenchError as error:
            return gr.update(interactive=False), refused(error)
        return gr.update(value=file, interactive=True), ""


def _rival(runs: list[tuple[str, str]]) -> int:
    """The place of the first run that is of another method than the best."""
    methods = [key.partition("\n")[0] for _, key in runs]
    return next((at for at, method in enumerate(methods) if method != methods[0]), 1)


def _kept(value: str | None, choices: list[tuple[str, str]], position: int) -> str | None:
    """What was chosen, if it is there still, else the choice at a position, or the last."""
    keys = [key for _, key in choices]
    if value in keys:
        return value
    return keys[min(position, len(keys) - 1)] if keys else None
