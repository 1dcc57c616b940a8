"""``hashbench merge``: copy the records of several stores into one."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted

_MIB = 2**20


@click.command("merge")
@click.argument("stores", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--into",
    required=True,
    type=click.Path(path_type=Path),
    help="Store that receives the records; created if it does not exist.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
def command(stores: tuple[Path, ...], into: Path, *, dry_run: bool) -> None:
    """Copy the records and arrays of STORES that the store --into lacks.

    All records and checksums are checked first. Nothing is written if stores contradict each other:
    the same id with another content, other codes from a run that had to give the same codes, or
    another value of a metric of the same codes. An interrupted merge continues where it stopped.
    """
    from hashbench.audit.merge import merge, plan_merge

    plan = plan_merge(stores, into, say=lambda store: click.echo(f"reading {store}", err=True))
    for note in plan.notes:
        click.echo(f"note: {note}")
    size = f"{plan.bytes / _MIB:.1f} MiB"
    if not dry_run:
        merge(plan)
    done = "would be added" if dry_run else "added"
    click.echo(
        f"{into}: {counted(len(plan.new), 'file')} {done} ({size}), {plan.known:,} there already; "
        f"{counted(plan.cells, 'cell')} in all"
    )
