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
    help="Where to encode; auto takes CUDA where there is one.",
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
    help="A Python file with more components; may be given several times.",
)


def _root(context: click.Context, option: click.Parameter, root: Path | None) -> Path | None:
    """An absolute path; what was imported there is found by name from now on."""
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
    help="Where datasets are, whatever a matrix or HASHBENCH_DATA says.",
)

address_option: Callable[[Any], Any] = click.option(
    "--address",
    metavar="auto|HOST:PORT",
    help="With --backend ray: the cluster to join; instead of the matrix's execute.ray.address. "
    "Without either, Ray starts on this machine.",
)

KEYS = ("dataset", "protocol", "backbone", "loss", "method", "bits", "seed", "id")


without_option: Callable[[Any], Any] = click.option(
    "--without",
    multiple=True,
    metavar="NAME|FIT_ID/FILE",
    help="An artifact that is left out on purpose, e.g. model; may be given several times.",
)


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_address(backend: str | None, address: str | None) -> None:
    """Refuse an address for what has none.

    Raises:
        ConfigError: If that is so.
    """
    if address is not None and backend != "ray":
        raise ConfigError(f"--address {address}: goes with --backend ray")


def parse_selections(
    selections: tuple[str, ...], *, option: str = "--select"
) -> dict[str, set[str]]:
    """Read ``KEY=VALUE[,VALUE]`` words.

    Args:
        selections: The words.
        option: What the user wrote them behind.

    Raises:
        ConfigError: If a word is none, or its key is unknown.
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
