"""``hashbench status``: the state of every cell, with the causes of failures."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.cost import Costs
from hashbench.cli.eta import duration
from hashbench.cli.options import data_root_option, plugin_option, select_option, store_option

if TYPE_CHECKING:
    from hashbench.cli.loading import Wanted
    from hashbench.store.lease import Watch
    from hashbench.store.store import Store

_UNFINISHED = ("missing", "to be measured", "queued", "running")


@dataclass(frozen=True, slots=True)
class _Row:
    """A cell as it is shown."""

    state: str
    label: str
    fit_id: str
    notes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


@click.command("status")
@click.argument("matrix", type=click.Path(path_type=Path), required=False)
@store_option
@select_option
@data_root_option
@plugin_option
@click.option("--watch", is_flag=True, help="Refresh until every cell is done or has failed.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    help="Seconds between refreshes with --watch.",
)
def command(
    matrix: Path | None,
    store: Path,
    selections: tuple[str, ...],
    plugins: tuple[Path, ...],
    *,
    data_root: Path | None,
    watch: bool,
    every: float,
) -> None:
    """Show the state of the cells of MATRIX, or of all cells of the store."""
    from hashbench.cli.loading import load
    from hashbench.store.lease import Watch

    if matrix is None and (selections or plugins or data_root):
        raise click.UsageError("--select, --plugin and --data-root go with a matrix")
    wanted = None
    if matrix is not None:
        wanted = load(matrix, selections=selections, plugins=plugins, data_root=data_root)
    leases, shown = Watch(), ""
    while True:
        rows, summary = _look(wanted, store, leases)
        text = "\n".join([*_lines(rows), summary])
        if text != shown:
            if shown:
                click.clear()  # does nothing where standard output is no terminal
            click.echo(text)
            shown = text
        if not watch or not any(row.state in _UNFINISHED for row in rows):
            return
        time.sleep(every)


def _look(wanted: Wanted | None, store: Path, leases: Watch) -> tuple[list[_Row], str]:
    """The cells as they are now, and a line on all of them."""
    from hashbench.store.store import Store

    left = ""
    if wanted is None:
        found = Store.open(store)
        rows = _stored(found)
    else:
        found = Store.find(store)
        rows, left = _planned(wanted, found)
    rows = _with_slurm(rows, found, all_of_them=wanted is None)
    rows = [_with_lease(row, found, leases) for row in rows]
    counts = Counter(row.state for row in rows)
    counts.update({"stale": sum(note.startswith("stale") for row in rows for note in row.notes)})
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return rows, (states or "no cells") + left


def _stored(store: Store) -> list[_Row]:
    from hashbench.store.index import read_outcomes

    return [
        _Row("done" if found.fitted else "failed", found.label, found.fit_id, causes=found.causes)
        for found in read_outcomes(store)
        if found.label is not None
    ]


def _planned(wanted: Wanted, store: Store) -> tuple[list[_Row], str]:
    from hashbench.core.registry import registry
    from hashbench.run.plan import plan_cells
    from hashbench.store.index import Outcome

    planned = plan_cells(wanted.cells, wanted.request, store=store, registry=registry())
    rows = [
        _Row(
            item.state.value,
            str(item.cell),
            item.results.fit_id,
            (f"stale: made by other source code of {', '.join(item.changed)}",)
            if item.changed
            else (),
            Outcome.of(item.results).causes,
        )
        for item in planned
    ]
    to_do = [item for item in planned if item.state.value in _UNFINISHED]
    device = "cuda" if wanted.request.device == "cuda" else "cpu"
    costs = Costs.of(to_do, store, device=device, slots=1)
    seconds = costs.seconds.values()
    if not seconds or len(seconds) < len(to_do):
        return rows, ""
    return rows, f"; about {duration(sum(seconds))} of work left"


def _with_slurm(rows: list[_Row], store: Store, *, all_of_them: bool) -> list[_Row]:
    """Say which cells are with Slurm, those without a record among them."""
    from hashbench.run.launchers.slurm.ledger import Ledger

    ledger = Ledger(store)
    handed = {
        fit_id: found for fit_id in sorted(ledger.open_cells()) if (found := ledger.find(fit_id))
    }
    known = {row.fit_id for row in rows}
    if all_of_them:
        new = [fit_id for fit_id in handed if fit_id not in known]
        rows = [*rows, *(_Row("", handed[i].place.label, i) for i in new)]
    return [
        replace(row, state="queued", notes=(*row.notes, str(found)))
        if row.state != "done" and (found := handed.get(row.fit_id))
        else row
        for row in rows
    ]


def _with_lease(row: _Row, store: Store, leases: Watch) -> _Row:
    """Say who works on a cell."""
    from hashbench.store.lease import look

    folder = store.lease_folder(row.fit_id)
    seen = look(folder)
    if seen.free:
        return row
    if seen.holder_gone or leases.silent(folder, seen):
        note = f"{seen} had it and is gone; the next run waits {seen.period:g} s and goes on"
        return replace(row, notes=(*row.notes, note))
    epochs = sorted(store.work_folder(row.fit_id).glob("epoch-*.pt"))
    done = f" after epoch {int(epochs[-1].stem.partition('-')[2])}" if epochs else ""
    return replace(row, state="running", notes=(*row.notes, f"{seen}{done}"))


def _lines(rows: list[_Row]) -> list[str]:
    lines = []
    for row in rows:
        lines.append(f"{row.state:<14}  {row.fit_id}  {row.label}")
        lines += [f"                {line}" for line in (*row.notes, *row.causes)]
    return lines
