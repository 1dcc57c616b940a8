"""``hashbench claims``: verdicts on published claims by the records of stores."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import DEFAULT_STORE


@click.command("claims")
@click.argument("place", type=click.Path(path_type=Path), metavar="FILE|DIR")
@click.option(
    "--store",
    "stores",
    type=click.Path(path_type=Path),
    multiple=True,
    help=f"Folder of records; may be given several times.  [default: {DEFAULT_STORE}]",
)
@click.option("--summary", is_flag=True, help="Print only the verdicts, one row for each claim.")
def command(place: Path, stores: tuple[Path, ...], *, summary: bool) -> None:
    """Judge the claims of FILE, or of every .yaml file in DIR, by the records of stores.

    A claim is supported, refuted or undecided. Records that violate one of its conditions do not
    count. Each verdict is printed with its interval, its n, and the ids of its records.
    """
    from hashbench.judge.claims.arms import read_arms
    from hashbench.judge.claims.judge import judge
    from hashbench.judge.claims.schema import load_claims
    from hashbench.judge.claims.text import judgements_text, summary_text
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import Store

    claims = load_claims(place)
    opened = [Store.open(store) for store in stores or (DEFAULT_STORE,)]
    arms = read_arms([(store, read_all(store)) for store in opened])
    judgements = [judge(claim, arms) for claim in claims]
    click.echo((summary_text if summary else judgements_text)(judgements))
