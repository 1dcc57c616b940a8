"""``hashbench run``: make what is missing."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hashbench.cli.cost import Costs
from hashbench.cli.options import counted, plugin_option, select_option, store_option
from hashbench.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from hashbench.cli.loading import Wanted
    from hashbench.core.cell import Cell
    from hashbench.execute.means import Means
    from hashbench.execute.plan import Planned

_SHORTEST_LEASE = 1.0


def _slots(
    context: click.Context, option: click.Parameter, word: str | None
) -> int | Literal["auto"] | None:
    del context, option
    if word is None:
        return None
    if word == "auto":
        return "auto"
    if not word.isdecimal() or int(word) < 1:
        raise click.BadParameter(f"should be 'auto' or a whole number above 0, got {word!r}")
    return int(word)


def _seconds(context: click.Context, option: click.Parameter, word: str | None) -> float | None:
    """Seconds, or a number with s, m or h."""
    from hashbench.matrix.shorthand import OR_WITH_UNIT

    del context, option
    if word is None:
        return None
    plain = word.replace(".", "", 1).isdecimal()
    try:
        seconds = float(word if plain else OR_WITH_UNIT.spell_out(word))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not seconds:
        raise click.BadParameter("should be above 0")
    return seconds


@click.command("run")
@click.argument("matrix", type=click.Path(path_type=Path))
@store_option
@select_option
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed by themselves.")
@click.option(
    "--strict-code",
    is_flag=True,
    help="Refuse stored results made by other source code of the same version.",
)
@click.option(
    "--slots",
    callback=_slots,
    metavar="auto|N",
    help="Cells beside each other, on CUDA for each device; instead of the matrix's execute.slots.",
)
@click.option(
    "--timeout",
    callback=_seconds,
    metavar="SECONDS",
    help="After which a cell is killed, e.g. 90s, 10m, 4h; instead of execute.timeout.",
)
@click.option(
    "--lease",
    callback=_seconds,
    metavar="SECONDS",
    help="Silence after which other runs on this store may take over this run's cells.  "
    "[default: 20s]",
)
@click.option("--json-events", is_flag=True, help="Tell what happens as JSON lines.")
@plugin_option
def command(
    matrix: Path,
    store: Path,
    selections: tuple[str, ...],
    plugins: tuple[Path, ...],
    *,
    dry_run: bool,
    retry_failed: bool,
    strict_code: bool,
    slots: int | Literal["auto"] | None,
    timeout: float | None,
    lease: float | None,
    json_events: bool,
) -> None:
    """Run every cell of MATRIX that the store does not have yet.

    Several runs may work on one store, on this machine or on others that share its disk.
    """
    from hashbench.cli.loading import check_data, load

    if lease is not None and lease < _SHORTEST_LEASE:
        raise ConfigError(f"--lease {lease:g}: give at least {_SHORTEST_LEASE:g} s")
    # Whatever is wrong is found before anything is written.
    wanted = load(matrix, selections=selections, plugins=plugins)
    _check_device(matrix, wanted.request.device)
    planned = _plan(wanted, store, retry_failed=retry_failed)
    _report_changed(planned, strict=strict_code)
    to_do = _to_do(planned)
    check_data([item.cell for item in to_do if item.job.fit], root=wanted.request.data_root)
    means = _means(wanted, slots=slots, timeout=timeout, lease=lease)
    costs = _costs(to_do, store, means)
    _announce(wanted.name, planned, store, costs, json_events=json_events, each=dry_run)
    if dry_run:
        return
    failed = sum(item.state == "failed" for item in planned)
    failed += _run(wanted, to_do, store, means, costs=costs, json_events=json_events)
    if failed:
        click.echo(
            f"{failed} of {len(planned)} cells failed: hashbench status "
            f"{matrix} --store {store} shows why; --retry-failed runs them again",
            err=True,
        )
        click.get_current_context().exit(ExitCode.CELLS_FAILED)


def _plan(wanted: Wanted, store: Path, *, retry_failed: bool = False) -> list[Planned]:
    from hashbench.core.registry import registry
    from hashbench.execute.plan import plan_cells
    from hashbench.store.store import Store

    return plan_cells(
        wanted.cells,
        wanted.request,
        store=Store.find(store),
        registry=registry(),
        retry_failed=retry_failed,
    )


def _to_do(planned: list[Planned]) -> list[Planned]:
    from hashbench.execute.plan import State

    return [item for item in planned if item.state in (State.MISSING, State.PARTIAL)]


def _means(
    wanted: Wanted,
    *,
    slots: int | Literal["auto"] | None,
    timeout: float | None,
    lease: float | None,
) -> Means:
    from hashbench.core.record import Status
    from hashbench.execute.means import Means
    from hashbench.execute.slots import make_slots
    from hashbench.store.lease import PERIOD

    request = wanted.request
    return Means(
        slots=make_slots(slots or request.slots, device=request.device, threads=request.threads),
        timeout=timeout or request.timeout,
        retries={Status(status): number for status, number in request.retries.items()},
        lease_period=lease or PERIOD,
    )


def _costs(to_do: list[Planned], store: Path, means: Means) -> Costs:
    from hashbench.store.store import Store

    device = "cuda" if means.slots[0].gpu is not None else "cpu"
    return Costs.of(to_do, Store.find(store), device=device, slots=len(means.slots))


def _run(
    wanted: Wanted,
    to_do: list[Planned],
    store: Path,
    means: Means,
    *,
    costs: Costs,
    json_events: bool,
) -> int:
    """Run cells; the number of those that failed."""
    from dataclasses import replace

    from hashbench.cli.eta import Eta
    from hashbench.cli.progress import observer
    from hashbench.core.registry import registry
    from hashbench.execute.local import run_cells
    from hashbench.execute.plan import plan_cells
    from hashbench.store.store import Store

    made = Store.create(store)

    def again(cell: Cell) -> Planned:
        (item,) = plan_cells([cell], wanted.request, store=made, registry=registry())
        return item

    means = replace(means, again=again, seconds=costs.seconds)
    eta = Eta(costs.seconds, slots=len(means.slots))
    with _ended_by_signals(), observer(eta, json_events=json_events) as progress:
        results = run_cells(to_do, made, observer=progress, means=means)
    return sum(not result.fitted or bool(result.failures) for result in results)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the signals of a scheduler or a closed terminal do what Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_device(matrix: Path, device: str) -> None:
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError(
                f"{matrix}: execute.device: cuda: no CUDA device here; write auto or cpu"
            )


def _report_changed(planned: list[Planned], *, strict: bool) -> None:
    changed = Counter(name for item in planned for name in item.changed)
    lines = [
        f"{counted(count, 'stored fit')} made by other source code of {name} (same version)"
        for name, count in changed.items()
    ]
    if strict and lines:
        raise ConfigError(*(f"{line}; use another --store, or raise its version" for line in lines))
    for line in lines:
        click.echo(f"warning: {line}; they are kept", err=True)


def _announce(
    name: str,
    planned: list[Planned],
    store: Path,
    costs: Costs,
    *,
    json_events: bool,
    each: bool,
) -> None:
    """Say what will be done and, cell by cell if asked, what it is thought to cost."""
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
            source=cost.source if cost else None,
        )
