"""COCO 2014 from a miniature of its archives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.sources.coco import COCO, read_coco

TRAIN = "coco/annotations/instances_train2014.json"


def change(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_images_with_an_object_come_train_first_by_id_and_columns_by_category_id(
    coco: Path,
) -> None:
    data = COCO().load(coco)
    assert data.classes == ("person", "stop sign", "toothbrush")
    assert data.labels.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert data.images.shape == (3, 256, 256, 3)
    # Each photo is of the shade that its id says.
    np.testing.assert_allclose(data.images[:, 100, 100, 0], [9, 25, 42], atol=2)


def test_the_decoded_images_are_kept_in_the_data_root_and_used_again(coco: Path) -> None:
    first = COCO().load(coco)
    kept = {path: path.stat().st_mtime_ns for path in (coco / ".hashbench-cache").rglob("*.npy")}
    again = COCO().load(coco)
    assert len(kept) == 1
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    np.testing.assert_array_equal(first.images, again.images)
    assert first.pixels_sha256 == hashlib.sha256(np.array(again.images).tobytes()).hexdigest()


def test_the_folders_may_lie_in_the_data_root_itself(coco: Path) -> None:
    assert len(COCO().load(coco / "coco")) == 3


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["annotations"][0].update(category_id=77), "'category_id' that the file lists"),
        (lambda c: c["annotations"][0].update(image_id=1), "'image_id' that the file lists"),
        (lambda c: c["annotations"][0].update(image_id="25"), "'image_id' that the file lists"),
        (lambda c: c.pop("annotations"), "expected 'annotations' as a list of objects"),
        (lambda c: c.update(images=[1]), "expected 'images' as a list of objects"),
        (lambda c: c["images"][0].pop("file_name"), "expected 'id' and 'file_name' in every entry"),
        (lambda c: c["images"].append(c["images"][0]), "'images' has the id 25 twice"),
        (
            lambda c: c["images"][0].update(file_name="../../secret.jpg"),
            "expected plain file names, found '../../secret.jpg'",
        ),
    ],
)
def test_annotations_that_are_not_the_published_kind_are_an_error_in_one_line(
    edit: Callable[[dict[str, Any]], Any], message: str, coco: Path
) -> None:
    change(coco / TRAIN, edit)
    with pytest.raises(DataError) as caught:
        read_coco(coco / "coco")
    assert message in str(caught.value)
    assert "instances_train2014.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b""])
def test_a_damaged_file_is_an_error_that_names_it(content: bytes, coco: Path) -> None:
    (coco / TRAIN).write_bytes(content)
    with pytest.raises(DataError, match=r"instances_train2014\.json: expected"):
        COCO().load(coco)


def test_parts_with_other_categories_are_an_error(coco: Path) -> None:
    change(coco / TRAIN, lambda c: c["categories"][1].update(name="brush"))
    with pytest.raises(DataError, match=r"val2014\.json: expected the categories of train2014"):
        COCO().load(coco)


def test_a_missing_image_is_found_before_any_is_decoded(coco: Path) -> None:
    name = "COCO_train2014_000000000009.jpg"
    (coco / "coco" / "train2014" / name).unlink()
    with pytest.raises(DataError, match=f"coco: 1 of 3 images are missing, the first: .*{name}"):
        COCO().load(coco)
    assert not (coco / ".hashbench-cache").exists()


def test_an_image_that_cannot_be_decoded_is_an_error_that_names_it(coco: Path) -> None:
    name = "COCO_val2014_000000000042.jpg"
    (coco / "coco" / "val2014" / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=f"1 of 3 images cannot be read, the first: val2014/{name}"):
        COCO().load(coco)


def test_without_the_files_the_message_says_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        COCO().load(tmp_path)
    for word in ("instances_train2014.json", str(tmp_path / "coco"), "https://cocodataset.org"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_data_root_and_one_that_does_not_exist_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="coco: expected a data root, found none; set HASHBENCH_D"):
        COCO().load(None)
    with pytest.raises(DataError, match="gone: no such folder"):
        COCO().load(tmp_path / "gone")
