"""``hashbench query``: find the images of a database that are nearest to an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashbench.cli.options import device_option, plugin_option, store_option
from hashbench.core.errors import ConfigError

if TYPE_CHECKING:
    from hashbench.core.codes import Codes, Embeddings
    from hashbench.worker.encoder import Encoder


@click.command("query")
@click.argument("record")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="Images to show."
)
@click.option(
    "--among",
    type=click.Path(path_type=Path),
    help="Search in a file written by hashbench encode with RECORD, not in RECORD's database.",
)
@store_option
@device_option
@plugin_option
def command(
    record: str,
    images: tuple[Path, ...],
    *,
    k: int,
    among: Path | None,
    store: Path,
    device: str,
    plugins: tuple[Path, ...],
) -> None:
    """Show the K images nearest to each of IMAGES, by the method and the codes of RECORD.

    RECORD is a fit id, a record id, or the start of one. Its model must have been kept: execute:
    {keep_model: true}. Equal distances are shown in the order of the database.
    """
    from hashbench.worker.encoder import open_encoder
    from hashbench.worker.image_files import find_images
    from hashbench.worker.retrieval import nearest_of

    encoder = open_encoder(store, record, device=device, plugins=plugins)
    database, names, labels = _files(encoder, among) if among else _database(encoder)
    paths = find_images(images)
    found = nearest_of(encoder.encode_files(paths), database, k)
    for path, distances, positions in zip(paths, *found, strict=True):
        click.echo(f"{path}: the {len(positions)} nearest by {encoder.fit.cell}")
        rows = [("rank", "distance", "image", "labels" if labels else "")]
        for rank, (distance, at) in enumerate(zip(distances, positions, strict=True), start=1):
            shown = f"{distance:.0f}" if encoder.fit.cell.bits else f"{distance:.4f}"
            rows.append((str(rank), shown, names[at], labels[at] if labels else ""))
        _print_columns(rows)


def _database(encoder: Encoder) -> tuple[Codes | Embeddings, Sequence[str], Sequence[str]]:
    """Load the record's own database, the names of its images and their class names."""
    from hashbench.store.codes import load_codes

    encoded = load_codes(encoder.store, encoder.fit)
    classes = encoder.classes
    labels = [
        ", ".join(name for name, there in zip(classes, row, strict=True) if there)
        for row in encoded.database_labels
    ]
    return encoded.database, _image_names(encoder), labels


def _image_names(encoder: Encoder) -> list[str]:
    """The file of each database image; its place in the dataset where images are no files."""
    from hashbench.core.registry import Kind, registry
    from hashbench.datasets.roots import data_root

    dataset = encoder.fit.cell.data.name
    files = registry().load(Kind.DATASET, dataset)().names(data_root(None))
    return [files[at] if files is not None else f"{dataset}[{at}]" for at in encoder.database]


def _files(
    encoder: Encoder, among: Path
) -> tuple[Codes | Embeddings, Sequence[str], Sequence[str]]:
    from hashbench.worker.encoded_files import EncodedFiles

    encoded = EncodedFiles.read(among)
    if encoded.fit_record != encoder.fit.record_id:
        raise ConfigError(
            f"--among {among}: encoded by record {encoded.fit_record} of {encoded.fit_id}, not by "
            f"{encoder.fit.record_id}; encode the images with the same record"
        )
    return encoded.encoded, encoded.paths, []


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for rank, distance, image, labels in rows:
        line = f"  {rank:>{widths[0]}}  {distance:>{widths[1]}}  {image:<{widths[2]}}  {labels}"
        click.echo(line.rstrip())
