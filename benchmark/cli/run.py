"""``hashbench run``: make what is missing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hashbench.cli.announce import announce, report_changed
from hashbench.cli.cost import Costs
from hashbench.cli.options import (
    address_option,
    check_address,
    data_root_option,
    plugin_option,
    select_option,
    store_option,
)
from hashbench.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from hashbench.cli.loading import Wanted
    from hashbench.core.cell import Cell
    from hashbench.run.backends import RunCells
    from hashbench.run.options import Means
    from hashbench.run.plan import Planned

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
    "--backend",
    type=click.Choice(["local", "slurm", "ray"]),
    help="Where cells run: on this machine or on a cluster; instead of the matrix's "
    "execute.backend.",
)
@address_option
@click.option(
    "--cancel",
    is_flag=True,
    help="Cancel the cells that a run handed to Slurm, instead of running any.",
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
@data_root_option
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
    backend: str | None,
    address: str | None,
    cancel: bool,
    slots: int | Literal["auto"] | None,
    timeout: float | None,
    lease: float | None,
    json_events: bool,
    data_root: Path | None,
) -> None:
    """Run every cell of MATRIX that the store does not have yet.

    Several runs may work on one store, on this machine or on others that share its disk. Cells
    handed to Slurm go on without this command: Ctrl-C leaves them there, the same command attaches
    again.
    """
    from hashbench.cli.loading import check_data, load

    if lease is not None and lease < _SHORTEST_LEASE:
        raise ConfigError(f"--lease {lease:g}: give at least {_SHORTEST_LEASE:g} s")
    # Whatever is wrong is found before anything is written.
    wanted = load(matrix, selections=selections, plugins=plugins, data_root=data_root)
    backend = backend or wanted.request.backend
    run_cells = _runner(backend, slots, address, cancel=cancel)
    if backend == "local":
        _check_device(matrix, wanted.request.device)
    planned = _plan(wanted, store, retry_failed=retry_failed)
    report_changed(planned, strict=strict_code)
    to_do = planned if cancel else _to_do(planned, _handed(backend, store))
    if not cancel:
        check_data([item.cell for item in to_do if item.job.fit], root=wanted.request.data_root)
    means = _means(wanted, backend, slots=slots, timeout=timeout, lease=lease)
    means = replace(means, address=address)
    costs = _costs(to_do, store, means)
    announce(wanted.name, planned, store, costs, json_events=json_events, each=dry_run)
    if dry_run:
        return
    failed = sum(item.state == "failed" and item not in to_do for item in planned)
    failed += _run(run_cells, wanted, to_do, store, means, costs=costs, json_events=json_events)
    if failed and not cancel:
        click.echo(
            f"{failed} of {len(planned)} cells failed: hashbench status "
            f"{matrix} --store {store} shows why; --retry-failed runs them again",
            err=True,
        )
        click.get_current_context().exit(ExitCode.CELLS_FAILED)


def _runner(
    backend: str, slots: int | Literal["auto"] | None, address: str | None, *, cancel: bool
) -> RunCells:
    """What runs the cells, or cancels them."""
    from hashbench.run.backends import BACKENDS

    check_address(backend, address)
    if slots is not None and backend != "local":
        raise ConfigError(
            f"--slots goes with --backend local; on {backend}, execute.{backend} of the matrix "
            f"says what a cell asks for"
        )
    chosen = BACKENDS[backend]
    return chosen.cancel_cells() if cancel else chosen.run_cells()


def _plan(wanted: Wanted, store: Path, *, retry_failed: bool = False) -> list[Planned]:
    from hashbench.core.registry import registry
    from hashbench.run.plan import plan_cells
    from hashbench.store.store import Store

    return plan_cells(
        wanted.cells,
        wanted.request,
        store=Store.find(store),
        registry=registry(),
        retry_failed=retry_failed,
    )


def _to_do(planned: list[Planned], handed: set[str]) -> list[Planned]:
    from hashbench.run.plan import State

    wanted = (State.MISSING, State.PARTIAL)
    return [item for item in planned if item.state in wanted or item.cell.fit_id in handed]


def _handed(backend: str, store: Path) -> set[str]:
    """Cells that an earlier run handed to Slurm and that have not ended, whatever they left yet."""
    from hashbench.run.launchers.slurm.ledger import Ledger
    from hashbench.store.store import Store

    return Ledger(Store.find(store)).open_cells() if backend == "slurm" else set()


def _means(
    wanted: Wanted,
    backend: str,
    *,
    slots: int | Literal["auto"] | None,
    timeout: float | None,
    lease: float | None,
) -> Means:
    from hashbench.core.record import Status
    from hashbench.run.options import Means
    from hashbench.run.slots import Slot, make_slots
    from hashbench.store.lease import PERIOD

    request = wanted.request
    here: tuple[Slot, ...] = (Slot(0),)  # a cluster's are elsewhere
    if backend == "local":
        wanted_here = slots or request.slots
        here = make_slots(wanted_here, device=request.device, threads=request.threads)
    return Means(
        slots=here,
        timeout=timeout or request.timeout,
        retries={Status(status): number for status, number in request.retries.items()},
        lease_period=lease or PERIOD,
        request=request,
    )


def _costs(to_do: list[Planned], store: Path, means: Means) -> Costs:
    from hashbench.store.store import Store

    device = "cuda" if means.slots[0].gpu is not None else "cpu"
    return Costs.of(to_do, Store.find(store), device=device, slots=len(means.slots))


def _run(
    run_cells: RunCells,
    wanted: Wanted,
    to_do: list[Planned],
    store: Path,
    means: Means,
    *,
    costs: Costs,
    json_events: bool,
) -> int:
    """Run cells; the number of those that failed."""
    from hashbench.cli.eta import Eta
    from hashbench.cli.progress import observer
    from hashbench.core.registry import registry
    from hashbench.run.plan import plan_cells
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
