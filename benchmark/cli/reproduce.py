"""``hashbench reproduce``: run a fit again from its record and compare the results."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import counted, data_root_option, plugin_option, store_option
from hashbench.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from hashbench.core.record import FitRecord, ReproductionRecord
    from hashbench.judge.reproduce.rerun import RunOptions
    from hashbench.store.lookup import Found


@click.command("reproduce")
@click.argument("record", metavar="RECORD|REPORT")
@store_option
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.01,
    show_default=True,
    help="Largest difference of a metric that always counts as within, where bit equality is not "
    "required: the interval is over queries and does not include the variation of training.",
)
@data_root_option
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="File of the initial weights, if the fit used one.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="STORE",
    help="New store for the records and codes of the second run.",
)
@click.option("--timeout", type=click.FloatRange(min=0), help="Time limit of a run, in seconds.")
@plugin_option
def command(
    record: str,
    store: Path,
    *,
    tolerance: float,
    data_root: Path | None,
    weights: Path | None,
    keep: Path | None,
    timeout: float | None,
    plugins: tuple[Path, ...],
) -> None:
    """Run the fit of a record again and compare the results.

    RECORD is a record's file, a cell's folder in a store, or the start of a fit id or record id in
    --store. REPORT is a text file that hashbench report --trace wrote; every record that it names
    is run again. The matrix is not needed. The verdict is stored beside the record, which does not
    change. The exit code is 5 if a verdict is outside.
    """
    from hashbench.core.plugins import load_plugins
    from hashbench.core.record import Verdict
    from hashbench.core.registry import registry
    from hashbench.judge.reproduce.reproduce import reproduce
    from hashbench.judge.reproduce.rerun import RunOptions
    from hashbench.store.store import Store

    load_plugins(plugins, registry())
    files = tuple(path.resolve() for path in plugins)
    outside = 0
    for found in _named(record, store):
        options = RunOptions(_device(found.fit), data_root, weights, files, timeout)
        _check_components(found, options)
        with ExitStack() as stack:
            folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="hashbench-")))
            made = reproduce(
                found,
                Store.create(folder),
                options=options,
                tolerance=tolerance,
                say=lambda line: click.echo(line, err=True),
            )
        if found.store is not None:
            found.store.write_record(made)
        _print(found, made)
        outside += made.verdict in (None, Verdict.OUTSIDE)
    if outside:
        click.get_current_context().exit(ExitCode.NOT_REPRODUCED)


def _named(word: str, root: Path) -> list[Found]:
    """Return the record, or those that a report names, one for each fit."""
    from hashbench.store.lookup import find_record, ids_in
    from hashbench.store.store import Store

    path = Path(word)
    if not path.is_file() or path.suffix == ".json":
        return [find_record(word, root)]
    store = Store.open(root)
    try:
        ids = ids_in(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"report {path}: is no text; name what report --trace wrote") from None
    known = {file.stem.rpartition("-")[2] for file in store.root.glob("[!.]*/[!.]*-*.json")}
    wanted = [each for each in ids if each in known | set(store.fit_ids())]
    if not wanted:
        raise ConfigError(
            f"report {path}: names no record of {root}; make it with hashbench report --trace, and "
            f"name its store with --store"
        )
    found = [find_record(each, root) for each in wanted]
    return list({each.fit.record_id: each for each in reversed(found)}.values())[::-1]


def _device(fit: FitRecord) -> str:
    """Return the kind of device of the first run, if this machine has it; otherwise ``cpu``."""
    if fit.environment.device.kind != "cuda":
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_components(found: Found, options: RunOptions) -> None:
    from hashbench.audit.citations import entries_of
    from hashbench.core.registry import registry
    from hashbench.judge.reproduce.rerun import check_options

    try:
        entries_of(found.fit, registry())
    except ConfigError as error:
        raise ConfigError(f"record {found.fit.record_id}: {error} Name its --plugin.") from None
    check_options(found.fit, options)


def _print(found: Found, made: ReproductionRecord) -> None:
    from tabulate import tabulate

    click.echo(f"{found.fit.cell}  (fit {found.fit.record_id})")
    click.echo(f"level: {made.level}")
    for reason in made.reasons:
        click.echo(f"  not bit-equal because {reason}")
    if made.error is not None:
        click.echo(f"  {made.status}: {made.error.message}")
    differing = "" if made.bits_differing is None else f", {made.bits_differing:.3%} of bits differ"
    if made.codes_equal is not None:
        click.echo(f"codes: {'equal' if made.codes_equal else 'different'}{differing}")
    rows = [
        (
            name,
            f"{each.first:.6f}",
            f"{each.again:.6f}",
            f"{each.again - each.first:+.6f}",
            "-" if each.low is None or each.high is None else f"{each.low:+.6f} {each.high:+.6f}",
            each.verdict,
        )
        for name, each in made.metrics.items()
    ]
    headers = ["metric", "first", "again", "difference", "95 % over queries", "verdict"]
    if rows:
        click.echo(tabulate(rows, headers=headers, disable_numparse=True))
    latencies = len(found.latencies)
    if latencies:
        click.echo(
            f"not run again: {counted(latencies, 'latency record')} (times depend on the machine)"
        )
    where = (
        f"kept as {found.store.root}/{made.fit_id}/reproduction-{made.record_id}.json"
        if found.store
        else "not kept: the record lies outside a store"
    )
    click.echo(f"verdict: {made.verdict or 'not reproduced'}  ({where})")
