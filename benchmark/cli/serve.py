"""``hashbench serve``: an HTTP server that keeps models and codes in memory."""

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
    help="Port on 127.0.0.1.  [default: a free port]",
)
@click.option(
    "--token",
    "with_token",
    is_flag=True,
    help="Accept only requests with a random token, which is printed and written to "
    "STORE/.work/serve.token, readable by the owner only.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Number of methods kept in memory; the least recently used is dropped first.",
)
@click.option(
    "--engine",
    default="exact",
    show_default=True,
    help="Search engine of requests that name none.",
)
@click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, resolve_path=True),
    help="Folder of datasets, for thumbnails; may be given several times.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after so many seconds without a request.  [default: never]",
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
    """Answer searches in STORE over HTTP, on this machine only, until stopped.

    Every fit whose model was kept (execute: {keep_model: true}) can be searched, by a new image or
    by a query of its dataset. Fits that are added later are found. GET /v1 lists the requests.
    STORE/.work/serve.json holds the address of the running server. Ctrl-C stops it with exit code
    130, SIGTERM with 0.
    """
    import signal

    from hashbench.serve.discovery import check_not_served
    from hashbench.store.store import Store

    check_not_served(Store.open(store).root)  # before torch is loaded, which is slow

    from hashbench.serve.worker import Settings, serve

    settings = Settings(port, with_token, keep, engine, device, data_roots, plugins, idle)
    if serve(store, settings, _tell) is signal.SIGINT:
        raise KeyboardInterrupt


def _tell(made: Announcement, token: str | None) -> None:
    click.echo(f"serving on {made.url}/v1 (process {made.pid}); Ctrl-C ends it")
    if token is not None:
        click.echo(f"token: {token}")
