"""Imports with labels from a table, and what is refused before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.importing.images import Imported, import_images
from hashbench.datasets.importing.plan import ImportPlan

SIDE = 8
Run = Callable[..., Imported]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty pictures of different noise in two class folders."""
    generator = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(source: Path, labels: str = "folders") -> Imported:
        plan = ImportPlan(source, labels, "mine", side=SIDE, image_size=SIDE)
        return import_images(plan, tmp_path / "root", phase=lambda _name: lambda _done, _all: None)

    return call


def test_classes_of_two_images_are_refused_before_any_is_decoded(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    for path in sorted(photos.glob("*/*.png"))[2:10] + sorted(photos.glob("*/*.png"))[12:]:
        path.unlink()
    with pytest.raises(DataError, match="a class with two images to draw training images from"):
        run(photos)
    assert not (tmp_path / "root").exists()


def test_a_missing_name_that_a_file_nearly_has_is_named(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in photos.glob("*/*")]
    labels.write_text("\n".join(["path,label", *rows]).replace("07.png", "07.PNG"))
    with pytest.raises(DataError, match=r"1 of 20 images do not exist .*the file 'cat/07\.png'"):
        run(photos, labels=str(labels))


def test_the_form_of_a_table_is_stated_in_the_report(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"{path.parent.name}/{path.name};{path.parent.name}" for path in photos.glob("*/*")]
    labels.write_text("\n".join(["path;label", *rows]))
    assert run(photos, labels=str(labels)).report[1] == "table: cells separated by semicolons"
