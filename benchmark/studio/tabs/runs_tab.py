"""The tab Runs: every fit with its provenance; reproduce, export and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from hashbench.core.errors import ConfigError
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store
from hashbench.studio.commands import plugin_words, root_words
from hashbench.studio.context import StudioContext
from hashbench.studio.downloads import offer_file
from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.job_panel import JobPanel, job_panel
from hashbench.studio.menu import menu
from hashbench.studio.page_errors import guarded, tell
from hashbench.studio.tabs.run_facts import RECORD_COLUMNS, fit_facts, record_rows
from hashbench.studio.tabs.run_rows import COLUMNS, RunRows
from hashbench.studio.tabs.trash import bring_back, throw_away, thrown_away

_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", **_PRIVATE}
BUNDLE = "bundle.zip"


def fill(context: StudioContext) -> gr.Timer:
    """Fill the tab.

    Args:
        context: What the page was started with.

    Returns:
        What has it read again from the disk.
    """
    table = gr.Dataframe(
        headers=list(COLUMNS),
        label="Fits",
        elem_id="runs-table",
        interactive=False,
        wrap=True,
        max_height=380,
    )
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            picker = menu([], label="Fit", elem_id="runs-fit", interactive=True)
            actions = _actions()
            facts, records = _provenance()
        with gr.Column(scale=2, min_width=340):
            panel = job_panel(
                context, "runs", kinds=("reproduce", "export"), title="Reproductions and exports"
            )
            bundle = gr.File(label="The job's bundle", elem_id="runs-bundle", interactive=False)
            fetch = gr.Button("Download the bundle", elem_id="runs-fetch")
    rows_of = RunRows(Store(context.store))
    _wire_list(context, rows_of, table, picker, actions["trash"], panel=panel)
    _wire_jobs(context, picker, actions, panel)
    _wire_deletion(context, picker, actions)
    picker.change(guarded(lambda fit: _shown(fit, context)), [picker], [facts, records], **_QUIET)
    fetch.click(guarded(lambda job: _bundle(job, context)), [panel.picker], [bundle], **_PRIVATE)

    def runs() -> list[dict[str, Any]]:
        """Every fit of the store with its settings, status and results, the newest first."""
        return [row.plain() for row in rows_of.read()]

    api(runs, api_name="runs")
    return panel.timer


def _actions() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Row():
        for name, word in (
            ("reproduce", "Reproduce"),
            ("export", "Export"),
            ("export_all", "Export all"),
            ("delete", "Delete"),
        ):
            made[name] = gr.Button(word, elem_id=f"runs-{name.replace('_', '-')}", min_width=90)
    with gr.Group(visible=False, elem_id="runs-asked") as made["asked"]:
        made["question"] = gr.Textbox(label="Really?", elem_id="runs-question", interactive=False)
        with gr.Row():
            made["yes"] = gr.Button("Move to the trash", variant="stop", elem_id="runs-yes")
            made["no"] = gr.Button("Keep", elem_id="runs-no")
    with gr.Accordion("Trash", open=False, elem_id="runs-trash-part"):
        made["trash"] = menu([], label="Deleted", elem_id="runs-trash", interactive=True)
        made["back"] = gr.Button("Bring back", elem_id="runs-bring-back")
    return made


def _provenance() -> tuple[Any, Any]:
    facts = gr.Dataframe(
        headers=["what", "value"],
        label="Where its numbers come from",
        elem_id="runs-facts",
        interactive=False,
        wrap=True,
        max_height=420,
    )
    records = gr.Dataframe(
        headers=list(RECORD_COLUMNS),
        label="Records",
        elem_id="runs-records",
        interactive=False,
        wrap=True,
        max_height=300,
    )
    return facts, records


def _wire_list(
    context: StudioContext,
    rows_of: RunRows,
    table: Any,
    picker: Any,
    trash: Any,
    *,
    panel: JobPanel,
) -> None:
    seen = gr.State("")

    def listed(before: str, picked: str | None) -> list[Any]:
        rows, thrown = rows_of.read(), thrown_away(context.trash)
        mark = repr((rows, thrown))
        if mark == before:
            return [*[gr.skip()] * 3, before]
        names = [row.fit_id for row in rows]
        value = picked if picked in names else (names[0] if names else None)
        menu = gr.update(choices=[(row.label, row.fit_id) for row in rows], value=value)
        bin_ = gr.update(choices=thrown, value=thrown[0] if thrown else None)
        return [[row.cells() for row in rows], menu, bin_, mark]

    outputs = [table, picker, trash, seen]
    gr.on(None, guarded(lambda: listed("", None)), [], outputs, **_QUIET)
    panel.timer.tick(guarded(listed), [seen, picker], outputs, **_QUIET)

    def select(event: gr.SelectData) -> Any:
        rows = [row.fit_id for row in rows_of.read() if row.fit_id[:8] == event.row_value[0]]
        return rows[0] if rows else gr.skip()

    table.select(guarded(select), [], [picker], **_QUIET)


def _wire_jobs(
    context: StudioContext, picker: Any, actions: dict[str, Any], panel: JobPanel
) -> None:
    def reproduce(fit: str | None) -> Any:
        return _started(_reproduce(_chosen(fit), context), panel)

    def export(fit: str | None) -> Any:
        return _started(_export(_chosen(fit), context), panel)

    def export_all() -> Any:
        return _started(_export(None, context), panel)

    for name, handler, inputs in (
        ("reproduce", reproduce, [picker]),
        ("export", export, [picker]),
        ("export_all", export_all, []),
    ):
        actions[name].click(guarded(handler), inputs, [panel.picker], **_PRIVATE)


def _wire_deletion(context: StudioContext, picker: Any, actions: dict[str, Any]) -> None:
    asked, question, doomed = actions["asked"], actions["question"], gr.State(None)

    def ask(fit: str | None) -> list[Any]:
        chosen = _chosen(fit)
        words = f"Move fit {chosen} with its records, codes and model to the trash?"
        return [gr.update(visible=True), words, chosen]

    def delete(fit: str | None) -> list[Any]:
        throw_away(Store(context.store), context.trash, _chosen(fit))
        tell(f"{fit} is in the trash; Bring back undoes it")
        return [gr.update(visible=False), "", None]

    def restore(name: str | None) -> None:
        if not name:
            raise ConfigError("trash: it is empty")
        tell(f"{bring_back(Store(context.store), context.trash, name)} is back in the store")

    outputs = [asked, question, doomed]
    actions["delete"].click(guarded(ask), [picker], outputs, **_PRIVATE)
    # What was asked about is deleted, whatever was chosen since.
    actions["yes"].click(guarded(delete), [doomed], outputs, **_PRIVATE)
    actions["no"].click(lambda: [gr.update(visible=False), "", None], [], outputs, **_PRIVATE)
    actions["back"].click(guarded(restore), [actions["trash"]], [], **_PRIVATE)


def _chosen(fit: str | None) -> str:
    if not fit:
        raise ConfigError("fit: choose one first; the tab Train makes some")
    return fit


def _shown(fit: str | None, context: StudioContext) -> list[Any]:
    if not fit:
        return [[], []]
    store = Store(context.store)
    found = read_cell(store, fit).fit
    return [[list(row) for row in fit_facts(found)] if found else [], record_rows(store, fit)]


def _started(job: jobs.Job, panel: JobPanel) -> Any:
    tell(f"{job.command.title}: {job.state}")
    return panel.show(job)


def _reproduce(fit: str, context: StudioContext) -> jobs.Job:
    start = ("hashbench", "reproduce", fit, "--store", str(context.store))
    words = (*start, *root_words(context), *plugin_words(context))
    title = f"reproduce {fit[:8]}"
    return jobs.start(context.jobs, "reproduce", title, argv=lambda _: words, queue=True)


def _export(fit: str | None, context: StudioContext) -> jobs.Job:
    def words(folder: Path) -> tuple[str, ...]:
        chosen = ("--select", f"id={fit}") if fit else ()
        start = ("hashbench", "export", str(context.store), "-o", str(folder / BUNDLE))
        return (*start, *chosen, *plugin_words(context))

    title = f"export {fit[:8] if fit else 'all'}"
    return jobs.start(context.jobs, "export", title, argv=words)


def _bundle(job: str | None, context: StudioContext) -> str:
    if not job:
        raise ConfigError("job: choose an export first")
    found = jobs.find(context.jobs, job)
    if found.command.kind != "export" or found.state is not jobs.JobState.DONE:
        raise ConfigError(f"job {job}: is no export that is done; choose one, or start it")
    return offer_file(found.folder / BUNDLE, context)
