"""The protocol of imported images: drawn by class, or taken from lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError, DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.datasets.protocols.subset import hold_out
from hashbench.datasets.reading.index_list import digest_positions, write_index_list

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class AutoSplit:
    """The settings of a drawn split.

    Attributes:
        seed: Seed of the draw.
        query_share: Share of the images that become queries.
        train_share: Share of the other images that are for training.
        most_queries: Largest number of queries.
        most_train: Largest number of training images.
    """

    seed: int = 0
    query_share: float = 0.1
    train_share: float = 0.5
    most_queries: int = 5_000
    most_train: int = 10_000

    def note(self) -> str:
        """Describe the draw in the notes of its protocol."""
        return (
            f"Drawn with seed {self.seed}: of each class {self.query_share:g} of its images for "
            f"queries (at most {self.most_queries} in all), {self.train_share:g} of the others for "
            f"training (at most {self.most_train}); all but the queries are searched. Images with "
            f"a copy are no queries."
        )


def draw_split(labels: NDArray[np.uint8], copies: NDArray[np.bool_], *, rule: AutoSplit) -> Split:
    """Draw queries and training images, a share of each class.

    An image with several labels counts for its first. Queries have a label and no copy, so no
    query finds itself; training images have a label. The database is all images but the queries,
    including the training images.

    Args:
        labels: uint8 (N, classes), multi-hot.
        copies: Boolean (N,), True for images with the same pixels as another.
        rule: Seed and sizes.

    Raises:
        DataError: If there are too few images to draw from.
    """
    labelled = labels.any(axis=1)
    query = _draw(
        "queries",
        labels,
        labelled & ~copies,
        share=rule.query_share,
        most=rule.most_queries,
        seed=rule.seed,
    )
    others = np.ones(len(labels), dtype=np.bool_)
    others[query] = False
    train = _draw(
        "training images",
        labels,
        labelled & others,
        share=rule.train_share,
        most=rule.most_train,
        seed=rule.seed,
    )
    return Split(train=train, query=query, database=np.flatnonzero(others).astype(np.int64))


def listed_split(roles: Mapping[str, NDArray[np.int64]], names: tuple[str, ...]) -> Split:
    """Check the split that lists give: rising positions by role, among images of these names.

    Raises:
        DataError: If a list is empty, a query is for training, or some training images are in the
            database and some are not.
    """
    split = Split(**roles)
    for role in ROLES:
        if not len(roles[role]):
            raise DataError(f"labels: the {role} list names no readable image of the source")
    both = np.intersect1d(split.query, split.train)
    if len(both):
        raise DataError(
            f"labels: {len(both)} queries are in the training list too (first: "
            f"{names[both[0]]!r}); take them out of one of the lists"
        )
    inside = len(np.intersect1d(split.train, split.database))
    if 0 < inside < len(split.train):
        raise DataError(
            f"labels: {inside} of {len(split.train)} training images are in the database list; "
            f"put all of them into it, or none"
        )
    return split


@dataclass(frozen=True, slots=True)
class ProtocolText:
    """The content of the protocol ``NAME@1`` of imported images besides its split.

    ``images`` and ``classes`` are numbers, ``pixels`` and ``labels`` SHA-256 checksums; ``side`` is
    that of the decoded images, ``image_size`` that of the network input.
    """

    name: str
    images: int
    side: int
    classes: int
    image_size: int
    pixels: str
    labels: str
    notes: str


def write_protocol(folder: Path, text: ProtocolText, split: Split) -> Path:
    """Write a protocol ``NAME@1`` and its index lists into a folder, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    lists: dict[str, NDArray[np.int64]] = {role: getattr(split, role) for role in ROLES}
    files = {role: f"{text.name}@1.{role}.txt" for role in ROLES}
    for role, positions in lists.items():
        comment = f"{role} positions of imported/{text.name}"
        write_index_list(folder / files[role], positions, comment=comment)
    inside = len(np.intersect1d(split.train, split.database)) > 0
    searched = len(np.intersect1d(split.query, split.database)) > 0
    crop = text.image_size < text.side
    tables: dict[str, Mapping[str, object]] = {
        "": {
            "name": text.name,
            "version": 1,
            "dataset": f"imported/{text.name}",
            "relevance": "shared-label",
            "train_in_database": inside,
            **({"queries_in_database": True} if searched else {}),
            "map_at": "all",
            "notes": text.notes,
        },
        "images": {
            "count": text.images,
            "shape": [text.side, text.side, 3],
            "classes": text.classes,
        },
        "input": {
            "image_size": text.image_size,
            "augmentation": "crop_flip" if crop else "flip",
            "mean": list(_IMAGENET_MEAN),
            "std": list(_IMAGENET_STD),
        },
        "sampling": {"rule": "lists"},
        "sampling.files": files,
        "sizes": {role: len(positions) for role, positions in lists.items()},
        "sha256": {"pixels": text.pixels, "labels": text.labels}
        | {role: digest_positions(positions) for role, positions in lists.items()},
    }
    path = folder / f"{text.name}@1.toml"
    path.write_text("\n".join(_table(*item) for item in tables.items()), encoding="utf-8")
    return path


def _table(name: str, values: Mapping[str, object]) -> str:
    # A JSON value of these kinds is a TOML value too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=True)}" for key, value in values.items()]
    return "\n".join([*([f"[{name}]"] if name else []), *lines, ""])


def _draw(
    what: str,
    labels: NDArray[np.uint8],
    allowed: NDArray[np.bool_],
    *,
    share: float,
    most: int,
    seed: int,
) -> NDArray[np.int64]:
    positions = np.flatnonzero(allowed).astype(np.int64)
    try:
        _, held = hold_out(labels[positions], min(share, most / max(len(positions), 1)), seed=seed)
    except ConfigError:
        raise DataError(
            f"protocol auto: expected a class with two images to draw {what} from, found none "
            f"among {len(positions)} images (a class needs three for queries, training and "
            f"database); import more images, or give lists with --protocol lists"
        ) from None
    return positions[held]
