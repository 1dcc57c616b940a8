"""``hashbench encode``: encode image files with a stored method."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.options import counted, device_option, plugin_option, store_option


@click.command("encode")
@click.argument("record")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The .npz file to write: codes, bits, paths, fit_id, fit_record.",
)
@store_option
@device_option
@plugin_option
def command(
    record: str,
    images: tuple[Path, ...],
    *,
    output: Path,
    store: Path,
    device: str,
    plugins: tuple[Path, ...],
) -> None:
    """Encode IMAGES, files or folders, with the method of RECORD.

    RECORD is a fit id, a record id, or the start of one. Its model must have been kept: execute:
    {keep_model: true}. Images of another size than the dataset's are resized to it.
    """
    from hashbench.core.codes import Codes
    from hashbench.worker.encoded_files import EncodedFiles
    from hashbench.worker.encoder import open_encoder
    from hashbench.worker.image_files import find_images

    encoder = open_encoder(store, record, device=device, plugins=plugins)
    paths = find_images(images)
    encoded = encoder.encode_files(paths)
    fit = encoder.fit
    EncodedFiles(encoded, [str(path) for path in paths], fit.fit_id, fit.record_id).write(output)
    what = f"codes of {encoded.bits} bits" if isinstance(encoded, Codes) else "embeddings"
    click.echo(f"wrote {output}: {what} for {counted(len(paths), 'image')}, by {fit.cell}")
