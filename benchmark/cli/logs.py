"""``hashbench logs``: the output, the records and the epochs of one cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import store_option

if TYPE_CHECKING:
    from hashbench.core.record import Record
    from hashbench.store.store import Store


@click.command("logs")
@click.argument("cell")
@store_option
def command(cell: str, store: Path) -> None:
    """Show the output of the last worker of CELL, its records, and its epochs.

    CELL is the id that `hashbench status` shows, or the start of it.
    """
    from hashbench.core.record import FitRecord, Status
    from hashbench.store.store import Store

    found = Store.open(store)
    fit_id = _find(found, cell)
    records = list(found.records(fit_id))
    fits = [record for record in records if isinstance(record, FitRecord)]
    if fits:
        click.echo(f"{fit_id}  {fits[-1].cell}")
    for record in records:
        _show_record(record)
    good = [fit for fit in fits if fit.status is Status.OK]
    for entry in good[-1].history if good else []:
        values = (f"{name} {value:.4g}" for name, value in entry.items() if name != "epoch")
        click.echo(f"epoch {entry['epoch']}: {', '.join(values)}")
    log = found.log_file(fit_id)
    printed = log.read_text(errors="replace") if log.is_file() else ""
    click.echo(
        f"printed by its last worker:\n{printed}" if printed else "its worker printed nothing"
    )
    _show_job(found, fit_id)


def _show_job(store: Store, fit_id: str) -> None:
    """What its last Slurm job printed, if it had one: more than its worker where it never came."""
    from hashbench.run.launchers.slurm.ledger import Ledger

    ledger = Ledger(store)
    handed = ledger.last(fit_id)
    if handed is None:
        return
    output = ledger.output(handed)
    printed = output.read_text(errors="replace") if output.is_file() else "nothing\n"
    click.echo(f"printed by {handed}:\n{printed}", nl=False)


def _show_record(record: Record) -> None:
    click.echo(f"{record.started}  {record.kind}-{record.record_id}  {record.status}")
    if record.error is not None:
        click.echo(f"  {record.error.type}: {record.error.message}")
        for line in record.error.traceback.splitlines():
            click.echo(f"  | {line}")


def _find(store: Store, word: str) -> str:
    """Return the id of the only cell whose id starts with a word.

    Raises:
        ConfigError: If there is no such cell, or there are several.
    """
    from hashbench.core.errors import ConfigError
    from hashbench.run.launchers.slurm.ledger import Ledger
    from hashbench.store.lookup import refuse_several

    known = {*store.fit_ids(), *Ledger(store).open_cells()}
    known |= {*(path.stem for path in store.log_file("x").parent.glob("*.txt"))}
    found = sorted(fit_id for fit_id in known if fit_id.startswith(word.lower()))
    if not found:
        raise ConfigError(
            f"cell {word!r}: no id in {store.root} starts with it; hashbench status --store "
            f"{store.root} lists the cells"
        )
    refuse_several(f"cell {word}", found)
    return found[0]
