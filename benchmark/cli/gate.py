"""``hashbench gate``: fail if a store is worse than a baseline store."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted, store_option
from hashbench.core.errors import ConfigError, ExitCode

_POSITIVE = click.FloatRange(min=0)


@click.command("gate")
@click.argument("baseline", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--tolerance",
    type=_POSITIVE,
    default=0.03,
    show_default=True,
    help="Loss of quality allowed where codes need not be equal, e.g. on another processor.",
)
@click.option(
    "--ratio",
    type=click.FloatRange(min=1),
    default=2.0,
    show_default=True,
    help="A time fails if it exceeds the baseline's by this factor and by a floor below; times are "
    "compared only on hosts known to be alike.",
)
@click.option(
    "--floor-seconds",
    type=_POSITIVE,
    default=3.0,
    show_default=True,
    help="Floor for training and encoding: the least increase that fails.",
)
@click.option(
    "--floor-ms",
    type=_POSITIVE,
    default=0.5,
    show_default=True,
    help="Floor for latency: the least increase of milliseconds a query that fails.",
)
@click.option(
    "--update", is_flag=True, help="Replace the baseline by the store, and print what moved."
)
def command(
    baseline: Path,
    store: Path,
    *,
    tolerance: float,
    ratio: float,
    floor_seconds: float,
    floor_ms: float,
    update: bool,
) -> None:
    """Compare a store with the store BASELINE; exit with 4 if anything is worse.

    Missing and failed cells count as worse. First run the matrix of the baseline again, e.g.
    hashbench run matrices/ci.yaml --store NEW; then hashbench gate results/ci --store NEW.
    """
    if baseline.resolve() == store.resolve():
        raise ConfigError(
            f"gate: {baseline} is the baseline and --store too; name the store of the new run"
        )
    from hashbench.judge.gate.baseline import replace_baseline
    from hashbench.judge.gate.check import Limits, check, findings_text
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import MARKER, Store

    today = Store.open(store)
    now = read_all(today)
    failed = False
    if (baseline / MARKER).exists():
        limits = Limits(tolerance, ratio, floor_seconds, floor_ms)
        findings = check(read_all(Store.open(baseline)), now, limits=limits)
        click.echo(findings_text(findings))
        failed = findings.failed
    elif update:
        click.echo(f"gate: there is no baseline at {baseline} yet")
    else:
        raise ConfigError(f"gate: there is no baseline at {baseline}; --update makes it of {store}")
    if update:
        replace_baseline(baseline, today, now)
        click.echo(f"gate: {baseline} is now {counted(len(now), 'cell')} of {store}; commit it")
        if any(each.fit and each.fit.environment.dirty_sha256 for each in now):
            click.echo("warning: some were made with uncommitted changes in the code", err=True)
        return
    if failed:
        click.get_current_context().exit(ExitCode.GATE_FAILED)
