"""The tab Train: a method on a dataset, by a form or a matrix, and the runs that were started."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hashbench.core.errors import HashbenchError
from hashbench.core.registry import Kind
from hashbench.studio.commands import estimate, start_run
from hashbench.studio.context import StudioContext
from hashbench.studio.downloads import offer_text
from hashbench.studio.forms.matrix_check import FILE, check
from hashbench.studio.forms.matrix_form import NO_PRESET
from hashbench.studio.forms.parameter_inputs import parameter_inputs
from hashbench.studio.forms.train_choices import component_card, method_of, presets, recipe_card
from hashbench.studio.forms.train_fields import USUAL, TrainFields
from hashbench.studio.jobs.job_panel import JobPanel, job_panel
from hashbench.studio.page_errors import guarded, tell
from hashbench.studio.tabs.dataset_list import imported_mark, trainable

_PRIVATE: dict[str, Any] = {"api_visibility": "private"}


def fill(context: StudioContext) -> gr.Timer:
    """Fill the tab.

    Args:
        context: What the page was started with.

    Returns:
        What has it read again from the disk.
    """
    with gr.Row():
        with gr.Column(scale=3, min_width=340), gr.Tabs(elem_id="train-ways"):
            with gr.Tab("Form", id="form", elem_id="train-way-form"):
                fields = TrainFields(context)
                parameters = gr.Column(elem_id="train-parameters")
                buttons, result = _buttons("train")
            with gr.Tab("Matrix file", id="matrix", elem_id="train-way-matrix"):
                editor = _editor()
                matrix_buttons, matrix_result = _buttons("matrix")
        with gr.Column(scale=2, min_width=340):
            panel = job_panel(context, "train", kinds=("run",), title="Runs", runs=True)
    _follow_choices(context, fields, panel.timer)
    _wire_form(context, fields, parameters, buttons, result, editor=editor, panel=panel)
    _wire(context, matrix_buttons, [editor], lambda text: text, matrix_result, panel=panel)
    return panel.timer


def _buttons(prefix: str) -> tuple[dict[str, Any], Any]:
    with gr.Row():
        made: dict[str, Any] = {
            "check": gr.Button("Check and estimate", elem_id=f"{prefix}-check"),
            "start": gr.Button("Start", variant="primary", elem_id=f"{prefix}-start"),
            "download": gr.DownloadButton(
                "Download the matrix", elem_id=f"{prefix}-download", interactive=False
            ),
        }
        if prefix == "train":
            made["edit"] = gr.Button("Copy to the matrix file", elem_id="train-edit")
    result = gr.Textbox(
        label="Check", elem_id=f"{prefix}-result", interactive=False, lines=3, max_lines=12
    )
    return made, result


def _editor() -> Any:
    upload = gr.File(
        label="Open a matrix file",
        file_types=[".yaml", ".yml"],
        type="binary",
        height=140,
        elem_id="matrix-upload",
    )
    editor = gr.Textbox(
        label="Matrix (YAML)",
        info="Anything that hashbench run takes, but plugins and files outside the data roots",
        lines=18,
        max_lines=40,
        elem_id="matrix-text",
        elem_classes="monospaced",
    )

    def read(data: bytes | None) -> Any:
        return gr.skip() if data is None else data.decode("utf-8", "replace")

    upload.upload(guarded(read), [upload], [editor], **_PRIVATE)
    return editor


def _follow_choices(context: StudioContext, fields: TrainFields, timer: gr.Timer) -> None:
    """Fill one menu by what was chosen in another, and the menu of datasets by what there is."""

    def protocols(dataset: str) -> Any:
        rows = [row for row in trainable(context) if row.name == dataset]
        return gr.update(choices=[USUAL, *(rows[0].protocols if rows else ())], value=USUAL)

    def method(key: str) -> tuple[Any, str]:
        kind, name = method_of(key)
        return gr.update(choices=presets(kind, name), value=NO_PRESET), component_card(kind, name)

    def datasets(before: str) -> list[Any]:
        mark = imported_mark(context)
        if mark == before:
            return [gr.skip(), mark]
        return [gr.update(choices=[row.name for row in trainable(context)]), mark]

    fields.dataset.change(guarded(protocols), [fields.dataset], [fields.protocol], **_PRIVATE)
    seen = gr.State("")
    timer.tick(
        guarded(datasets), [seen], [fields.dataset, seen], show_progress="hidden", **_PRIVATE
    )
    gr.on(
        None,
        guarded(method),
        [fields.method],
        [fields.method_preset, fields.card],
        show_progress="hidden",
        **_PRIVATE,
    )
    fields.recipe.change(recipe_card, [fields.recipe], [fields.recipe_card], **_PRIVATE)


def _wire_form(
    context: StudioContext,
    fields: TrainFields,
    parameters: Any,
    buttons: dict[str, Any],
    result: Any,
    *,
    editor: Any,
    panel: JobPanel,
) -> None:
    """Make the parameters' controls anew for every method, and what the buttons do with them."""
    chosen = [fields.method, fields.method_preset, fields.backbone]
    with parameters:

        def controls(method: str | None, preset: str | None, backbone: str | None) -> None:
            if not method or not backbone:
                return
            kind, name = method_of(method)
            with gr.Accordion(f"Parameters of {name}", elem_id="train-method-parameters"):
                own = parameter_inputs(kind, name, preset, prefix="train-param")
            with gr.Accordion(
                f"Parameters of {backbone}", open=False, elem_id="train-backbone-parameters"
            ):
                trunk = parameter_inputs(Kind.BACKBONE, backbone, None, prefix="train-backbone")

            def text(*entered: Any) -> str:
                fixed, rest = entered[: len(fields.all)], entered[len(fields.all) :]
                return fields.form(
                    fixed,
                    method_params=dict(zip(own, rest[: len(own)], strict=True)),
                    backbone_params=dict(zip(trunk, rest[len(own) :], strict=True)),
                ).text()

            entered = [*fields.all, *own.values(), *trunk.values()]
            _wire(context, buttons, entered, text, result, panel=panel)
            buttons["edit"].click(guarded(text), entered, [editor], **_PRIVATE)

        gr.render(inputs=chosen, show_progress="hidden")(controls)


def _wire(
    context: StudioContext,
    buttons: dict[str, Any],
    inputs: Sequence[Any],
    text: Any,
    result: Any,
    *,
    panel: JobPanel,
) -> None:
    def look(*entered: Any) -> tuple[str, Any]:
        try:
            return _looked_at(text(*entered), context)
        except HashbenchError as error:
            return "\n".join(f"error: {line}" for line in str(error).splitlines()), gr.skip()

    def start(*entered: Any) -> tuple[str, Any]:
        try:
            job = start_run(text(*entered), context)
        except HashbenchError as error:
            return "\n".join(f"error: {line}" for line in str(error).splitlines()), gr.skip()
        tell(f"{job.command.title}: {job.state}")
        return f"{job.state}: {job.command_line}", panel.show(job)

    buttons["check"].click(guarded(look), inputs, [result, buttons["download"]], **_PRIVATE)
    buttons["start"].click(guarded(start), inputs, [result, panel.picker], **_PRIVATE)


def _looked_at(text: str, context: StudioContext) -> tuple[str, Any]:
    checked = check(text, context)
    download = gr.update(value=offer_text(FILE, checked.text, context), interactive=True)
    lines = [
        f"no mistakes; {len(checked.cells)} cells",
        *([checked.warning] * bool(checked.warning)),
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="hashbench-studio-") as folder:
            lines += estimate(checked, Path(folder), context).lines
    except HashbenchError as error:
        lines += [f"error: {line}" for line in str(error).splitlines()]
    return "\n".join(lines), download
