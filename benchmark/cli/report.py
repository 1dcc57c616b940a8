"""``hashbench report``: tables of the records of stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import DEFAULT_STORE, counted, parse_selections
from hashbench.core.errors import NothingSelectedError

if TYPE_CHECKING:
    from hashbench.reports.html.evidence import Evidence
    from hashbench.reports.view import Comparisons, View
    from hashbench.store.catalogue import CellResults
    from hashbench.store.store import Store


@click.command("report")
@click.option(
    "--store",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    default=(DEFAULT_STORE,),
    show_default=True,
    help="Folder of the records; may be given several times.",
)
@click.option(
    "--format",
    "form",
    default="markdown",
    show_default=True,
    help="markdown, latex, csv, json or html; see hashbench list reporters.",
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME[,NAME]",
    help="Tables to print: map, metrics, codes, training, latency, budget, convergence, ablation, "
    "published, failures or all.  [default: all]",
)
@click.option(
    "--rows",
    multiple=True,
    metavar="KEY[,KEY]",
    help="Rows of the metric tables: dataset, protocol, backbone, loss, method, bits, seed, "
    "metric, device, recipe or precision.  [default: method]",
)
@click.option(
    "--cols",
    multiple=True,
    metavar="KEY[,KEY]",
    help="Columns of the metric tables, by the same keys.  [default: bits]",
)
@click.option(
    "--where",
    "selections",
    multiple=True,
    metavar="KEY=VALUE[,VALUE]",
    help="Only cells with one of these values; the keys are those of hashbench run --select.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Only this metric, by short or full name; may be given several times.",
)
@click.option(
    "--full", default="", metavar="METHOD", help="The full method that ablations are compared with."
)
@click.option(
    "--letters/--no-letters",
    default=None,
    help="Add letters of significance over queries and seeds.  [default: with --format latex]",
)
@click.option(
    "--claims",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Claims to judge by these records and show; only with --format html.",
)
@click.option("--trace", is_flag=True, help="Add the id of the record behind every value.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the report to a file.")
def command(
    folders: tuple[Path, ...],
    form: str,
    *,
    tables: tuple[str, ...],
    rows: tuple[str, ...],
    cols: tuple[str, ...],
    selections: tuple[str, ...],
    metrics: tuple[str, ...],
    full: str,
    claims: Path | None,
    output: Path | None,
    letters: bool | None,
    trace: bool,
) -> None:
    """Print the records of stores as tables, or write them as a web page.

    Only seeds are averaged. Results that differ otherwise get separate rows or tables.
    """
    from dataclasses import replace

    from hashbench.core.files import write_atomically
    from hashbench.core.registry import Kind, registry

    render = registry().load(Kind.REPORTER, form)
    view = _view(tables, rows, cols, metrics=metrics, full=full)
    wanted = parse_selections(selections, option="--where")
    cells, stores = _read(folders)
    cells = _matching(cells, wanted, selections, folders)
    _refuse_unknown_metrics(cells, view, folders)
    if letters is None:
        letters = form == "latex"
    view = replace(view, comparisons=_comparisons(cells, stores, view, letters=letters))
    more = _evidence(render, cells, stores, claims=claims)
    text = render(cells, trace=trace, view=view, **more)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode())
        click.echo(f"wrote {output}", err=True)


def _evidence(
    render: Callable[..., str],
    cells: Sequence[CellResults],
    stores: dict[str, Store],
    *,
    claims: Path | None,
) -> dict[str, Evidence]:
    """Return the statistics and verdicts for a reporter that shows them."""
    from dataclasses import replace
    from inspect import signature

    from hashbench.core.errors import ConfigError

    if "evidence" not in signature(render).parameters:
        if claims is not None:
            raise ConfigError(
                "--claims: only --format html shows claims; hashbench claims prints them"
            )
        return {}
    from hashbench.judge.claims.arms import read_arms
    from hashbench.judge.claims.judge import judge
    from hashbench.judge.claims.schema import load_claims
    from hashbench.judge.claims.text import shown_claims
    from hashbench.judge.compare.page import evidence_for_page

    # Claims are loaded first, so that a mistake in them shows before the long computation.
    loaded = None if claims is None else load_claims(claims)
    found = evidence_for_page(cells, stores)
    if loaded is None:
        return {"evidence": found}
    arms = read_arms([(stores[results.fit_id], [results]) for results in cells])
    judged = [judge(claim, arms) for claim in loaded]
    return {"evidence": replace(found, claims=shown_claims(judged))}


def _view(
    tables: Sequence[str],
    rows: Sequence[str],
    cols: Sequence[str],
    *,
    metrics: Sequence[str],
    full: str,
) -> View:
    from hashbench.evaluation.names import parse_metric
    from hashbench.reports.view import View, parse_pivot, parse_tables

    return View(
        parse_tables(tables),
        *parse_pivot(rows, cols),
        tuple(dict.fromkeys(parse_metric(word).name for word in metrics)),
        full,
        pivoted=bool(rows or cols),
    )


def _read(folders: Sequence[Path]) -> tuple[list[CellResults], dict[str, Store]]:
    """Return the cells of all stores, each once, and the store of each by fit id.

    If several stores have a cell, the newest successful fit counts, so that no seed counts twice.
    """
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import Store

    found: dict[str, tuple[CellResults, Store]] = {}
    twice: set[str] = set()
    for folder in dict.fromkeys(folders):
        store = Store.open(folder)
        for results in read_all(store):
            known = found.get(results.fit_id)
            if known and known[0].fit != results.fit:
                twice.add(results.fit_id)
            if known is None or _age(results) > _age(known[0]):
                found[results.fit_id] = results, store
    if twice:
        text = f"{counted(len(twice), 'cell')} in several stores: the newest successful fit counts"
        click.echo(text, err=True)
    cells = [results for _, (results, _) in sorted(found.items())]
    return cells, {fit_id: store for fit_id, (_, store) in found.items()}


def _age(results: CellResults) -> tuple[bool, str, int]:
    finished = results.fit.finished if results.fit else ""
    return results.fitted, finished, len(results.evaluations) + len(results.latencies)


def _matching(
    cells: Sequence[CellResults],
    wanted: dict[str, set[str]],
    selections: Sequence[str],
    folders: Sequence[Path],
) -> list[CellResults]:
    from hashbench.matrix.naming import cell_names, matches, none_is

    prefixes = tuple(wanted.pop("id", ("",)))
    known = [cell_names(results.fit.cell) for results in cells if results.fit]
    found = [
        results
        for results in cells
        if results.fit_id.startswith(prefixes)
        and (not wanted or (results.fit and matches(wanted, cell_names(results.fit.cell))))
    ]
    if selections and not found:
        where = ", ".join(map(str, folders))
        if why := none_is(wanted, known):
            raise NothingSelectedError(f"report: {where} has {why}")
        raise NothingSelectedError(f"report: no cell of {where} is {' and '.join(selections)}")
    return found


def _refuse_unknown_metrics(
    cells: Sequence[CellResults], view: View, folders: Sequence[Path]
) -> None:
    known = sorted({name for results in cells for name in results.metrics()})
    missing = [name for name in view.metrics if name not in known]
    if missing:
        where = ", ".join(map(str, folders))
        raise NothingSelectedError(
            f"report: {where} has no value of {', '.join(missing)}. Known: {', '.join(known)}"
        )


def _comparisons(
    cells: Sequence[CellResults], stores: dict[str, Store], view: View, *, letters: bool
) -> Comparisons:
    from hashbench.reports.view import Comparisons

    letters = letters and bool({"map", "metrics"} & set(view.tables))
    if not letters and "ablation" not in view.tables:
        return Comparisons()
    from hashbench.judge.compare.significance import compare_for_report

    return compare_for_report(
        cells,
        stores,
        metrics=view.metrics,
        letters=letters,
        ablations="ablation" in view.tables,
        full=view.full,
    )
