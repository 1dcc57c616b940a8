"""``hashbench report``: the records of a store as tables."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import store_option


@click.command("report")
@store_option
@click.option("--format", "form", default="markdown", show_default=True, help="Name of a reporter.")
@click.option("--trace", is_flag=True, help="Add the id of the record behind every value.")
@click.option("--output", type=click.Path(path_type=Path), help="Write to a file instead.")
def command(store: Path, form: str, output: Path | None, *, trace: bool) -> None:
    """Print tables of mAP@K, training time and query latency."""
    from hashbench.core.files import write_atomically
    from hashbench.core.registry import Kind, registry
    from hashbench.store.catalogue import read_all
    from hashbench.store.store import Store

    render = registry().load(Kind.REPORTER, form)
    text = render(read_all(Store.open(store)), trace=trace)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode())
        click.echo(f"wrote {output}", err=True)
