"""``hashbench data import``: turn your own images into a dataset that a matrix can name."""

from __future__ import annotations

from pathlib import Path

import click

from hashbench.cli.phases import phases
from hashbench.core.errors import ConfigError
from hashbench.datasets import roots

_CROPPED_FROM = 64
_FOLDER = click.Path(path_type=Path)
Share = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command(name="import")
@click.argument("source", type=_FOLDER)
@click.option(
    "--labels",
    default="folders",
    show_default=True,
    help="'folders' (one class each); a .csv file; a list of lines 'path 0 1 0' or 'path 3'; or "
    "a folder with train.txt, test.txt and database.txt.",
)
@click.option("--name", required=True, help="Name the dataset imported/NAME.")
@click.option(
    "--protocol",
    type=click.Choice(["auto", "lists"]),
    default="auto",
    show_default=True,
    help="Draw a split (auto), or take that of the lists in the folder --labels.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the drawn split.",
)
@click.option(
    "--query-share",
    type=Share,
    default=0.1,
    show_default=True,
    help="Share of each class for queries.",
)
@click.option(
    "--train-share",
    type=Share,
    default=0.5,
    show_default=True,
    help="Share of the others for training.",
)
@click.option(
    "--side",
    type=click.IntRange(8, 1024),
    default=256,
    show_default=True,
    help="Side of the decoded images, in pixels.",
)
@click.option(
    "--image-size",
    type=click.IntRange(8, 1024),
    help="Side of the network input, in pixels.  [default: 7/8 of --side; all of it below 64]",
)
@click.option("--classes", type=_FOLDER, help="File of class names for lists, one a line.")
@click.option(
    "--path-column", default="path", show_default=True, help="Column of paths in a .csv file."
)
@click.option(
    "--label-column", default="label", show_default=True, help="Column of labels in a .csv file."
)
@click.option(
    "--separator",
    default=";",
    show_default=True,
    help="Text between labels in a cell of a .csv file.",
)
@click.option("--allow-missing", is_flag=True, help="Leave out listed images that do not exist.")
@click.option(
    "--data-root",
    type=_FOLDER,
    help=f"Folder to keep it in.  [default: {roots.DATA_ROOT_VARIABLE}]",
)
def command(
    source: Path,
    *,
    labels: str,
    name: str,
    protocol: str,
    seed: int,
    query_share: float,
    train_share: float,
    side: int,
    image_size: int | None,
    classes: Path | None,
    path_column: str,
    label_column: str,
    separator: str,
    allow_missing: bool,
    data_root: Path | None,
) -> None:
    """Decode the images of SOURCE, a folder or a zip file, and keep them as imported/NAME.

    The report names files that cannot be read and images with equal pixels, and counts images by
    label and in the split. If the command was stopped, run it again: it continues. If everything
    was imported before, it does nothing.
    """
    from hashbench.datasets.importing.csv_labels import TableColumns
    from hashbench.datasets.importing.images import import_images
    from hashbench.datasets.importing.plan import ImportPlan
    from hashbench.datasets.importing.split import AutoSplit

    root = _root(data_root)
    plan = ImportPlan(
        source=source,
        labels=labels,
        name=name,
        lists=protocol == "lists",
        side=side,
        image_size=image_size or _usual_size(side),
        auto=AutoSplit(seed=seed, query_share=query_share, train_share=train_share),
        columns=TableColumns(path_column, label_column, separator=separator),
        classes=classes,
        allow_missing=allow_missing,
    )
    with phases() as phase:
        found = import_images(plan, root, phase=phase)
    for line in found.report:
        click.echo(line)
    done = "imported" if found.new else "was imported before, nothing to do:"
    click.echo(f"{done} imported/{name} with protocol {name}@1 in {found.folder}")


def _root(named: Path | None) -> Path:
    root = roots.data_root(named)
    if root is None:
        raise ConfigError(
            f"data import: expected a data root to keep the images in; set "
            f"{roots.DATA_ROOT_VARIABLE} or give --data-root"
        )
    return root


def _usual_size(side: int) -> int:
    return side * 7 // 8 if side >= _CROPPED_FROM else side
