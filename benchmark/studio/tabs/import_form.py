"""From what was entered in the tab Data to an import: a look at it first, then the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from hashbench.core.errors import ConfigError, StoreError
from hashbench.datasets.importing.csv_labels import TableColumns
from hashbench.datasets.importing.plan import FOLDERS, ImportPlan
from hashbench.datasets.reading.decoding import decode_square
from hashbench.studio.commands import root_words
from hashbench.studio.context import StudioContext
from hashbench.studio.jobs import jobs
from hashbench.studio.tabs.contact_sheet import (
    caption,
    label_counts,
    spread_over_classes,
    thumbnail,
    together_figure,
)

_SIDE: Final = 96


@dataclass(frozen=True, slots=True)
class ImportForm:
    """What was entered.

    Attributes:
        name: The NAME of ``imported/NAME``.
        path: A folder or zip file in a data root; empty where one was sent.
        sent: The zip file that was sent, or None.
        labels_path: A list, CSV file or folder of lists in a data root; empty for none.
        labels_sent: The list or CSV file that was sent, or None.
        lists: Whether the protocol is that of a folder of lists.
        seed, query_share, train_share: How a protocol is drawn.
        side: Sides of the decoded images.
        columns: How a CSV file is read.
        allow_missing: Whether listed images that are not there are left out.
    """

    name: str
    path: str = ""
    sent: Path | None = None
    labels_path: str = ""
    labels_sent: Path | None = None
    lists: bool = False
    seed: int = 0
    query_share: float = 0.1
    train_share: float = 0.5
    side: int = 256
    columns: TableColumns = field(default_factory=TableColumns)
    allow_missing: bool = False

    def source(self, context: StudioContext) -> Path:
        """Where the images are.

        Raises:
            ConfigError: If nothing was named, or it is outside the data roots.
        """
        if self.sent is not None:
            return self.sent
        if not self.path.strip():
            raise ConfigError("images: name a folder or zip file in a data root, or send a zip")
        return context.inside(self.path)

    def labels(self, context: StudioContext) -> str:
        """What the labels are read from, as ``--labels`` takes it.

        Raises:
            ConfigError: If it is outside the data roots.
        """
        if self.labels_sent is not None:
            return str(self.labels_sent)
        return str(context.inside(self.labels_path)) if self.labels_path.strip() else FOLDERS

    def plan(self, context: StudioContext) -> ImportPlan:
        """The import as the command makes it.

        Raises:
            ConfigError: If the name is none, or the settings do not go together.
        """
        return ImportPlan(
            source=self.source(context),
            labels=self.labels(context),
            name=self.name.strip(),
            lists=self.lists,
            side=self.side,
            columns=self.columns,
            allow_missing=self.allow_missing,
        )

    def words(self, source: Path, labels: str, context: StudioContext) -> tuple[str, ...]:
        """The command line.

        Args:
            source: Where the images are.
            labels: What the labels are read from.
            context: What the page was started with.
        """
        drawn = (
            *("--seed", self.seed, "--query-share", self.query_share),
            *("--train-share", self.train_share),
        )
        table = (
            *("--path-column", self.columns.path, "--label-column", self.columns.label),
            *("--separator", self.columns.separator),
        )
        options = (
            *("--name", self.name.strip(), "--labels", labels, "--side", self.side),
            *(("--protocol", "lists") if self.lists else drawn),
            *(table if labels.lower().endswith(".csv") else ()),
            *(("--allow-missing",) if self.allow_missing else ()),
            *root_words(context),
        )
        return ("hashbench", "data", "import", str(source), *map(str, options))


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would find, as far as names, labels and a few images tell.

    Attributes:
        lines: For people.
        pictures: Thumbnails with their labels.
        counts: Rows of label and number of images.
        together: The heat map of labels that occur together, if any do.
    """

    lines: tuple[str, ...]
    pictures: tuple[tuple[Image.Image, str], ...]
    counts: tuple[tuple[str | int, ...], ...]
    together: Figure | None


def preview(form: ImportForm, context: StudioContext) -> Preview:
    """Look at images before they are imported: all names and labels, a few pictures.

    Args:
        form: What was entered.
        context: What the page was started with.

    Raises:
        ConfigError: If something entered cannot be.
        DataError: If images or labels cannot be used.
    """
    plan = form.plan(context)
    source = plan.open_source()
    labelled = plan.read_labels(source.names)
    places = spread_over_classes(labelled.labels)
    pictures, bad = [], []
    files = source.files([labelled.names[place] for place in places])
    for place, file in zip(places, files, strict=True):
        pixels = decode_square(file.open(), _SIDE)
        if isinstance(pixels, str):
            bad.append(f"cannot be read: {file.name}: {pixels}")
        else:
            about = caption(labelled.labels[place], labelled.classes)
            pictures.append((thumbnail(np.asarray(pixels)), about))
    lines = [
        f"{len(labelled.names):,} images with labels, {len(labelled.classes)} classes",
        *([f"{len(source.others):,} other files"] if source.others else []),
        *([f"{len(labelled.unlisted):,} images without a line"] if labelled.unlisted else []),
        *([f"{len(labelled.missing):,} listed but not there"] if labelled.missing else []),
        *bad,
        "unreadable files and duplicates are found by the import, which decodes every image",
    ]
    counts = tuple(tuple(row) for row in label_counts(labelled.labels, labelled.classes))
    figure = together_figure(labelled.labels, labelled.classes)
    return Preview(tuple(lines), tuple(pictures), counts, figure)


def start_import(form: ImportForm, context: StudioContext) -> jobs.Job:
    """Start ``hashbench data import``; what was sent is kept in the job's folder.

    Args:
        form: What was entered.
        context: What the page was started with.

    Raises:
        ConfigError: If something entered cannot be.
        StoreError: If the store cannot be written.
    """
    form.plan(context)

    def prepare(folder: Path) -> Sequence[str]:
        source = _kept(form.sent, folder) or form.source(context)
        sent = _kept(form.labels_sent, folder)
        labels = str(sent) if sent else form.labels(context)
        return form.words(source, labels, context)

    title = f"import {form.name.strip()}"
    return jobs.start(context.jobs, "import", title, argv=prepare)


def _kept(sent: Path | None, folder: Path) -> Path | None:
    """A file that was sent, in the job's folder: where it was sent to is emptied in time."""
    if sent is None:
        return None
    target = folder / f"sent-{Path(sent).name.lstrip('.-')}"
    try:
        try:
            os.link(sent, target)
        except OSError:  # another disk
            shutil.copyfile(sent, target)
    except OSError as error:
        raise StoreError(
            f"cannot keep {target.name}: {error.strerror or error}; make room, then send it again"
        ) from None
    return target
