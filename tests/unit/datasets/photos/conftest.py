"""Miniature archives in the layouts their authors published, made from scratch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

from hashbench.datasets.sources.mirflickr import CLASSES as MIRFLICKR_LABELS

Write = Callable[..., Path]


def write_photo(path: Path, shade: int) -> None:
    """A JPEG of one shade of grey, wider than high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 20), (shade, shade, shade)).save(path, quality=95)


@pytest.fixture
def photo() -> Callable[[Path, int], None]:
    return write_photo


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Three train and two val images; one of each part has no object; ids are not in order."""
    root = tmp_path / "data"
    categories = [{"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}]
    categories.append({"id": 13, "name": "stop sign"})
    parts: Mapping[str, tuple[Sequence[int], Sequence[tuple[int, int]]]] = {
        "train2014": ((25, 9, 30), ((25, 90), (9, 1), (9, 13), (9, 1))),
        "val2014": ((42, 73), ((42, 13),)),
    }
    for part, (images, objects) in parts.items():
        names = {number: f"COCO_{part}_{number:012}.jpg" for number in images}
        for number, name in names.items():
            write_photo(root / "coco" / part / name, number)
        content = {
            "info": {"year": 2014},
            "images": [{"id": number, "file_name": name} for number, name in names.items()],
            "annotations": [
                {"id": place, "image_id": image, "category_id": category, "segmentation": [[1, 2]]}
                for place, (image, category) in enumerate(objects)
            ],
            "categories": categories,
        }
        path = root / "coco" / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return root


def voc_xml(*objects: tuple[str, int]) -> str:
    """An annotation as VOC wrote it; a part of an object has a name of its own."""
    parts = "<part><name>head</name></part>"
    found = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult>{parts}</object>"
        for name, difficult in objects
    )
    return f"<annotation><filename>a.jpg</filename>{found}</annotation>\n"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    folder = root / "VOCdevkit" / "VOC2012"
    objects = {
        "2008_000008": [("horse", 0), ("person", 0), ("person", 0)],
        "2007_000027": [("person", 1), ("cat", 0)],
        "2011_003276": [("tvmonitor", 0)],
    }
    (folder / "Annotations").mkdir(parents=True)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "trainval.txt").write_text("\n".join(objects) + "\n")
    for shade, (name, found) in enumerate(objects.items()):
        (folder / "Annotations" / f"{name}.xml").write_text(voc_xml(*found))
        write_photo(folder / "JPEGImages" / f"{name}.jpg", shade * 80)
    return root


@pytest.fixture
def mirflickr(tmp_path: Path) -> Path:
    """Twelve photos: 1 and 10 show animals, 10 and 11 the sea, 12 nothing; 3 to 6 have tag 'x'."""
    root = tmp_path / "data"
    shown = {"animals": (1, 10), "sea": (10, 11), "sea_r1": (11,), "sky": range(1, 12)}
    annotations = root / "mirflickr25k_annotations_v080"
    annotations.mkdir(parents=True)
    for name in MIRFLICKR_LABELS:
        lines = "".join(f"{number}\r\n" for number in shown.get(name, ()))
        (annotations / f"{name}.txt").write_text(lines)
    (root / "mirflickr" / "meta" / "tags").mkdir(parents=True)
    for number in range(1, 13):
        write_photo(root / "mirflickr" / f"im{number}.jpg", number * 20)
        tags = ["x", "x"] if 3 <= number <= 6 else [f"only{number}"]
        path = root / "mirflickr" / "meta" / "tags" / f"tags{number}.txt"
        path.write_text("\n".join(tags) + "\n" if number != 12 else "x\n")
    return root


@pytest.fixture
def nuswide(tmp_path: Path) -> Path:
    """Four photos, three concepts."""
    folder = tmp_path / "data" / "nuswide"
    names = ["actor\\0001_21.jpg", "actor\\0002_17.jpg", "zoo\\0001_99.jpg", "zoo\\0002_3.jpg"]
    shown = {"airport": "0001", "animal": "1010", "beach": "1000"}
    for place in ("ImageList", "ConceptsList", "Groundtruth/AllLabels"):
        (folder / place).mkdir(parents=True)
    (folder / "ImageList" / "Imagelist.txt").write_text("".join(f"{name} \r\n" for name in names))
    (folder / "ConceptsList" / "Concepts81.txt").write_text("".join(f"{name}\n" for name in shown))
    for concept, flags in shown.items():
        path = folder / "Groundtruth" / "AllLabels" / f"Labels_{concept}.txt"
        path.write_text("".join(f"{flag}\n" for flag in flags))
    for shade, name in enumerate(names):
        write_photo(folder / "Flickr" / name.replace("\\", "/"), 60 * shade)
    return tmp_path / "data"
