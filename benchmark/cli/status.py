"""``hashbench status``: where every cell stands, and why the failed ones failed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import plugin_option, select_option, store_option

if TYPE_CHECKING:
    from hashbench.store.catalogue import CellResults


@click.command("status")
@click.argument("matrix", type=click.Path(path_type=Path), required=False)
@store_option
@select_option
@plugin_option
def command(
    matrix: Path | None, store: Path, selections: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Show the cells of MATRIX, or of the whole store, with their state."""
    if matrix is None:
        if selections or plugins:
            raise click.UsageError("--select and --plugin go with a matrix")
        rows = _stored(store)
    else:
        rows = _planned(matrix, store, selections=selections, plugins=plugins)
    for state, label, results in rows:
        click.echo(f"{state:<14}  {results.fit_id}  {label}")
        for line in _causes(results):
            click.echo(f"                {line}")
    counts = Counter(state for state, _, _ in rows)
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()) or "no cells")


def _stored(store: Path) -> list[tuple[str, str, CellResults]]:
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import Store

    return [
        ("done" if results.fitted else "failed", str(results.fit.cell), results)
        for results in read_all(Store.open(store))
        if results.fit
    ]


def _planned(
    matrix: Path, store: Path, *, selections: tuple[str, ...], plugins: tuple[Path, ...]
) -> list[tuple[str, str, CellResults]]:
    from hashbench.cli.loading import load
    from hashbench.core.registry import registry
    from hashbench.execute.plan import plan_cells
    from hashbench.store.store import Store

    wanted = load(matrix, selections=selections, plugins=plugins)
    found = Store.find(store)
    planned = plan_cells(wanted.cells, wanted.request, store=found, registry=registry())
    return [(item.state.value, str(item.cell), item.results) for item in planned]


def _causes(results: CellResults) -> list[str]:
    fits = [results.fit] if results.fit else []
    records = [*fits, *results.failures]
    return [
        f"{record.kind} {record.status}: {record.error.message}"
        for record in records
        if record.error is not None
    ]
