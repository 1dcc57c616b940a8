"""``hashbench studio``: import, train, search and compare in a web page."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from pathlib import Path
from typing import Final

import click

from hashbench.cli.options import DEFAULT_STORE, device_option, plugin_option
from hashbench.core.errors import ConfigError, StoreError

PASSWORD_VARIABLE: Final = "HASHBENCH_STUDIO_PASSWORD"  # noqa: S105 - the name of a variable
_LAST_PORT = 65535
_EXTRA = "hashbench[studio]"


@click.command("studio")
@click.argument("store", type=click.Path(path_type=Path), default=DEFAULT_STORE)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, _LAST_PORT),
    default=7860,
    show_default=True,
    help="Port to listen on; 0 means a free port.",
)
@click.option(
    "--password",
    envvar=PASSWORD_VARIABLE,
    show_envvar=True,
    help="Password of visitors; required if --host is not this machine's own address. The variable "
    "keeps it out of the list of processes.",
)
@click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder that the page may read; imports go to the first. May be given several times. "
    "[default: HASHBENCH_DATA, else STORE/.data]",
)
@device_option
@plugin_option
def command(
    store: Path,
    *,
    host: str,
    port: int,
    password: str | None,
    data_roots: tuple[Path, ...],
    device: str,
    plugins: tuple[Path, ...],
) -> None:
    """Serve a web page on STORE: import images, train, search and compare.

    The page starts the same commands as a shell, as separate processes that outlive it, and shows
    their command lines. Ctrl-C or SIGTERM stops the page and nothing else.
    """
    _check_extra()
    _check_reach(host, password)
    from hashbench.core.plugins import load_plugins
    from hashbench.core.registry import registry
    from hashbench.datasets.roots import look_in
    from hashbench.store.store import Store
    from hashbench.studio.context import StudioContext
    from hashbench.studio.serving.web import serve

    roots = _data_roots(data_roots)
    load_plugins(plugins, registry())
    root = Store.create(store).root.resolve()
    roots = roots or (_own_root(root),)
    for folder in reversed(roots):
        look_in(folder)
    files = tuple(file.resolve() for file in plugins)
    context = StudioContext(root, roots, device=device, plugins=files)
    serve(context, host=host, port=port, password=password)


def _check_extra() -> None:
    if importlib.util.find_spec("gradio") is None:
        raise ConfigError(f"studio: needs Gradio; pip install '{_EXTRA}'")


def _check_reach(host: str, password: str | None) -> None:
    """Refuse to be open to others without a password."""
    if not is_loopback(host) and not password:
        raise ConfigError(
            f"studio: --host {host} can be reached from elsewhere; give --password or set "
            f"{PASSWORD_VARIABLE}"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Args:
        host: ``localhost``, or an address; any other name counts as reachable.
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _data_roots(named: tuple[Path, ...]) -> tuple[Path, ...]:
    from hashbench.datasets.roots import DATA_ROOT_VARIABLE

    variable = os.environ.get(DATA_ROOT_VARIABLE)
    for folder in named or ((Path(variable),) if variable else ()):
        if not folder.is_dir():
            raise ConfigError(f"studio: --data-root {folder}: there is no such folder")
    return tuple(folder.resolve() for folder in named or ((Path(variable),) if variable else ()))


def _own_root(store: Path) -> Path:
    """A data root inside the store, where the user named none."""
    folder = store / ".data"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror}; name a --data-root") from None
    return folder
