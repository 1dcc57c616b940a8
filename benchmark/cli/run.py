"""``hashbench run``: make what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import matrix_argument, select_option, store_option
from hashbench.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from hashbench.execute.plan import Planned


@click.command("run")
@matrix_argument
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
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A Python file with more components; may be given several times.",
)
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
    from hashbench.cli.loading import load
    from hashbench.cli.progress import observer
    from hashbench.core.registry import registry
    from hashbench.execute.local import run_cells
    from hashbench.execute.plan import State, plan_cells
    from hashbench.store.store import MARKER, Store

    wanted = load(matrix, selections=selections, plugins=plugins)
    _check_device(wanted.request.device)
    exists = (store / MARKER).exists()
    opened = Store.open(store) if dry_run and exists else None if dry_run else Store.create(store)
    planned = plan_cells(
        wanted.cells,
        wanted.request,
        store=opened,
        registry=registry(),
        retry_failed=retry_failed,
    )
    _report_changed(planned, strict=strict_code)
    _summarise(wanted.name, planned, store)
    to_do = [item for item in planned if item.state in (State.MISSING, State.PARTIAL)]
    if dry_run or opened is None:
        for item in planned:
            click.echo(f"{item.state:<14}  {item.cell.fit_id}  {item.cell}")
        return
    failed = [item.results for item in planned if item.state is State.FAILED]
    with observer() as progress:
        results = run_cells(to_do, opened, timeout=wanted.request.timeout, observer=progress)
    failed += [result for result in results if not result.fitted or result.failures]
    if failed:
        click.echo(
            f"{len(failed)} of {len(planned)} cells failed: hashbench status {matrix} "
            f"--store {store} shows why; --retry-failed runs them again",
            err=True,
        )
        click.get_current_context().exit(ExitCode.CELLS_FAILED)


def _check_device(device: str) -> None:
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("execute.device: cuda: no CUDA device here; write auto or cpu")


def _report_changed(planned: list[Planned], *, strict: bool) -> None:
    changed = Counter(name for item in planned for name in item.changed)
    lines = [
        f"{count} stored fits were made by other source code of {name} (same version)"
        for name, count in changed.items()
    ]
    if strict and lines:
        raise ConfigError(*(f"{line}; use another --store, or raise its version" for line in lines))
    for line in lines:
        click.echo(f"warning: {line}; they are kept", err=True)


def _summarise(name: str, planned: list[Planned], store: Path) -> None:
    counts = Counter(item.state for item in planned)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    click.echo(f"{name}: {len(planned)} cells: {states}; store {store}")
