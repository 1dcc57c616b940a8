"""MIRFLICKR-25000 from a miniature of its archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.sources import mirflickr as module
from hashbench.datasets.sources.mirflickr import (
    CLASSES,
    POTENTIAL,
    RELEVANT,
    MIRFlickr,
    MIRFlickrTagged,
    read_tagged,
)

ANNOTATIONS = "mirflickr25k_annotations_v080"


@pytest.fixture(autouse=True)
def _twelve_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IMAGES", 12)
    monkeypatch.setattr(module, "LEAST_USES", 4)


def test_there_are_24_potential_labels_and_14_relevant_ones_of_them() -> None:
    assert (len(POTENTIAL), len(RELEVANT), len(CLASSES)) == (24, 14, 38)
    assert {name.removesuffix("_r1") for name in RELEVANT} < set(POTENTIAL)
    assert tuple(sorted({*POTENTIAL, *RELEVANT})) == CLASSES


def test_photos_come_in_the_order_of_their_numbers_with_all_labels(mirflickr: Path) -> None:
    data = MIRFlickr().load(mirflickr)
    shown = {
        name: (np.flatnonzero(data.labels[:, column]) + 1).tolist()
        for column, name in enumerate(data.classes)
        if data.labels[:, column].any()
    }
    assert shown == {
        "animals": [1, 10],
        "sea": [10, 11],
        "sea_r1": [11],
        "sky": [*range(1, 12)],
    }
    np.testing.assert_allclose(data.images[:, 9, 9, 0], np.arange(1, 13) * 20, atol=2)


def test_a_tag_counts_if_it_is_on_enough_photos(mirflickr: Path) -> None:
    folder = mirflickr / "mirflickr" / "meta" / "tags"
    # Photos 3 to 6 carry it twice each, photo 12 once: five photos.
    assert np.flatnonzero(read_tagged(folder, images=12, least_uses=5)).tolist() == [2, 3, 4, 5, 11]
    assert not read_tagged(folder, images=12, least_uses=6).any()
    assert read_tagged(folder, images=12, least_uses=1).all()


def test_the_tagged_photos_have_a_label_and_a_tag_that_counts(mirflickr: Path) -> None:
    data = MIRFlickrTagged().load(mirflickr)
    np.testing.assert_allclose(data.images[:, 9, 9, 0], [60, 80, 100, 120], atol=2)
    assert data.labels.sum(axis=1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("line", ["0", "13", "-1", "1.5", "one", "²", "9" * 5000])
def test_a_line_that_is_no_number_of_a_photo_is_an_error(line: str, mirflickr: Path) -> None:
    (mirflickr / ANNOTATIONS / "sea_r1.txt").write_text(f"3\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"sea_r1\.txt: expected numbers from 1 to 12, found '.+'"):
        MIRFlickr().load(mirflickr)


def test_a_missing_annotation_file_is_an_error_that_names_it(mirflickr: Path) -> None:
    (mirflickr / ANNOTATIONS / "tree_r1.txt").unlink()
    with pytest.raises(DataError, match=r"tree_r1\.txt: expected this annotation file"):
        MIRFlickr().load(mirflickr)


def test_bytes_that_are_no_text_are_an_error(mirflickr: Path) -> None:
    (mirflickr / "mirflickr/meta/tags/tags7.txt").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=r"tags7\.txt: expected text, found other bytes"):
        MIRFlickrTagged().load(mirflickr)


def test_photos_without_annotations_are_an_error_that_says_where_to_get_them(
    mirflickr: Path,
) -> None:
    (mirflickr / ANNOTATIONS).rename(mirflickr / "elsewhere")
    with pytest.raises(DataError, match=r"expected animals\.txt in one of .*press\.liacs\.nl"):
        MIRFlickr().load(mirflickr)
