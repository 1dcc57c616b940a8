"""``hashbench serve``: a search worker that keeps models and codes in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import DEFAULT_STORE, device_option, plugin_option

if TYPE_CHECKING:
    from hashbench.serve.discovery import Announcement

_LAST_PORT = 65535


@click.command("serve")
@click.argument("store", type=click.Path(path_type=Path), default=DEFAULT_STORE)
@click.option(
    "--port",
    type=click.IntRange(0, _LAST_PORT),
    default=0,
    help="Where to listen, on 127.0.0.1.  [default: one that is free]",
)
@click.option(
    "--token",
    "with_token",
    is_flag=True,
    help="Take only requests that bring a random token, which is printed, and written to "
    "STORE/.work/serve.token for the owner alone.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Methods kept in memory; the least recently used goes first.",
)
@click.option(
    "--engine",
    default="exact",
    show_default=True,
    help="The search engine where a request names none.",
)
@click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, resolve_path=True),
    help="Where datasets are, for thumbnails; may be given several times.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End when nothing was asked for so long.  [default: never]",
)
@device_option
@plugin_option
def command(
    store: Path,
    *,
    port: int,
    with_token: bool,
    keep: int,
    engine: str,
    data_roots: tuple[Path, ...],
    idle: float | None,
    device: str,
    plugins: tuple[Path, ...],
) -> None:
    """Answer searches in STORE over HTTP, on this machine only, until ended.

    Every fit of the store whose model was kept (execute: {keep_model: true}) can be searched by an
    image or by one of its own; fits that come later are noticed. GET /v1 lists what can be asked.
    STORE/.work/serve.json says where the worker is while it runs. Ctrl-C ends it, with code 130;
    SIGTERM, as a service manager sends it, with code 0.
    """
    import signal

    from hashbench.serve.discovery import check_not_served
    from hashbench.store.store import Store

    check_not_served(Store.open(store).root)  # told before torch is loaded

    from hashbench.serve.worker import Settings, serve

    settings = Settings(port, with_token, keep, engine, device, data_roots, plugins, idle)
    if serve(store, settings, _tell) is signal.SIGINT:
        raise KeyboardInterrupt


def _tell(made: Announcement, token: str | None) -> None:
    click.echo(f"serving on {made.url}/v1 (process {made.pid}); Ctrl-C ends it")
    if token is not None:
        click.echo(f"token: {token}")
