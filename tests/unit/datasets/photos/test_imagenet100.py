"""ImageNet-100 from miniatures of ILSVRC's folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.sources.imagenet100 import SYNSETS, ImageNet100, read_imagenet

VAL = [f"ILSVRC2012_val_{number:08}" for number in range(1, 104)]


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Two empty files a synset in train, and 103 in a flat val: in turn, three of another."""
    for number, synset in enumerate(SYNSETS):
        folder = tmp_path / "imagenet" / "train" / synset
        folder.mkdir(parents=True)
        for name in (f"{synset}_9.JPEG", f"{synset}_10.JPEG"):
            (folder / name).touch()
        (folder / f"note{number}.txt").touch()
    (tmp_path / "imagenet" / "train" / "n99999999").mkdir()
    (tmp_path / "imagenet" / "val").mkdir()
    lines = ["ImageId,PredictionString"]
    for place, name in enumerate(VAL):
        (tmp_path / "imagenet" / "val" / f"{name}.JPEG").touch()
        synset = SYNSETS[99 - place] if place < 100 else "n00000001"
        lines.append(f"{name},{synset} 1 2 30 40 {synset} 5 6 70 80")
    (tmp_path / "imagenet" / "LOC_val_solution.csv").write_text("\n".join(reversed(lines[1:])))
    text = (tmp_path / "imagenet" / "LOC_val_solution.csv").read_text()
    (tmp_path / "imagenet" / "LOC_val_solution.csv").write_text(f"{lines[0]}\n{text}\n")
    return tmp_path / "imagenet"


def test_train_comes_synset_by_synset_then_the_validation_images_by_name(imagenet: Path) -> None:
    photos = read_imagenet(imagenet)
    numbers = photos.labels.argmax(axis=1)
    assert photos.labels.sum(axis=1).tolist() == [1] * 300
    assert numbers[:200].tolist() == [number for number in range(100) for _ in range(2)]
    assert numbers[200:].tolist() == [*reversed(range(100))]
    first = SYNSETS[0]
    assert [file.name for file in photos.files[:2]] == [
        f"train/{first}/{first}_10.JPEG",
        f"train/{first}/{first}_9.JPEG",
    ]
    assert [file.name for file in photos.files[200:]] == [f"val/{name}.JPEG" for name in VAL[:100]]


def test_a_val_part_sorted_into_synsets_gives_the_same(imagenet: Path) -> None:
    flat = read_imagenet(imagenet)
    for place, name in enumerate(VAL[:100]):
        folder = imagenet / "val" / SYNSETS[99 - place]
        folder.mkdir()
        (imagenet / "val" / f"{name}.JPEG").rename(folder / f"{name}.JPEG")
    (imagenet / "LOC_val_solution.csv").unlink()
    nested = read_imagenet(imagenet)
    np.testing.assert_array_equal(nested.labels, flat.labels)
    assert [file.path.name for file in nested.files] == [file.path.name for file in flat.files]


def test_the_hundred_synsets_are_different_wordnet_ids_in_order() -> None:
    assert len(set(SYNSETS)) == 100
    assert list(SYNSETS) == sorted(SYNSETS)
    assert all(len(name) == 9 and name[0] == "n" and name[1:].isdigit() for name in SYNSETS)


def test_images_are_decoded(imagenet: Path, photo: Callable[[Path, int], None]) -> None:
    for path in imagenet.rglob("*.JPEG"):
        photo(path, 7)
    data = ImageNet100().load(imagenet.parent)
    assert data.images.shape == (300, 256, 256, 3)
    assert data.classes == SYNSETS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "expected the header ImageId,PredictionString, found 'a,b'"),
        ("", "expected the header ImageId,PredictionString, found ''"),
        (f"ImageId,PredictionString\n{VAL[0]}\n", ":2: expected an image and its synset"),
        (f"ImageId,PredictionString\n{VAL[0]},\n", ":2: expected an image and its synset"),
        (f"ImageId,PredictionString\n{VAL[0]},x 1\n", ":2: expected an image and its synset"),
        (f"ImageId,PredictionString\n{'a' * 200_000},n01\n", "expected a CSV file, found: field"),
        ("ImageId,PredictionString\n../../a,n01 1\n", ":2: expected an image and its synset"),
    ],
)
def test_a_solution_that_is_not_the_published_kind_is_an_error(
    text: str, message: str, imagenet: Path
) -> None:
    (imagenet / "LOC_val_solution.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_imagenet(imagenet)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_flat_val_part_without_a_solution_is_an_error(imagenet: Path) -> None:
    (imagenet / "LOC_val_solution.csv").unlink()
    with pytest.raises(DataError, match=r"val: expected a folder for each synset, or LOC_val_sol"):
        read_imagenet(imagenet)


def test_an_empty_synset_is_an_error_that_names_it(imagenet: Path) -> None:
    for path in (imagenet / "train" / SYNSETS[50]).glob("*.JPEG"):
        path.unlink()
    with pytest.raises(DataError, match=rf"{SYNSETS[50]}: expected \*\.JPEG files, found none"):
        ImageNet100().load(imagenet.parent)
