"""ImageNet-100: the hundred synsets of HashNet's list, from ILSVRC 2012's folders."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.labels import one_hot
from hashbench.datasets.reading.decode_cache import ImageFile
from hashbench.datasets.sources.annotated_photos import (
    REMEDY,
    AnnotatedPhotos,
    PhotoDataset,
    find_folder,
    read_lines,
)

# WordNet ids, in the order of the label columns.
SYNSETS = (
    *("n01514668", "n01537544", "n01560419", "n01629819", "n01632458", "n01664065", "n01685808"),
    *("n01687978", "n01698640", "n01729322", "n01774750", "n01797886", "n01819313", "n01828970"),
    *("n01944390", "n01986214", "n02017213", "n02018207", "n02077923", "n02088466", "n02093256"),
    *("n02094114", "n02096177", "n02096294", "n02097209", "n02098105", "n02102177", "n02105162"),
    *("n02106550", "n02111129", "n02111277", "n02113023", "n02128385", "n02256656", "n02281787"),
    *("n02346627", "n02391049", "n02408429", "n02415577", "n02454379", "n02488291", "n02526121"),
    *("n02655020", "n02834397", "n02840245", "n02841315", "n02865351", "n02871525", "n02895154"),
    *("n02939185", "n02948072", "n02965783", "n02992211", "n03018349", "n03045698", "n03047690"),
    *("n03196217", "n03223299", "n03272562", "n03291819", "n03345487", "n03445924", "n03483316"),
    *("n03584829", "n03680355", "n03690938", "n03733131", "n03743016", "n03803284", "n03814639"),
    *("n03838899", "n03857828", "n03891332", "n03895866", "n03899768", "n03902125", "n03944341"),
    *("n04026417", "n04153751", "n04201297", "n04238763", "n04254120", "n04344873", "n04350905"),
    *("n04366367", "n04404412", "n04417672", "n04435653", "n04486054", "n04548362", "n04560804"),
    *("n04579432", "n04596742", "n07583066", "n07584110", "n07753113", "n07754684", "n07836838"),
    *("n12057211", "n13044778"),
)
BELOW_ROOT = ("imagenet", "ILSVRC2012", "ILSVRC/Data/CLS-LOC", "ILSVRC2012_img", "")
SOLUTION = "LOC_val_solution.csv"
_SOLUTION_HEADER = ["ImageId", "PredictionString"]
_IMAGE = "*.JPEG"
_VAL_NAME = "ILSVRC2012_val_"
_MOST_BYTES = 2**25


class ImageNet100(PhotoDataset):
    """The train images, synset by synset and by name, then the validation images by name."""

    NAME: ClassVar[str] = "imagenet100"
    SOURCE: ClassVar[str] = (
        "https://image-net.org (registration needed): ILSVRC2012_img_train.tar, "
        "ILSVRC2012_img_val.tar"
    )
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="ImageNet-100",
        paper="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 115, "
        "2015; the hundred classes of Cao et al., HashNet, ICCV 2017",
        citation="russakovsky2015imagenet",
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "imagenet100@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """List the images of the hundred synsets; see `PhotoDataset.annotated`."""
        folder = find_folder(
            root, BELOW_ROOT, marker=f"train/{SYNSETS[0]}", name=self.NAME, source=self.SOURCE
        )
        return read_imagenet(folder)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "133,503 photos of 100 synsets (128,503 of train, 5,000 of val)",
            "classes": list(SYNSETS),
            "looked for": [
                "train/SYNSET/*.JPEG",
                f"val/SYNSET/*.JPEG, or val/*.JPEG and {SOLUTION} beside or above",
            ],
            "in": [f"DATA_ROOT/{place}".rstrip("/") for place in BELOW_ROOT],
            "source": self.SOURCE,
            "licence": "research and teaching only, by ImageNet's terms of access",
        }


def read_imagenet(folder: Path) -> AnnotatedPhotos:
    """List the images of the hundred synsets, in the folder of ``train`` and ``val``.

    Returns:
        Train images, synset by synset and by name, then validation images by name; columns in the
        order of `SYNSETS`.

    Raises:
        DataError: If a synset's folder is missing, or the synset of a validation image is not
            stated.
    """
    train = _in_synsets(folder / "train")
    val = _in_synsets(folder / "val") if (folder / "val" / SYNSETS[0]).is_dir() else _flat(folder)
    val = dict(sorted(val.items(), key=lambda item: item[0].name))
    columns = {synset: column for column, synset in enumerate(SYNSETS)}
    files = [ImageFile(path.relative_to(folder).as_posix(), path) for path in (*train, *val)]
    numbers = [columns[synset] for synset in (*train.values(), *val.values())]
    return AnnotatedPhotos(files, one_hot(np.array(numbers), len(SYNSETS)), SYNSETS)


def _in_synsets(folder: Path) -> dict[Path, str]:
    """Return the synset of each image, by path, in a part with a folder for each synset."""
    found: dict[Path, str] = {}
    for synset in SYNSETS:
        paths = sorted((folder / synset).glob(_IMAGE))
        if not paths:
            raise DataError(f"{folder / synset}: expected {_IMAGE} files, found none; {REMEDY}")
        found |= dict.fromkeys(paths, synset)
    return found


def _flat(folder: Path) -> dict[Path, str]:
    """Return the synset of each validation image, by path, where all are in one folder."""
    above = (folder, folder / "val", *folder.parents[:3])
    solution = next((place / SOLUTION for place in above if (place / SOLUTION).is_file()), None)
    if solution is None:
        raise DataError(
            f"{folder / 'val'}: expected a folder for each synset, or {SOLUTION} in {folder} or "
            f"above it, found neither; put the file there"
        )
    wanted = set(SYNSETS)
    return {
        folder / "val" / f"{name}.JPEG": synset
        for name, synset in read_val_synsets(solution).items()
        if synset in wanted
    }


def read_val_synsets(path: Path) -> dict[str, str]:
    """Read ``LOC_val_solution.csv``, e.g. ``ILSVRC2012_val_00000001,n01751748 111 108 286 308``.

    Several objects of an image follow one another, all of one synset.

    Returns:
        Synset by image name, without ``.JPEG``.

    Raises:
        DataError: If it is missing, or a line is not an image with its synset.
    """
    try:
        header, *rows = [*csv.reader(read_lines(path, most_bytes=_MOST_BYTES))] or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: expected a CSV file, found: {error}; {REMEDY}") from None
    if header != _SOLUTION_HEADER:
        raise DataError(
            f"{path}: expected the header {','.join(_SOLUTION_HEADER)}, found "
            f"'{','.join(header):.80}'; {REMEDY}"
        )
    synsets: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        words = row[1].split() if len(row) == len(_SOLUTION_HEADER) else []
        if not words or not _is_image(row[0]) or not words[0].startswith("n"):
            raise DataError(
                f"{path}:{number}: expected an image and its synset, found '{','.join(row):.80}'; "
                f"{REMEDY}"
            )
        synsets[row[0]] = words[0]
    return synsets


def _is_image(name: str) -> bool:
    return name.startswith(_VAL_NAME) and name.removeprefix(_VAL_NAME).isdigit()
