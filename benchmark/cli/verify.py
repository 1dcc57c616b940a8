"""``hashbench verify``: whether a store or a bundle is what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import DEFAULT_STORE, counted, plugin_option, without_option
from hashbench.core.errors import ExitCode

if TYPE_CHECKING:
    from hashbench.audit.findings import Audit

_TIMES = (
    "Times (training, encoding, latency) cannot be computed again: their samples are not stored. "
    "Of latency it was checked that it does not contradict itself and is of these codes."
)


@click.command("verify")
@click.argument("store", type=click.Path(path_type=Path), default=DEFAULT_STORE)
@click.option(
    "--deep",
    is_flag=True,
    help="Load the datasets again as well, and compare pixels, labels and lists.",
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="Where datasets are looked for, for --deep.",
)
@without_option
@plugin_option
def command(
    store: Path,
    data_root: Path | None,
    without: tuple[str, ...],
    plugins: tuple[Path, ...],
    *,
    deep: bool,
) -> None:
    """Check every record, artifact and number of STORE, a folder or a bundle made by export.

    Ids, checksums, metrics, per-query values, curves and code statistics are computed again, and
    protocols compared with the installed ones. Nothing is written. Ends with code 7 if anything is
    wrong.
    """
    from hashbench.audit.bundle import opened_bundle, verify_bundle
    from hashbench.audit.verify import verify_store
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry

    load_plugins(plugins, registry())
    if store.is_file():
        with opened_bundle(store) as bundle:
            audit = verify_bundle(bundle, deep=deep, data_root=data_root, absent=without)
    else:
        audit = verify_store(store, deep=deep, data_root=data_root, absent=without)
    _print(audit, store)
    if audit.problems:
        click.get_current_context().exit(ExitCode.STORE_DAMAGED)


def _print(audit: Audit, store: Path) -> None:
    from tabulate import tabulate

    for note in audit.notes:
        click.echo(f"note: {store}/{note.file}: {note.what}")
    for problem in audit.problems:
        click.echo(f"problem: {store}/{problem.file}: {problem.what}", err=True)
    rows = [(subject, f"{number:,}", wrong) for subject, number, wrong in audit.summary()]
    if rows:
        click.echo(tabulate(rows, headers=["checked", "number", "problems"], disable_numparse=True))
    click.echo(_TIMES)
    verdict = counted(len(audit.problems), "problem") if audit.problems else "nothing wrong"
    click.echo(f"{store}: {verdict}")
