"""``hashbench run``: make what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted, plugin_option, select_option, store_option
from hashbench.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from hashbench.execute.plan import Planned


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
) -> None:
    """Run every cell of MATRIX that the store does not have yet."""
    from hashbench.cli.loading import check_data, load
    from hashbench.core.registry import registry
    from hashbench.execute.plan import State, plan_cells
    from hashbench.store.store import Store

    # Whatever is wrong is found before anything is written.
    wanted = load(matrix, selections=selections, plugins=plugins)
    _check_device(matrix, wanted.request.device)
    found = Store.find(store)
    planned = plan_cells(
        wanted.cells, wanted.request, store=found, registry=registry(), retry_failed=retry_failed
    )
    _report_changed(planned, strict=strict_code)
    to_do = [item for item in planned if item.state in (State.MISSING, State.PARTIAL)]
    check_data([item.cell for item in to_do if item.job.fit], root=wanted.request.data_root)
    _summarise(wanted.name, planned, store)
    if dry_run:
        for item in planned:
            click.echo(f"{item.state:<14}  {item.cell.fit_id}  {item.cell}")
        return
    failed = [item for item in planned if item.state is State.FAILED]
    ended_badly = _run(to_do, store, timeout=wanted.request.timeout)
    if failed or ended_badly:
        click.echo(
            f"{len(failed) + ended_badly} of {len(planned)} cells failed: hashbench status "
            f"{matrix} --store {store} shows why; --retry-failed runs them again",
            err=True,
        )
        click.get_current_context().exit(ExitCode.CELLS_FAILED)


def _run(to_do: list[Planned], store: Path, *, timeout: float | None) -> int:
    """Run cells; the number of those that failed."""
    from hashbench.cli.progress import observer
    from hashbench.execute.local import run_cells
    from hashbench.store.store import Store

    made = Store.create(store)
    with observer() as progress:
        results = run_cells(to_do, made, timeout=timeout, observer=progress)
    return sum(not result.fitted or bool(result.failures) for result in results)


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


def _summarise(name: str, planned: list[Planned], store: Path) -> None:
    counts = Counter(item.state for item in planned)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    click.echo(f"{name}: {counted(len(planned), 'cell')}: {states}; store {store}")
