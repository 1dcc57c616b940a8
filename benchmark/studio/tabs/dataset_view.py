"""What the page shows of one dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.datasets.roots import IMPORTED, imported_folders
from hashbench.datasets.sources.imported import REPORT
from hashbench.studio.context import StudioContext
from hashbench.studio.tabs.contact_sheet import (
    caption,
    label_counts,
    spread_over_classes,
    thumbnail,
    together_figure,
)
from hashbench.studio.tabs.dataset_list import DatasetRow, list_datasets

_MOST_PROBLEMS = 500


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset, ready to be shown.

    Attributes:
        facts: Rows of what and value: sizes, protocols, checksums, warnings.
        pictures: Thumbnails with their labels.
        counts: Rows of label and number of images.
        together: The heat map of labels that occur together, if any do.
        problems: Rows of kind, file and why: what could not be read, and what is there twice.
        note: Why something is not shown; empty if all is.
    """

    facts: tuple[tuple[str, str], ...]
    pictures: tuple[tuple[Image.Image, str], ...] = ()
    counts: tuple[tuple[str | int, ...], ...] = ()
    together: Figure | None = None
    problems: tuple[tuple[str, str, str], ...] = ()
    note: str = ""


def view_dataset(name: str, context: StudioContext) -> DatasetView:
    """Look at a dataset.

    Args:
        name: What a matrix calls it.
        context: What the page was started with.

    Raises:
        ConfigError: If there is none of that name.
        DataError: If its files are missing or damaged.
    """
    rows = [row for row in list_datasets(context) if row.name == name]
    if not rows:
        raise ConfigError(f"dataset {name!r:.100}: there is none; it may have been removed")
    row = rows[0]
    if row.problem:
        return DatasetView((("problem", row.problem),))
    component: Dataset = registry().load(Kind.DATASET, name)()
    facts = [("name", row.name), ("title", row.title), ("state", row.state)]
    facts += [*_protocol_facts(row), *_described(component)]
    if row.photos:
        note = "its photos are decoded once by Prepare; their labels are listed there"
        return DatasetView(tuple(facts), note=note)
    data = component.load(context.data_root)
    facts += [("warning", line) for line in data.warnings]
    return DatasetView(
        tuple(facts),
        pictures=tuple(_pictures(data)),
        counts=tuple(tuple(line) for line in label_counts(data.labels, data.classes)),
        together=together_figure(np.asarray(data.labels), data.classes),
        problems=tuple(_problems(name)),
    )


def _protocol_facts(row: DatasetRow) -> list[tuple[str, str]]:
    facts = []
    for name in row.protocols:
        spec = load_protocol(name)
        sizes = ", ".join(f"{size:,} {role}" for role, size in spec.sizes.items())
        facts += [("protocol", f"{name}: {sizes}"), (f"{name} definition", spec.sha256)]
        facts += [(f"{name} sha256 of {what}", sha) for what, sha in spec.checksums.items()]
    return facts


def _described(component: Dataset) -> list[tuple[str, str]]:
    # Where a dataset lies on this machine is nobody's business but its owner's.
    hidden = {"report", "looked for in"}
    return [
        (key, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for key, value in component.describe().items()
        if key not in hidden and value not in ("", None, [], ())
    ]


def _pictures(data: ImageData) -> list[tuple[Image.Image, str]]:
    places = spread_over_classes(np.asarray(data.labels))
    return [(thumbnail(data.images[i]), caption(data.labels[i], data.classes)) for i in places]


def _problems(name: str) -> list[tuple[str, str, str]]:
    """What an import found: files that cannot be read, images that are there twice."""
    folder, _, own = name.partition("/")
    place = imported_folders().get(own) if folder == IMPORTED else None
    if place is None:
        return []
    try:
        report: dict[str, Any] = json.loads((place / REPORT).read_bytes())
    except (OSError, ValueError, RecursionError):
        return [("report", REPORT, "cannot be read")]
    return report_problems(report)[:_MOST_PROBLEMS]


def report_problems(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of an import's report: kind, file, and why.

    Args:
        report: `hashbench.datasets.importing.report.ImportReport` as plain data.
    """
    bad = [("unreadable", each["name"], each["reason"]) for each in report.get("unreadable", ())]
    twice = [
        ("duplicate", other, f"the same pixels as {group[0]}")
        for group in report.get("duplicates", ())
        for other in group[1:]
    ]
    missing = [("missing", name, "listed, but not there") for name in report.get("missing", ())]
    unlisted = [("not labelled", name, "left out") for name in report.get("unlisted", ())]
    overlaps = [("overlap", "", line) for line in report.get("overlaps", ())]
    return [*bad, *twice, *missing, *overlaps, *unlisted]


def as_rows(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as a table of the page takes them."""
    return [list(row) for row in rows]
