"""``hashbench data prepare``: decode a dataset's official files once, and check them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import plugin_option
from hashbench.cli.phases import phases
from hashbench.core.errors import ConfigError, DataError, HashbenchError, did_you_mean
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import Kind, registry
from hashbench.datasets.roots import DATA_ROOT_VARIABLE, data_root, look_in
from hashbench.matrix.own_images import no_dataset

if TYPE_CHECKING:
    from hashbench.datasets.interface import Dataset, ImageData
    from hashbench.datasets.loading import LoadedData


@click.command("prepare")
@click.argument("name")
@click.option(
    "--data-root",
    "root",
    type=click.Path(path_type=Path),
    help=f"Folder of the files.  [default: {DATA_ROOT_VARIABLE}]",
)
@click.option("--protocol", help="Check only this protocol of the dataset, not all.")
@click.option(
    "--download", "fetch", is_flag=True, help="Download the files first, if the dataset allows it."
)
@plugin_option
def command(
    name: str, *, root: Path | None, protocol: str | None, fetch: bool, plugins: Sequence[Path]
) -> None:
    """Decode the official files of the dataset NAME once and check them against its protocols.

    Photos are decoded into a cache in the data root; an existing cache is checked. The command
    prints sizes, checksums and label counts.
    """
    load_plugins(plugins, registry())
    place = data_root(root)
    component = _component(name, place)
    protocols = _protocols(name, protocol)
    if fetch:
        _download(name, component, place)
    data = _decode(component, place)
    click.echo(_heading(name, data))
    click.echo(_counts(data))
    _check(data, protocols)


def _component(name: str, root: Path | None) -> Dataset:
    look_in(root)
    try:
        component: Dataset = registry().load(Kind.DATASET, name)()
    except ConfigError as error:
        raise ConfigError(no_dataset(name, error)) from None
    return component


def _protocols(name: str, wanted: str | None) -> list[str]:
    from hashbench.datasets.protocols.protocol import protocols_of

    known = protocols_of(name)
    if wanted is None:
        return known
    if wanted not in known:
        near = did_you_mean(wanted, known)
        raise ConfigError(f"--protocol {wanted}: '{name}' has no protocol of that name. {near}")
    return [wanted]


def _download(name: str, component: Dataset, root: Path | None) -> None:
    from hashbench.datasets.reading.download import can_download, download

    if not can_download(name):
        source = component.describe().get("source", "nothing is to be fetched for it")
        raise ConfigError(
            f"--download: {name} has to be fetched by hand ({source}); put it into the data root "
            f"and run again without --download"
        )
    if root is None:
        raise ConfigError(
            f"--download: name the data root with --data-root or {DATA_ROOT_VARIABLE}"
        )
    click.echo(f"fetching {name} into {root}", err=True)
    download(name, root)


def _decode(component: Dataset, root: Path | None) -> ImageData:
    from hashbench.datasets.sources.annotated_photos import PhotoDataset

    if not isinstance(component, PhotoDataset):
        return component.load(root)
    with phases() as phase:
        return component.decode(root, progress=phase("decoding"), verify=True)


def _heading(name: str, data: ImageData) -> str:
    shape = " x ".join(map(str, data.images.shape[1:3]))
    per_image = data.labels.sum() / max(len(data), 1)
    unlabelled = int((~data.labels.any(axis=1)).sum())
    return (
        f"{name}: {len(data):,} images of {shape}, {len(data.classes)} labels, {per_image:.3f} an "
        f"image, {unlabelled:,} images without"
    )


def _counts(data: ImageData) -> str:
    counts = data.labels.sum(axis=0, dtype=int)
    words = (f"{name} {count:,}" for name, count in zip(data.classes, counts, strict=True))
    return textwrap.fill(
        ", ".join(words), 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


def _check(data: ImageData, protocols: list[str]) -> None:
    from hashbench.datasets.loading import prepare
    from hashbench.datasets.protocols.protocol import load_protocol

    problems = []
    for name in protocols:
        try:
            loaded = prepare(data, load_protocol(name))
        except HashbenchError as error:
            problems.append(str(error))
        else:
            _show(name, loaded)
    if problems:
        raise DataError("\n".join(dict.fromkeys(problems)))


def _show(name: str, loaded: LoadedData) -> None:
    sizes = ", ".join(f"{loaded.sizes[role]:,} {role}" for role in ("train", "query", "database"))
    click.echo(f"{name}: as the protocol says: {sizes}")
    for what, checksum in loaded.checksums.items():
        stated = "" if what in loaded.protocol.checksums else " (found; the protocol states none)"
        click.echo(f"  sha256 of {what}: {checksum}{stated}")
    for warning in loaded.warnings:
        click.echo(f"  warning: {warning}")
