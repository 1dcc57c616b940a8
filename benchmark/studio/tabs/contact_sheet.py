"""Thumbnails of a dataset with their labels, and how often labels occur, alone and together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

THUMBNAILS: Final = 24
_SIDE: Final = 128
_MOST_CLASSES: Final = 30
_WRITTEN: Final = 12  # classes up to which the numbers are written into the heat map
_LONGEST: Final = 18
_SEVERAL: Final = 2


def spread_over_classes(labels: NDArray[np.uint8], most: int = THUMBNAILS) -> list[int]:
    """Positions of images of as many classes as there are.

    Args:
        labels: uint8 (N, classes), multi-hot.
        most: How many.

    Returns:
        The first image of every class, then the second ones, and so on, each position once.
    """
    rows = [np.flatnonzero(column)[:most].tolist() for column in labels.T]
    rows.append(np.flatnonzero(~labels.any(axis=1))[:most].tolist())
    found = (place for place in chain.from_iterable(zip_longest(*rows)) if place is not None)
    return list(dict.fromkeys(found))[:most]


def thumbnail(pixels: NDArray[np.uint8]) -> Image.Image:
    """A small picture of an image, never an original.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    scale = _SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)


def caption(row: NDArray[np.uint8], classes: Sequence[str]) -> str:
    """The names of an image's labels."""
    names = [classes[column] for column in np.flatnonzero(row).tolist()]
    return ", ".join(names) or "no label"


def label_counts(labels: NDArray[np.uint8], classes: Sequence[str]) -> list[list[str | int]]:
    """Images by class, the most frequent first, and those without any label."""
    counts = labels.sum(axis=0, dtype=int).tolist()
    rows = sorted(zip(classes, counts, strict=True), key=lambda row: (-row[1], row[0]))
    without = int((~labels.any(axis=1)).sum())
    listed: list[list[str | int]] = [[name, count] for name, count in rows]
    return listed + ([["(no label)", without]] if without else [])


def together_figure(labels: NDArray[np.uint8], classes: Sequence[str]) -> Figure | None:
    """A heat map of the images that have two labels both; None where none has two.

    Args:
        labels: uint8 (N, classes), multi-hot.
        classes: Class names; the most frequent are shown.
    """
    if not len(labels) or int(labels.sum(axis=1, dtype=int).max()) < _SEVERAL:
        return None
    counts = labels.sum(axis=0, dtype=int)
    shown = np.sort(np.argsort(-counts, kind="stable")[:_MOST_CLASSES])
    columns = labels[:, shown].astype(np.float32)
    together = (columns.T @ columns).astype(int)
    return _heat_map(together, [_short(classes[column]) for column in shown.tolist()])


def _heat_map(together: NDArray[np.int_], names: Sequence[str]) -> Figure:
    side = 2.5 + 0.22 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    apart = together.astype(float)
    np.fill_diagonal(apart, np.nan)  # a label with itself would hide all else
    image = axes.imshow(apart, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_title("images with both labels", fontsize=9)
    if len(names) <= _WRITTEN:
        for (row, column), count in np.ndenumerate(together):
            if row != column:
                axes.text(column, row, f"{count}", ha="center", va="center", fontsize=7, color="w")
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def _short(name: str) -> str:
    cut = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return cut.replace("$", r"\$")
