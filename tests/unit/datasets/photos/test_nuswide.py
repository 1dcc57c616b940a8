"""NUS-WIDE from a miniature of its files, and HashNet's copy of the photos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.sources.nuswide import NUSWIDE, NUSWIDEHashNet

Photo = Callable[[Path, int], None]
LABELS = [[0, 1, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]


def test_photos_come_in_the_order_of_the_list_with_all_concepts(nuswide: Path) -> None:
    data = NUSWIDE().load(nuswide)
    assert data.classes == ("airport", "animal", "beach")
    assert data.labels.tolist() == LABELS
    np.testing.assert_allclose(data.images[:, 9, 9, 0], [0, 60, 120, 180], atol=2)


def test_photos_may_lie_in_one_folder_without_their_concepts(nuswide: Path) -> None:
    flickr = nuswide / "nuswide" / "Flickr"
    (nuswide / "nuswide" / "images").mkdir()
    # The miniature's names are different without their folders, as the published ones are.
    names = {"actor/0001_21": 200, "actor/0002_17": 150, "zoo/0001_99": 100, "zoo/0002_3": 50}
    for name in names:
        target = nuswide / "nuswide" / "images" / f"{name.partition('/')[2]}.jpg"
        shutil.copy(flickr / f"{name}.jpg", target)
    shutil.rmtree(flickr)
    data = NUSWIDE().load(nuswide)
    np.testing.assert_allclose(data.images[:, 9, 9, 0], [0, 60, 120, 180], atol=2)


def test_hashnets_copy_takes_the_labels_of_the_flickr_id_and_sorts_by_name(
    nuswide: Path, photo: Photo
) -> None:
    for name, shade in (("9_17_ab_m", 30), ("1_3_cd_m", 90), ("20_21_ef_m", 150)):
        photo(nuswide / "nuswide_81" / "images" / f"{name}.jpg", shade)
    data = NUSWIDEHashNet().load(nuswide)
    assert data.labels.tolist() == [LABELS[3], LABELS[0], LABELS[1]]
    np.testing.assert_allclose(data.images[:, 9, 9, 0], [90, 150, 30], atol=2)


def test_without_the_copy_the_message_says_where_to_get_it(nuswide: Path) -> None:
    with pytest.raises(DataError, match=r"expected images in one of .*nuswide_81.*thuml/HashNet"):
        NUSWIDEHashNet().load(nuswide)


@pytest.mark.parametrize("name", ["1_444_cd_m", "portrait"])
def test_a_photo_of_the_copy_that_the_list_does_not_know_is_an_error(
    name: str, nuswide: Path, photo: Photo
) -> None:
    photo(nuswide / "nuswide_81" / "images" / f"{name}.jpg", 1)
    with pytest.raises(DataError, match=rf"{name}\.jpg: expected NUMBER_ID_SECRET_m\.jpg"):
        NUSWIDEHashNet().load(nuswide)


def test_an_id_with_two_different_rows_of_labels_is_not_guessed(
    nuswide: Path, photo: Photo
) -> None:
    path = nuswide / "nuswide" / "ImageList" / "Imagelist.txt"
    path.write_text("a\\1_5.jpg\nb\\1_5.jpg\nc\\1_6.jpg\nd\\1_6.jpg\n")
    photo(nuswide / "nuswide_81" / "images" / "7_5_cd_m.jpg", 1)
    with pytest.raises(DataError, match=r"7_5_cd_m\.jpg: .* has once, found another"):
        NUSWIDEHashNet().load(nuswide)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("Groundtruth/AllLabels/Labels_beach.txt", "1\n0\n0\n", "expected 4 lines .*found 3"),
        ("Groundtruth/AllLabels/Labels_beach.txt", "1\n0\n2\n0\n", ":3: expected 0 or 1"),
        ("Groundtruth/AllLabels/Labels_beach.txt", "", "expected 4 lines .*found 0"),
        ("Groundtruth/AllLabels/Labels_beach.txt", None, "Labels_beach.txt: expected this annot"),
        ("ConceptsList/Concepts81.txt", "sky\n../x\n", r"expected words .*found '../x'"),
        ("ConceptsList/Concepts81.txt", "sky\nsky\n", r"all different, found 'sky'"),
        ("ConceptsList/Concepts81.txt", "sky\n", r"Labels_sky.txt: expected this annotation"),
        ("ConceptsList/Concepts81.txt", None, r"Concepts81.txt: expected this annotation"),
        ("ImageList/Imagelist.txt", "..\\..\\0001_2.jpg\n", r"Imagelist.txt:1: expected CONCEPT"),
        ("ImageList/Imagelist.txt", "\\etc\\0001_2.jpg\n", r"Imagelist.txt:1: expected CONCEPT"),
        ("ImageList/Imagelist.txt", "actor\\photo.jpg\n", r"Imagelist.txt:1: expected CONCEPT"),
    ],
)
def test_files_that_are_not_the_published_kind_are_an_error_in_one_line(
    file: str, content: str | None, message: str, nuswide: Path
) -> None:
    path = nuswide / "nuswide" / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        NUSWIDE().load(nuswide)
    assert "\n" not in str(caught.value)


def test_annotations_without_photos_are_an_error_that_says_where_they_go(nuswide: Path) -> None:
    shutil.rmtree(nuswide / "nuswide" / "Flickr")
    with pytest.raises(DataError, match=r"expected the photos in .*Flickr .* found neither"):
        NUSWIDE().load(nuswide)
