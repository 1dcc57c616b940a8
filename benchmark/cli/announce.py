"""Print the plan of a run before it begins: states of cells, changed sources, estimated cost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.cost import Costs
from hashbench.cli.options import counted
from hashbench.core.errors import ConfigError

if TYPE_CHECKING:
    from hashbench.run.plan import Planned


def report_changed(planned: list[Planned], *, strict: bool) -> None:
    """Warn of stored fits that other source code or unpinned arithmetic made.

    Raises:
        ConfigError: If `strict`, and other source code made some.
    """
    changed = Counter(name for item in planned for name in item.changed)
    lines = [
        f"{counted(count, 'stored fit')} made by other source code of {name} (same version)"
        for name, count in changed.items()
    ]
    if strict and lines:
        raise ConfigError(*(f"{line}; use another --store, or raise its version" for line in lines))
    for line in lines:
        click.echo(f"warning: {line}; they are kept", err=True)
    if unpinned := sum(item.unpinned for item in planned):
        click.echo(
            f"warning: {counted(unpinned, 'stored fit')} computed without pinned instruction sets; "
            "each is computed again, and its old record stays in the store",
            err=True,
        )


def announce(
    name: str,
    planned: list[Planned],
    store: Path,
    costs: Costs,
    *,
    json_events: bool,
    each: bool,
) -> None:
    """Print the states of all cells; with `each`, every cell and the estimated cost."""
    if json_events:
        _announce_as_json(planned, store, costs, each=each)
        return
    counts = Counter(item.state for item in planned)
    states = [f"{count} {state}" for state, count in counts.items()]
    stale = sum(bool(item.changed) for item in planned)
    states += [f"{stale} stale"] if stale else []
    click.echo(f"{name}: {counted(len(planned), 'cell')}: {', '.join(states)}; store {store}")
    if each:
        for item in planned:
            stale_by = f"  (stale: other {', '.join(item.changed)})" if item.changed else ""
            cost = costs.of_cell(item.cell.fit_id)
            click.echo(f"{item.state:<14}  {item.cell.fit_id}  {item.cell}{stale_by}{cost}")
        for line in costs.lines():
            click.echo(line)


def _announce_as_json(planned: list[Planned], store: Path, costs: Costs, *, each: bool) -> None:
    from hashbench.cli.progress import JsonEvents

    counts = Counter(item.state.value for item in planned)
    JsonEvents.say("plan", cells=len(planned), states=counts, store=str(store))
    for item in planned if each else []:
        cost = costs.by_cell.get(item.cell.fit_id)
        JsonEvents.say(
            "cell",
            cell=item.cell.fit_id,
            label=str(item.cell),
            state=item.state.value,
            stale=list(item.changed),
            seconds=cost.seconds if cost else None,
            stored_bytes=cost.stored_bytes if cost else None,
            peak_memory_bytes=cost.peak_memory_bytes if cost else None,
            source=cost.source if cost else None,
        )
