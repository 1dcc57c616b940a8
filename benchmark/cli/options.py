"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hashbench.core.errors import ConfigError, DataError, did_you_mean

DEFAULT_STORE = Path("hashbench-store")

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=DEFAULT_STORE,
    show_default=True,
    help="Folder of the records.",
)

device_option: Callable[[Any], Any] = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Device that encodes; auto uses CUDA if the machine has it.",
)

select_option: Callable[[Any], Any] = click.option(
    "--select",
    "selections",
    multiple=True,
    metavar="KEY=VALUE[,VALUE]",
    help="Only cells with one of these values (dataset, protocol, backbone, loss, method, bits, "
    "seed, id); may be given several times, and all must hold.",
)

plugin_option: Callable[[Any], Any] = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Python file with further components; may be given several times.",
)


def _root(context: click.Context, option: click.Parameter, root: Path | None) -> Path | None:
    """Return the absolute path, and look for imported datasets there from now on."""
    from hashbench.datasets.roots import look_in

    del context, option
    if root is not None and not root.is_dir():
        raise DataError(f"data root {root}: no such folder; name one that exists")
    look_in(root)
    return root and root.resolve()


data_root_option: Callable[[Any], Any] = click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    callback=_root,
    help="Folder of the datasets; overrides the matrix and HASHBENCH_DATA.",
)

address_option: Callable[[Any], Any] = click.option(
    "--address",
    metavar="auto|HOST:PORT",
    help="Ray cluster to join, with --backend ray; overrides the matrix's execute.ray.address. "
    "Without an address, Ray starts on this machine.",
)

KEYS = ("dataset", "protocol", "backbone", "loss", "method", "bits", "seed", "id")


without_option: Callable[[Any], Any] = click.option(
    "--without",
    multiple=True,
    metavar="NAME|FIT_ID/FILE",
    help="File that is left out on purpose, e.g. model; may be given several times.",
)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_address(backend: str | None, address: str | None) -> None:
    """Raise ConfigError if an address is given for another backend than Ray."""
    if address is not None and backend != "ray":
        raise ConfigError(f"--address {address}: needs --backend ray")


def parse_selections(
    selections: tuple[str, ...], *, option: str = "--select"
) -> dict[str, set[str]]:
    """Read the values of ``--select``: words of the form ``KEY=VALUE[,VALUE]``.

    Raises:
        ConfigError: If a word has another form, or its key is unknown.
    """
    wanted: dict[str, set[str]] = {}
    for word in selections:
        key, equals, values = word.partition("=")
        if not equals or not values:
            raise ConfigError(f"{option} {word}: write KEY=VALUE, e.g. {option} loss=hsc")
        if key not in KEYS:
            raise ConfigError(f"{option} {word}: unknown key '{key}'. {did_you_mean(key, KEYS)}")
        words = {value.strip() for value in values.split(",")}
        wanted[key] = wanted[key] & words if key in wanted else words
    return wanted
