"""``hashbench run``: run the cells that the store does not have."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
    from hashbench.core.job import Request
    from hashbench.run.backends import RunCells
    from hashbench.run.options import RunOptions
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
    """Read seconds, or a number with s, m or h."""
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
    help="Cancel the cells that a run submitted to Slurm, instead of running any.",
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
@click.option("--json-events", is_flag=True, help="Report progress as JSON lines.")
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
    submitted to Slurm go on without this command: Ctrl-C leaves them there, and the same command
    attaches again.
    """
    from hashbench.cli.loading import check_data, load

    if lease is not None and lease < _SHORTEST_LEASE:
        raise ConfigError(f"--lease {lease:g}: give at least {_SHORTEST_LEASE:g} s")
    overrides = {"backend": backend, "slots": slots, "timeout": timeout}
    # Whatever is wrong is found before anything is written.
    wanted = load(
        matrix, selections=selections, plugins=plugins, data_root=data_root, overrides=overrides
    )
    request = wanted.request
    run_cells = _runner(request.backend, slots, address, cancel=cancel)
    planned = _plan(matrix, wanted, store, retry_failed=retry_failed)
    report_changed(planned, strict=strict_code)
    to_do = planned if cancel else _to_do(planned, request.backend, store)
    if not cancel:
        check_data([item.cell for item in to_do if item.job.fit], root=request.data_root)
    options, costs = _options(request, to_do, store, lease=lease, address=address)
    announce(wanted.name, planned, store, costs, json_events=json_events, each=dry_run)
    if dry_run:
        return
    failed = sum(item.state == "failed" and item not in to_do for item in planned)
    failed += _run(run_cells, to_do, store, options, json_events=json_events)
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
    """Return the function that runs the cells, or cancels them."""
    from hashbench.run.backends import BACKENDS

    check_address(backend, address)
    if slots is not None and backend != "local":
        raise ConfigError(
            f"--slots goes with --backend local; on {backend}, execute.{backend} of the matrix "
            f"says what a cell asks for"
        )
    chosen = BACKENDS[backend]
    return chosen.cancel_cells() if cancel else chosen.run_cells()


def _plan(matrix: Path, wanted: Wanted, store: Path, *, retry_failed: bool) -> list[Planned]:
    from hashbench.core.registry import registry
    from hashbench.run.plan import plan_cells
    from hashbench.store.store import Store

    if wanted.request.backend == "local":
        _check_device(matrix, wanted.request.device)
    return plan_cells(
        wanted.cells,
        wanted.request,
        store=Store.find(store),
        registry=registry(),
        retry_failed=retry_failed,
    )


def _to_do(planned: list[Planned], backend: str, store: Path) -> list[Planned]:
    """Return the cells with something missing, and those that Slurm has from an earlier run."""
    from hashbench.run.launchers.slurm.ledger import Ledger
    from hashbench.store.store import Store

    submitted = Ledger(Store.find(store)).open_cells() if backend == "slurm" else set()
    return [item for item in planned if item.state.wanted or item.cell.fit_id in submitted]


def _options(
    request: Request,
    to_do: list[Planned],
    store: Path,
    *,
    lease: float | None,
    address: str | None,
) -> tuple[RunOptions, Costs]:
    """Return the options of the run, and the estimates that are among them."""
    from hashbench.core.record import Status
    from hashbench.run.options import RunOptions, Slot, make_slots
    from hashbench.store.lease import PERIOD
    from hashbench.store.store import Store

    slots: tuple[Slot, ...] = (Slot(0),)  # a cluster has its own
    if request.backend == "local":
        slots = make_slots(request.slots, device=request.device, threads=request.threads)
    device = "cuda" if slots[0].gpu is not None else "cpu"
    costs = Costs.of(to_do, Store.find(store), device=device, slots=len(slots))
    options = RunOptions(
        slots=slots,
        timeout=request.timeout,
        retries={Status(status): number for status, number in request.retries.items()},
        lease_period=lease or PERIOD,
        seconds=costs.seconds,
        request=request,
        address=address,
    )
    return options, costs


def _run(
    run_cells: RunCells,
    to_do: list[Planned],
    store: Path,
    options: RunOptions,
    *,
    json_events: bool,
) -> int:
    """Run cells; return the number of those that failed."""
    from hashbench.cli.eta import Eta
    from hashbench.cli.progress import observer
    from hashbench.store.store import Store

    made = Store.create(store)
    eta = Eta(options.seconds, slots=len(options.slots))
    with _ended_by_signals(), observer(eta, json_events=json_events) as progress:
        results = run_cells(to_do, made, observer=progress, options=options)
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
