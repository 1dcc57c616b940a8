"""The part of a tab that shows jobs: which there are, and how one of them goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr

from hashbench.core.errors import ConfigError, HashbenchError
from hashbench.studio.context import StudioContext
from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.job_view import CELL_COLUMNS, JobView, choices, mark_of, state_line, view
from hashbench.studio.menu import menu
from hashbench.studio.page_errors import guarded, tell

_SECONDS: Final = 1.5
_NOTHING: Final = JobView("", "", "", None, (), "", "")


@dataclass(frozen=True, slots=True)
class JobPanel:
    """The controls that other parts of a tab use.

    Attributes:
        picker: The menu of jobs.
        timer: Ticks; what else shall be read again from the disk listens to it.
        kinds: The kinds of job that it shows.
        folder: The folder of all jobs.
    """

    picker: gr.Dropdown
    timer: gr.Timer
    kinds: tuple[str, ...]
    folder: Path

    def show(self, job: jobs.Job) -> Any:
        """What to give the menu so that a job is shown that has just been started."""
        return gr.update(choices=choices(self.folder, self.kinds), value=job.id)


def job_panel(
    context: StudioContext, name: str, *, kinds: Sequence[str], title: str, runs: bool = False
) -> JobPanel:
    """Make the panel in the tab that is being built.

    All it shows is read from the jobs' folders at every tick, so that a reloaded page and a second
    visitor see the same.

    Args:
        context: What the page was started with.
        name: How its controls' ids begin.
        kinds: The kinds of job that it shows.
        title: Its heading.
        runs: Whether they are trainings, with cells and curves.
    """
    gr.Markdown(f"### {title}")
    picker = menu([], label="Job", elem_id=f"{name}-job", interactive=True)
    with gr.Row():
        stop = gr.Button("Stop", elem_id=f"{name}-job-stop", min_width=80)
        again = gr.Button("Resume", elem_id=f"{name}-job-resume", min_width=80)
        remove = gr.Button("Remove", elem_id=f"{name}-job-remove", min_width=80)
    state = gr.Textbox(label="State", elem_id=f"{name}-job-state", interactive=False)
    progress = gr.Textbox(
        label="Progress", elem_id=f"{name}-job-progress", interactive=False, visible=runs, lines=2
    )
    figure = gr.Plot(label="Training", show_label=False, elem_id=f"{name}-job-plot", visible=runs)
    cells = gr.Dataframe(
        headers=list(CELL_COLUMNS),
        label="Cells",
        elem_id=f"{name}-job-cells",
        interactive=False,
        visible=runs,
        wrap=True,
        column_widths=["180px", "90px", "80px", "80px", "90px", "160px", "80px"],
    )
    command = gr.Textbox(
        label="The same in a shell",
        elem_id=f"{name}-job-command",
        interactive=False,
        lines=2,
        buttons=["copy"],
    )
    log = gr.Textbox(
        label="Log", elem_id=f"{name}-job-log", interactive=False, lines=6, max_lines=14
    )
    seen = gr.State("")
    timer = gr.Timer(_SECONDS, active=False)
    shown = [picker, state, progress, figure, cells, command, log, seen]

    def look(picked: str | None, before: str) -> list[Any]:
        return _look(context, kinds, picked=picked, before=before)

    def change(picked: str | None, action: str) -> list[Any]:
        if not picked:
            raise ConfigError("job: choose one first")
        tell(_change(context, picked, action))
        return _look(context, kinds, picked=picked, before="")

    silent: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for trigger in (timer.tick, picker.change):
        trigger(guarded(look), [picker, seen], shown, **silent)
    gr.on(None, guarded(lambda: _look(context, kinds, picked=None, before="")), [], shown, **silent)
    for button, action in ((stop, "stop"), (again, "resume"), (remove, "remove")):
        word = gr.State(action)
        button.click(guarded(change), [picker, word], shown, **silent)
    return JobPanel(picker, timer, tuple(kinds), context.jobs)


def _change(context: StudioContext, name: str, action: str) -> str:
    if action == "stop":
        jobs.stop(context.jobs, name)
        return "asked to stop; what is finished is kept"
    if action == "resume":
        return f"resumed: {jobs.resume(context.jobs, name).state}"
    jobs.remove(context.jobs, name)
    return "removed the job, its log and its uploads; results stay in the store"


def _look(
    context: StudioContext, kinds: Sequence[str], *, picked: str | None, before: str
) -> list[Any]:
    """What is there now; nothing is changed in the page if it is what was there before."""
    menu = choices(context.jobs, kinds)
    known = [name for _, name in menu]
    name = picked if picked in known else (known[0] if known else None)
    found = _found(context, name)
    mark = f"{menu} {mark_of(found) if found else ''}"
    if mark == before:
        state = state_line(found) if found and not found.state.over else gr.skip()
        return [gr.skip(), state, *[gr.skip()] * 5, before]
    shown = view(found) if found else _NOTHING
    return [
        gr.update(choices=menu, value=name),
        shown.state or "nothing was started here yet",
        shown.progress,
        gr.update(value=shown.figure, visible=shown.figure is not None),
        gr.update(value=[list(row) for row in shown.cells], visible=bool(shown.cells)),
        shown.command,
        shown.log,
        mark,
    ]


def _found(context: StudioContext, name: str | None) -> jobs.Job | None:
    if name is None:
        return None
    try:
        return jobs.find(context.jobs, name)
    except HashbenchError:
        return None
