"""The tab Data: your own images imported, and every dataset looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from hashbench.core.errors import ConfigError, HashbenchError
from hashbench.datasets.importing.csv_labels import TableColumns
from hashbench.studio.commands import plugin_words, root_words
from hashbench.studio.context import StudioContext
from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.job_panel import JobPanel, job_panel
from hashbench.studio.menu import menu
from hashbench.studio.page_errors import guarded, tell
from hashbench.studio.tabs.dataset_list import imported_mark, list_datasets
from hashbench.studio.tabs.dataset_view import as_rows, view_dataset
from hashbench.studio.tabs.import_form import ImportForm, preview, start_import

_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_COLUMNS = ("dataset", "state", "labels an image", "protocols", "title")


def fill(context: StudioContext) -> gr.Timer:
    """Fill the tab.

    Args:
        context: What the page was started with.

    Returns:
        What has it read again from the disk.
    """
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            gr.Markdown("### Import your own images")
            inputs = _inputs(context)
            with gr.Row():
                look = gr.Button("Preview", elem_id="data-preview")
                start = gr.Button("Import", variant="primary", elem_id="data-import")
            found = gr.Textbox(
                label="Found", elem_id="data-found", interactive=False, lines=3, max_lines=12
            )
        with gr.Column(scale=2, min_width=340):
            panel = job_panel(
                context, "data", kinds=("import", "prepare"), title="Imports and preparations"
            )
    gr.Markdown("### Datasets")
    shown = _datasets(context, panel)
    _wire(context, inputs, look, start, found, shown=shown, panel=panel)

    def datasets() -> list[dict[str, Any]]:
        """Every dataset with its state, its protocols, and how many labels an image has."""
        return [row.plain() for row in list_datasets(context)]

    api(datasets, api_name="datasets")
    return panel.timer


def _inputs(context: StudioContext) -> list[Any]:
    roots = ", ".join(str(root) for root in context.data_roots)
    path = gr.Textbox(
        label="Folder or zip file",
        info=f"Below a data root: {roots}",
        elem_id="data-path",
        interactive=True,
    )
    sent = gr.File(
        label="… or send a zip file, which then counts",
        file_types=[".zip"],
        height=140,
        elem_id="data-upload",
    )
    name = gr.Textbox(
        label="Name",
        info="Small letters, digits, '-' and '_'; a matrix then says imported/NAME",
        elem_id="data-name",
        interactive=True,
    )
    labels_sent = gr.File(
        label="Labels: a CSV or list file; without one, each folder is a class",
        file_types=[".csv", ".txt"],
        height=140,
        elem_id="data-labels-upload",
    )
    with gr.Accordion("More", open=False, elem_id="data-more"):
        labels_path = gr.Textbox(
            label="Labels below a data root",
            info="A CSV or list file, or a folder with train.txt, test.txt and database.txt",
            elem_id="data-labels-path",
            interactive=True,
        )
        with gr.Row():
            lists = gr.Checkbox(
                label="Split as the lists say",
                info="Of a folder of lists; else a split is drawn",
                elem_id="data-lists",
                interactive=True,
            )
            missing = gr.Checkbox(
                label="Leave out listed images that are not there",
                elem_id="data-allow-missing",
                interactive=True,
            )
        with gr.Row():
            seed = _text("Seed", "0", "data-seed")
            queries = _text("Share of queries", "0.1", "data-query-share")
            train = _text("Share for training", "0.5", "data-train-share")
            side = _text("Pixels of a side", "256", "data-side")
        with gr.Row():
            path_column = _text("CSV: column of paths", "path", "data-path-column")
            label_column = _text("CSV: column of labels", "label", "data-label-column")
            separator = _text("CSV: between labels", ";", "data-separator")
    return [
        *(path, sent, name, labels_sent, labels_path, lists, missing, seed, queries, train, side),
        *(path_column, label_column, separator),
    ]


def _text(label: str, value: str, name: str) -> Any:
    return gr.Textbox(value, label=label, elem_id=name, interactive=True, min_width=110)


def form_of(entered: tuple[Any, ...]) -> ImportForm:
    """What was entered, in the order of the controls.

    Args:
        entered: Their values.

    Raises:
        ConfigError: If a number is none.
    """
    path, sent, name, labels_sent, labels_path, lists, missing, *numbers = entered
    seed, queries, train, side, path_column, label_column, separator = numbers
    return ImportForm(
        name=name or "",
        path=path or "",
        sent=Path(sent) if sent else None,
        labels_path=labels_path or "",
        labels_sent=Path(labels_sent) if labels_sent else None,
        lists=bool(lists),
        seed=_whole("seed", seed, 0, 2**31),
        query_share=_share("share of queries", queries),
        train_share=_share("share for training", train),
        side=_whole("pixels of a side", side, 8, 1024),
        columns=TableColumns(path_column, label_column, separator=separator or ";"),
        allow_missing=bool(missing),
    )


def _whole(what: str, word: str, least: int, most: int) -> int:
    text = str(word).strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigError(f"{what}: should be a whole number from {least} to {most}, got {word!r}")
    return int(text)


def _share(what: str, word: str) -> float:
    try:
        value = float(word)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < 1:
        raise ConfigError(f"{what}: should be a number between 0 and 1, got {word!r}")
    return value


def _datasets(context: StudioContext, panel: JobPanel) -> list[Any]:
    table = gr.Dataframe(
        headers=list(_COLUMNS),
        label="Datasets",
        elem_id="data-datasets",
        interactive=False,
        wrap=True,
        max_height=320,
    )
    with gr.Row():
        picker = menu([], label="Dataset", elem_id="data-dataset", interactive=True, scale=3)
        show = gr.Button("Show", elem_id="data-show", min_width=90)
        prepare = gr.Button("Prepare", elem_id="data-prepare", min_width=90)
    shown = _view()
    seen = gr.State("")

    def listed(before: str, picked: str | None) -> list[Any]:
        mark = imported_mark(context)
        if mark == before:
            return [gr.skip(), gr.skip(), before]
        rows = list_datasets(context)
        names = [row.name for row in rows]
        lines = [[r.name, r.state, r.labels, ", ".join(r.protocols), r.title] for r in rows]
        value = picked if picked in names else names[0]
        return [lines, gr.update(choices=names, value=value), mark]

    quiet: dict[str, Any] = {"show_progress": "hidden", **_PRIVATE}
    gr.on(None, guarded(lambda: listed("", None)), [], [table, picker, seen], **quiet)
    panel.timer.tick(guarded(listed), [seen, picker], [table, picker, seen], **quiet)
    show.click(guarded(lambda name: _shown(name, context)), [picker], shown, **_PRIVATE)
    prepare.click(
        guarded(lambda name: panel.show(_prepare(name, context))),
        [picker],
        [panel.picker],
        **_PRIVATE,
    )
    return shown


def _view() -> list[Any]:
    facts = gr.Dataframe(
        headers=["what", "value"],
        label="Facts",
        elem_id="data-facts",
        interactive=False,
        wrap=True,
        max_height=360,
        visible=False,
    )
    pictures = gr.Gallery(
        label="Contact sheet", elem_id="data-pictures", columns=8, height=360, visible=False
    )
    with gr.Row():
        counts = gr.Dataframe(
            headers=["of label", "images"],
            label="Images by label",
            elem_id="data-counts",
            interactive=False,
            max_height=360,
            visible=False,
        )
        together = gr.Plot(
            label="Labels together", show_label=False, elem_id="data-together", visible=False
        )
    problems = gr.Dataframe(
        headers=["kind", "file", "why"],
        label="Unreadable, duplicate and missing files",
        elem_id="data-problems",
        interactive=False,
        wrap=True,
        max_height=360,
        visible=False,
    )
    return [facts, pictures, counts, together, problems]


def _shown(name: str | None, context: StudioContext) -> list[Any]:
    if not name:
        raise ConfigError("dataset: choose one first")
    view = view_dataset(name, context)
    facts = [*view.facts, *([("note", view.note)] if view.note else [])]
    return [
        _table(facts),
        gr.update(value=list(view.pictures), visible=bool(view.pictures)),
        _table(view.counts),
        gr.update(value=view.together, visible=view.together is not None),
        _table(view.problems),
    ]


def _table(rows: Any) -> Any:
    return gr.update(value=as_rows(rows), visible=bool(rows))


def _prepare(name: str | None, context: StudioContext) -> jobs.Job:
    if not name:
        raise ConfigError("dataset: choose one first")
    words = ("hashbench", "data", "prepare", name, *root_words(context), *plugin_words(context))
    return jobs.start(context.jobs, "prepare", f"prepare {name}", argv=lambda _: words)


def _wire(
    context: StudioContext,
    inputs: list[Any],
    look: Any,
    start: Any,
    found: Any,
    *,
    shown: list[Any],
    panel: JobPanel,
) -> None:
    def looked(*entered: Any) -> list[Any]:
        try:
            seen = preview(form_of(entered), context)
        except HashbenchError as error:
            return [f"error: {error}", *[gr.skip()] * len(shown)]
        return [
            "\n".join(seen.lines),
            gr.update(visible=False),
            gr.update(value=list(seen.pictures), visible=bool(seen.pictures)),
            _table(seen.counts),
            gr.update(value=seen.together, visible=seen.together is not None),
            gr.update(visible=False),
        ]

    def started(*entered: Any) -> list[Any]:
        try:
            job = start_import(form_of(entered), context)
        except HashbenchError as error:
            return [f"error: {error}", gr.skip()]
        tell(f"{job.command.title}: {job.state}")
        return [f"{job.state}: {job.command_line}", panel.show(job)]

    look.click(guarded(looked), inputs, [found, *shown], **_PRIVATE)
    start.click(guarded(started), inputs, [found, panel.picker], **_PRIVATE)
