"""``hashbench latency``: time searches in each engine, on a record's codes and on more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hashbench.cli.options import data_root_option, plugin_option, store_option
from hashbench.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hashbench.core.job import LatencySetting
    from hashbench.core.record import LatencyEntry, SkippedEngine

_GRID = (1, 10, 100, 1000)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"MiB": 2**20, "GiB": 2**30}
_MOST_ROWS = 20


def _seconds(_ctx: click.Context, _option: click.Parameter, word: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", word.strip())
    if match is None:
        raise click.BadParameter(f"write seconds, or a number with s, m or h, not '{word}'")
    return float(match[1]) * _UNITS.get(match[2], 1.0)


def _bytes(_ctx: click.Context, _option: click.Parameter, word: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(MiB|GiB)", word.strip())
    if match is None:
        raise click.BadParameter(f"write a number with MiB or GiB, not '{word}'")
    return int(float(match[1]) * _BYTES[match[2]])


def _sizes(
    _ctx: click.Context, _option: click.Parameter, words: tuple[str, ...]
) -> tuple[int, ...]:
    try:
        sizes = [float(word) for word in words]
    except ValueError:
        raise click.BadParameter(f"write numbers such as 1e6, not {' '.join(words)}") from None
    if any(size < 1 or size != int(size) for size in sizes):
        raise click.BadParameter("write whole numbers above 0, such as 1e6")
    return tuple(dict.fromkeys(int(size) for size in sizes))


@click.command("latency")
@click.argument("record")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    default=("exact",),
    show_default=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="An engine with its parameters, e.g. faiss_ivf:nprobe=16; may be given several times.",
)
@click.option(
    "-k",
    "ks",
    type=click.IntRange(1),
    multiple=True,
    default=_GRID,
    show_default=True,
    help="Neighbours a query; may be given several times.",
)
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    default=_GRID,
    show_default=True,
    help="Queries a call; may be given several times.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    callback=_sizes,
    metavar="CODES",
    help="Measure on this many resampled codes too, e.g. 1e6; may be given several times.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of an engine."
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Timed calls of each setting; a percentile p is reported from 10 / (1 - p) calls on.",
)
@click.option(
    "--seconds",
    callback=_seconds,
    default="1s",
    show_default=True,
    help="Time limit of these calls.",
)
@click.option(
    "--max-build",
    callback=_seconds,
    default="120s",
    show_default=True,
    help="An engine that takes longer to build its index is skipped.",
)
@click.option(
    "--max-memory",
    callback=_bytes,
    default="8GiB",
    show_default=True,
    help="An engine whose process takes more memory is skipped.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Random seed of the resampling."
)
@click.option(
    "--redraw",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Probability that a bit of a resampled code may change.",
)
@click.option(
    "--resampling",
    type=click.Choice(["flip", "cross"]),
    default="flip",
    show_default=True,
    help="How bits change: each independently, or towards one other code of the class.",
)
@data_root_option
@store_option
@plugin_option
def command(
    record: str,
    *,
    engines: tuple[str, ...],
    ks: tuple[int, ...],
    batches: tuple[int, ...],
    sizes: tuple[int, ...],
    threads: int,
    samples: int,
    seconds: float,
    max_build: float,
    max_memory: int,
    seed: int,
    redraw: float,
    resampling: str,
    data_root: Path | None,
    store: Path,
    plugins: tuple[Path, ...],
) -> None:
    """Measure search engines on the codes of RECORD, and keep a latency record.

    RECORD is a fit id, a record id, or the start of one. Each index is built in a process of its
    own. A resampled code is a code of the database with each bit flipped with a probability: the
    share of its class (the codes of equal labels) that differs from it in that bit. So classes keep
    their share of set bits. With --resampling cross a code takes half of its bits from another code
    of the class, which keeps part of the correlation between bits. The distances in both databases
    are shown side by side. If the model of RECORD was kept, queries are also timed from the image
    file to the result.
    """
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry
    from hashbench.search.resample import Resampling
    from hashbench.store.lookup import find_fit
    from hashbench.store.store import Store
    from hashbench.worker.latency_run import LatencyPlan, measure_record

    found = Store.open(store)
    load_plugins(plugins, registry())
    fit = find_fit(found, record)
    settings = [
        _setting(word, k=k, batch=batch, threads=threads, samples=samples, seconds=seconds)
        for word in engines
        for k in ks
        for batch in batches
    ]
    plan = LatencyPlan(
        settings=tuple(dict.fromkeys(settings)),
        sizes=sizes,
        max_build=max_build,
        max_memory=max_memory,
        seed=seed,
        redraw=redraw,
        resampling=Resampling(resampling),
        data_root=data_root,
        plugins=tuple(path.resolve() for path in plugins),
    )
    made, measured = measure_record(
        found, fit, plan, registry(), say=lambda line: click.echo(line, err=True)
    )
    click.echo(f"{fit.cell}: latency record {made.record_id}")
    _print_entries(measured.entries)
    _print_skipped(measured.skipped)
    _print_histograms(measured.histograms)


def _setting(
    word: str, *, k: int, batch: int, threads: int, samples: int, seconds: float
) -> LatencySetting:
    from hashbench.core.job import LatencySetting
    from hashbench.core.params import resolve_params
    from hashbench.core.registry import Kind, registry

    name, given = _engine(word)
    cls = registry().load(Kind.ENGINE, name)
    if missing := cls.available():
        raise ConfigError(f"--engine {word}: {missing}")
    try:
        params = resolve_params(cls.Params, preset=None, params=given)
    except ConfigError as error:
        raise ConfigError(*(f"--engine {word}: {line}" for line in error.problems)) from None
    return LatencySetting(name, k, batch, threads, params, samples, seconds)


def _engine(word: str) -> tuple[str, dict[str, Any]]:
    from hashbench.matrix.positions import read_value

    name, _, rest = word.partition(":")
    given = {}
    for pair in rest.split(",") if rest else []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--engine {word}: write NAME:KEY=VALUE, e.g. faiss_ivf:nprobe=16")
        given[key] = read_value(value, option=f"--engine {name}:{key}")
    return name, given


def _print_entries(entries: Sequence[LatencyEntry]) -> None:
    from hashbench.reports.frames import engine_label

    headings = ("engine", "codes", "k", "batch", "threads", "build s", "index MiB")
    rows = [[*headings, "calls", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "queries/s", "recall"]]
    rows += [
        [
            engine_label(entry.setting) + (" from file" if entry.includes_encoding else ""),
            f"{entry.database:,}{'*' if entry.resampled_from else ''}",
            str(entry.setting.k),
            str(entry.setting.batch),
            str(entry.threads_used),
            f"{entry.build_seconds:.2f}",
            f"{entry.index_bytes / 2**20:.2f}",
            str(entry.calls),
            *(_decimals(ms, 4) for ms in (entry.p50_ms, entry.p95_ms, entry.p99_ms, entry.p999_ms)),
            f"{entry.queries_per_second:,.0f}",
            _decimals(entry.recall, 3),
        ]
        for entry in entries
    ]
    _print_rows(rows)
    loads = [entry.load_average for entry in entries]
    if loads:
        click.echo(
            f"milliseconds a query, searches warmed up for at least 0.05 s; a percentile p from "
            f"10 / (1 - p) calls on; load average {min(loads):.2f} to {max(loads):.2f}"
        )
    if any(entry.resampled_from for entry in entries):
        click.echo("* resampled")
    for entry in entries:
        if entry.includes_encoding:
            stages = ", ".join(f"{name} {ms:.3f}" for name, ms in entry.facts.items())
            click.echo(f"from file, medians: {stages}")


def _decimals(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _print_skipped(skipped: Sequence[SkippedEngine]) -> None:
    for each in skipped:
        click.echo(f"skipped: {each.engine} on {each.database:,} codes: {each.why}")


def _print_histograms(histograms: Mapping[int, NDArray[np.int64]]) -> None:
    """Print the shares of the pairs at the nearest distances, one column a database."""
    if len(histograms) == 1:
        return
    shares = {size: counts / counts.sum() for size, counts in histograms.items()}
    bits = len(next(iter(shares.values()))) - 1
    shown = [d for d in range(bits + 1) if any(each[d] for each in shares.values())]
    rows = [["distance", *(f"{size:,}" for size in shares)]]
    rows += [[str(d), *(f"{each[d]:.5f}" for each in shares.values())] for d in shown[:_MOST_ROWS]]
    click.echo("share of the pairs of a query and a code at each distance:")
    _print_rows(rows)
    if len(shown) > _MOST_ROWS:
        click.echo(f"and {len(shown) - _MOST_ROWS} larger distances, kept with the record")


def _print_rows(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        aligned = "  ".join(f"{c:>{w}}" for c, w in zip(rest, widths[1:], strict=True))
        click.echo(f"  {first:<{widths[0]}}  {aligned}")
