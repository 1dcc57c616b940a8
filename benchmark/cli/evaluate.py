"""``hashbench evaluate``: compute more metrics of stored codes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hashbench.cli.options import counted, parse_selections, select_option
from hashbench.core.errors import ExitCode, HashbenchError, NothingSelectedError


@click.command("evaluate")
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    "names",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A metric, e.g. map@1000 or precision@r2; may be given several times.",
)
@select_option
def command(store: Path, names: tuple[str, ...], selections: tuple[str, ...]) -> None:
    """Compute metrics of the codes in STORE that no record has yet; nothing is trained.

    Each cell gets a new evaluation record that names its fit; no record is changed. Float
    embeddings have no Hamming radius, so metrics inside one are left out for them.
    """
    from hashbench.audit.remeasure import evaluate_more, missing_metrics
    from hashbench.cli.loading import chooser
    from hashbench.evaluation.names import expand_metrics
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import Store

    full = [metric.name for metric in expand_metrics(names, ["all"])]
    wanted = chooser(parse_selections(selections))
    opened = Store.open(store)
    cells = [each for each in read_all(opened) if each.fit and each.fitted]
    chosen = [(each.fit, each) for each in cells if each.fit and wanted(each.fit.cell)]
    if not chosen:
        raise NothingSelectedError(
            f"evaluate: {store} has no codes of the cells selected; hashbench status --store "
            f"{store} lists its cells"
        )
    threads, made, failed = len(os.sched_getaffinity(0)), 0, 0
    for fit, results in chosen:
        missing = missing_metrics(results, full)
        if not missing:
            continue
        try:
            record = evaluate_more(opened, fit, missing, threads=threads)
        except HashbenchError as error:
            click.echo(f"error: {fit.cell}: {error}", err=True)
            failed += 1
            continue
        made += 1
        for name, entry in record.metrics.items():
            click.echo(f"{fit.cell}: {name} {entry.value:.4f}")
    there = len(chosen) - made - failed
    click.echo(f"{store}: {counted(made, 'new record')}, {counted(there, 'cell')} had them already")
    if failed:
        click.get_current_context().exit(ExitCode.CELLS_FAILED)
