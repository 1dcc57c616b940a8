"""Conformance of datasets and their protocols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hashbench.conformance.findings import CARD_CHECK, Checks, Finding, examine, expect
from hashbench.core.info import LabelKind
from hashbench.core.registry import Kind, registry
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.loading import load_data
from hashbench.datasets.protocols.protocol import protocols_of
from hashbench.datasets.roots import data_root

_IMAGE_DIMS = (3, 4)
_COLOURS = 3


@dataclass(frozen=True)
class DatasetBench:
    """A registered dataset and the user's data root."""

    name: str
    root: Path | None

    @property
    def cls(self) -> type[Dataset]:
        """The dataset's class."""
        cls: type[Dataset] = registry().load(Kind.DATASET, self.name)
        return cls

    @cached_property
    def data(self) -> ImageData:
        """All images of the dataset."""
        return self.cls().load(self.root)


CHECKS = Checks[DatasetBench]([CARD_CHECK])


def check_dataset(name: str, root: Path | None = None) -> list[Finding]:
    """Load a registered dataset and cut it by each of its protocols.

    Args:
        name: Its name in the registry.
        root: The user's data root; that of the environment if None.

    Returns:
        One finding a check.
    """
    return examine(CHECKS, DatasetBench(name, data_root(root)))


@CHECKS.add(
    "images and labels",
    fix="load returns ImageData(uint8 images (N, H, W) or (N, H, W, 3), uint8 multi-hot labels "
    "(N, classes), class names)",
)
def _arrays(bench: DatasetBench) -> str:
    images, labels, classes = bench.data.images, bench.data.labels, bench.data.classes
    shape = images.shape
    expect(images.dtype == np.uint8, f"images are {images.dtype}, not uint8")
    expect(
        len(shape) in _IMAGE_DIMS and shape[3:] in ((), (_COLOURS,)),
        f"images are {shape}, not (N, H, W) or (N, H, W, 3)",
    )
    wanted = (len(images), len(classes))
    expect(labels.dtype == np.uint8, f"labels are {labels.dtype}, not uint8")
    expect(labels.shape == wanted, f"labels are {labels.shape}, not (images, classes) = {wanted}")
    expect(bool((labels <= 1).all()), "a label is neither 0 nor 1")
    return f"images {shape}, labels {labels.shape}"


@CHECKS.add("loads the same twice", fix="let nothing in load depend on chance or folder order")
def _repeats(bench: DatasetBench) -> str:
    again = bench.cls().load(bench.root)
    expect(np.array_equal(bench.data.images, again.images), "loaded twice, images differ")
    expect(np.array_equal(bench.data.labels, again.labels), "loaded twice, labels differ")
    return "images and labels equal when loaded twice"


@CHECKS.add(
    "label kinds of its info",
    fix="say labels=frozenset({LabelKind.SINGLE}), or MULTI where an image may have several",
)
def _label_kinds(bench: DatasetBench) -> str:
    counts = bench.data.labels.sum(axis=1, dtype=np.int64)
    multi = bool((counts > 1).any())
    stated = bench.cls.info.labels
    found = LabelKind.MULTI if multi else LabelKind.SINGLE
    expect(stated == {found}, f"info.labels says {', '.join(sorted(stated))}, the data are {found}")
    return f"{found}: {counts.min()} to {counts.max()} labels an image"


@CHECKS.add(
    "protocols fit the data",
    fix="put protocols/NAME@VERSION.toml beside the dataset's file; its sizes and checksums are "
    "printed by: python -m hashbench.datasets.protocols.seal NAME@VERSION PLUGIN_FILE",
)
def _protocols(bench: DatasetBench) -> str:
    names = protocols_of(bench.name)
    usual = bench.cls.default_protocol
    expect(
        usual in names, f"default_protocol is '{usual}'; there are: {', '.join(names) or 'none'}"
    )
    seen = []
    for name in names:
        loaded = load_data(bench.name, name, root=bench.root)
        sizes = "/".join(str(loaded.sizes[role]) for role in ("train", "query", "database"))
        seen.append("; ".join([f"{name} {sizes}", *loaded.warnings]))
    return ", ".join(seen)
