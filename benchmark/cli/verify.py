"""``hashbench verify``: check the records, files and numbers of stores and bundles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import (
    DEFAULT_STORE,
    counted,
    data_root_option,
    plugin_option,
    without_option,
)
from hashbench.core.errors import ExitCode

if TYPE_CHECKING:
    from hashbench.audit.findings import Audit

_TIMES = (
    "Times (training, encoding, latency) cannot be computed again: their samples are not stored. "
    "Of latency it was checked that it does not contradict itself and is of these codes."
)


@click.command("verify")
@click.argument("stores", metavar="[STORE]...", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "--deep",
    is_flag=True,
    help="Also load the datasets again, and compare pixels, labels and lists.",
)
@data_root_option
@without_option
@plugin_option
def command(
    stores: tuple[Path, ...],
    data_root: Path | None,
    without: tuple[str, ...],
    plugins: tuple[Path, ...],
    *,
    deep: bool,
) -> None:
    """Check every record, file and number of each STORE, which is a folder or a bundle.

    The command computes ids, checksums, metrics, per-query values, curves and code statistics
    again, and compares protocols with the installed ones. A missing array is a problem unless
    --without or a line FIT_ID/FILE of the store's left-out.txt names it. Nothing is written. The
    exit code is 7 if anything is wrong.
    """
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry

    load_plugins(plugins, registry())
    wrong = False
    for store in stores or (DEFAULT_STORE,):
        audit = _audit(store, deep=deep, data_root=data_root, absent=without)
        _print(audit, store)
        wrong = wrong or bool(audit.problems)
    if wrong:
        click.get_current_context().exit(ExitCode.STORE_DAMAGED)


def _audit(store: Path, *, deep: bool, data_root: Path | None, absent: tuple[str, ...]) -> Audit:
    from hashbench.audit.bundle import opened_bundle, verify_bundle
    from hashbench.audit.verify import verify_store

    if not store.is_file():
        return verify_store(store, deep=deep, data_root=data_root, absent=absent)
    with opened_bundle(store) as bundle:
        return verify_bundle(bundle, deep=deep, data_root=data_root, absent=absent)


def _noted(audit: Audit) -> Iterator[str]:
    """Return one line for each different note, with the number of its files."""
    files: dict[str, list[str]] = {}
    for note in audit.notes:
        files.setdefault(note.what, []).append(note.file)
    for what, names in files.items():
        several = f", {names[0]} and {counted(len(names) - 1, 'other file')}"
        yield f"{several if len(names) > 1 else f'/{names[0]}'}: {what}"


def _print(audit: Audit, store: Path) -> None:
    from tabulate import tabulate

    for line in _noted(audit):
        click.echo(f"note: {store}{line}")
    for problem in audit.problems:
        click.echo(f"problem: {store}/{problem.file}: {problem.what}", err=True)
    rows = [(subject, f"{number:,}", wrong) for subject, number, wrong in audit.summary()]
    if rows:
        click.echo(tabulate(rows, headers=["checked", "number", "problems"], disable_numparse=True))
    click.echo(_TIMES)
    verdict = counted(len(audit.problems), "problem") if audit.problems else "nothing wrong"
    click.echo(f"{store}: {verdict}")
