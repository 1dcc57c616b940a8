"""``hashbench explain-diff``: list the differences between two records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hashbench.cli.options import store_option

_WIDEST = 44


@click.command("explain-diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@store_option
@click.option("--full", is_flag=True, help="Do not shorten long values.")
def command(first: str, second: str, store: Path, *, full: bool) -> None:
    """List every field in which two records differ, the most suspicious first.

    A and B are each a record's file, a cell's folder in a store, or the start of a fit id or record
    id in --store. Settings come first, then data, code, versions, device, results, cost.
    """
    from tabulate import tabulate

    from hashbench.judge.reproduce.difference import explain_difference
    from hashbench.store.lookup import find_record

    one, other = find_record(first, store), find_record(second, store)
    differences = explain_difference(one, other)
    click.echo(f"A  {one.fit.cell}  ({one.record.kind} {one.record.record_id})")
    click.echo(f"B  {other.fit.cell}  ({other.record.kind} {other.record.record_id})")
    if not differences:
        click.echo("both are the same record")
        return
    rows = [
        (each.group, each.field, _shown(each.first, full), _shown(each.second, full), each.why)
        for each in differences
    ]
    headers = ["group", "field", "A", "B", "why it matters"]
    click.echo(tabulate(rows, headers=headers, disable_numparse=True))


def _shown(value: Any, full: bool) -> str:
    text = "-" if value is None else str(value)
    return text if full or len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
