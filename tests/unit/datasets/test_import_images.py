"""An import from end to end: a folder or zip file becomes a dataset that loads, whole or not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import LabelKind
from hashbench.core.registry import Kind, registry
from hashbench.datasets import roots
from hashbench.datasets.importing.images import Imported, import_images
from hashbench.datasets.importing.plan import ImportPlan
from hashbench.datasets.importing.split import AutoSplit
from hashbench.datasets.loading import load_data
from hashbench.datasets.protocols.protocol import load_protocol, protocol_names

SIDE = 8
SETTINGS = {"side": SIDE, "image_size": SIDE}
Run = Callable[..., Imported]


@pytest.fixture(autouse=True)
def _data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(roots.DATA_ROOT_VARIABLE, str(tmp_path / "root"))
    monkeypatch.setattr(roots, "_named", [])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty pictures of different noise in two class folders."""
    generator = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def silent(_name: str) -> Callable[[int, int], None]:
    return lambda _done, _total: None


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(source: Path, **settings: object) -> Imported:
        facts = {"labels": "folders", "name": "mine"} | SETTINGS | settings
        return import_images(ImportPlan(source, **facts), tmp_path / "root", phase=silent)

    return call


def test_a_folder_becomes_a_dataset_with_a_protocol(photos: Path, run: Run) -> None:
    found = run(photos)
    assert found.new
    loaded = load_data("imported/mine", "mine@1")
    assert loaded.data.classes == ("cat", "dog")
    assert loaded.sizes == {"query": 2, "train": 10, "database": 18, "images": 20, "classes": 2}
    assert loaded.warnings == ()
    for position, name in enumerate((found.folder / "names.txt").read_text().splitlines()):
        expected = np.asarray(Image.open(photos / name))
        np.testing.assert_array_equal(loaded.data.images[position], expected)
        assert loaded.data.labels[position].tolist() == [name[:3] == "cat", name[:3] == "dog"]


def test_a_matrix_can_look_it_up_by_name(photos: Path, run: Run) -> None:
    run(photos)
    component = registry().load(Kind.DATASET, "imported/mine")
    assert component.default_protocol == "mine@1"
    assert component.info.labels == {LabelKind.SINGLE}
    assert "mine@1" in protocol_names()
    assert load_protocol("mine@1").dataset == "imported/mine"


def test_an_unknown_import_is_an_error_that_names_the_nearest(photos: Path, run: Run) -> None:
    run(photos)
    with pytest.raises(ConfigError, match=r"imported/mime: .*Did you mean 'mine'\?"):
        registry().load(Kind.DATASET, "imported/mime")


def test_a_second_import_of_the_same_does_nothing(photos: Path, run: Run) -> None:
    first = run(photos)
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    again = run(photos)
    assert not again.new
    assert again.report == first.report
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == before


def test_an_import_elsewhere_has_the_same_protocol(photos: Path, run: Run, tmp_path: Path) -> None:
    run(photos)
    digest = load_protocol("mine@1").sha256
    shutil.rmtree(tmp_path / "root")
    shutil.copytree(photos, tmp_path / "moved")
    run(tmp_path / "moved")
    assert load_protocol("mine@1").sha256 == digest


def test_a_zip_file_gives_what_the_folder_gives(photos: Path, run: Run, tmp_path: Path) -> None:
    run(photos)
    digest = load_protocol("mine@1").sha256
    shutil.rmtree(tmp_path / "root")
    run(Path(shutil.make_archive(str(tmp_path / "photos"), "zip", photos)))
    assert load_protocol("mine@1").sha256 == digest


@pytest.mark.parametrize("change", ["file", "side", "seed"])
def test_another_import_of_the_same_name_is_refused(photos: Path, run: Run, change: str) -> None:
    run(photos)
    if change == "file":
        shutil.copy(photos / "cat" / "01.png", photos / "cat" / "99.png")
    settings = {"side": {"side": 16}, "file": {}, "seed": {"auto": AutoSplit(seed=1)}}[change]
    with pytest.raises(ConfigError, match="give another --name, or remove that folder"):
        run(photos, **settings)


def test_nothing_is_lost_in_silence(photos: Path, run: Run) -> None:
    (photos / "cat" / "01.png").write_bytes(b"no picture")
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "copy.png")
    shutil.copy(photos / "cat" / "05.png", photos / "stray.png")
    (photos / "notes.txt").write_text("not an image")

    found = run(photos)

    report = json.loads((found.folder / "report.json").read_text())
    assert report["files"] == 21
    assert report["images"] == 20
    assert report["unreadable"] == [
        {"name": "cat/01.png", "reason": "not an image of a known format"}
    ]
    assert report["duplicates"] == [["cat/03.png", "dog/copy.png"]]
    assert report["unlisted"] == ["stray.png"]
    assert report["other_files"] == ["notes.txt"]
    assert "no images by their suffix (left out): 1 (notes.txt)" in found.report
    assert report["label_counts"] == {"cat": 9, "dog": 11}
    assert "unreadable: 1 (cat/01.png: not an image of a known format)" in found.report
    assert "images: 20 read of 21" in found.report
    assert load_data("imported/mine", "mine@1").warnings == ()


def write_lists(folder: Path, **lists: list[int]) -> str:
    """Lists of numbered pictures with the labels `big` (10 and up) and `even`."""
    folder.mkdir(exist_ok=True)
    for role, numbers in lists.items():
        lines = [
            f"set/{'cat' if n % 2 else 'dog'}/{n:02d}.png {int(n >= 10)} {int(n % 2 == 0)}\n"
            for n in numbers
        ]
        (folder / f"{role}.txt").write_text("".join(lines))
    return str(folder)


def names_of(folder: Path, positions: np.ndarray) -> list[int]:
    names = (folder / "names.txt").read_text().splitlines()
    return sorted(int(Path(names[position]).stem) for position in positions)


def test_lists_give_their_own_split(photos: Path, run: Run, tmp_path: Path) -> None:
    labels = write_lists(
        tmp_path / "lists", train=[4, 5, 6], test=[0, 13], database=[4, 5, 6, 7, 8, 1]
    )
    found = run(photos, labels=labels, lists=True)
    loaded = load_data("imported/mine", "mine@1")
    assert names_of(found.folder, loaded.split.train) == [4, 5, 6]
    assert names_of(found.folder, loaded.split.query) == [0, 13]
    assert names_of(found.folder, loaded.split.database) == [1, 4, 5, 6, 7, 8]
    assert loaded.protocol.train_in_database
    assert loaded.data.classes == ("0", "1")
    # 00, 01, ..., 13 in the order cat/01, cat/05, cat/07, cat/13, dog/00, ...
    assert loaded.data.labels[:5].tolist() == [[0, 0], [0, 0], [0, 0], [1, 0], [0, 1]]
    assert registry().load(Kind.DATASET, "imported/mine").info.labels == {LabelKind.MULTI}
    assert f"not named by the labels (left out): {20 - 8}" in "\n".join(found.report)


def test_a_database_that_contains_its_queries_loads_with_a_warning(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    labels = write_lists(tmp_path / "lists", train=[4], test=[0, 13], database=[0, 13, 7, 8])
    found = run(photos, labels=labels, lists=True)
    assert any("2 of 2 queries are in the database list" in line for line in found.report)
    (warning,) = load_data("imported/mine", "mine@1").warnings
    assert warning.startswith("2 of 2 queries are in the database themselves")


def test_a_query_with_a_copy_in_the_database_is_told(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    shutil.copy(photos / "dog" / "00.png", photos / "dog" / "18.png")
    labels = write_lists(tmp_path / "lists", train=[4], test=[0, 13], database=[7, 18])
    found = run(photos, labels=labels, lists=True)
    told = (
        "warning: 1 of 2 queries have a copy in the database list (first: dog/00.png = dog/18.png)"
    )
    assert told in found.report
    (warning,) = load_data("imported/mine", "mine@1").warnings
    assert "1 of 2 queries have a pixel-identical image" in warning


def test_listed_images_that_are_not_there_are_refused_or_left_out_with_a_warning(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    labels = write_lists(tmp_path / "lists", train=[4, 44], test=[0], database=[7, 8])
    with pytest.raises(DataError, match=r"1 of 5 images do not exist .*44\.png.*--allow-missing"):
        run(photos, labels=labels, lists=True)
    run(photos, labels=labels, lists=True, allow_missing=True)
    loaded = load_data("imported/mine", "mine@1")
    assert loaded.sizes["train"] == 1
    assert loaded.warnings == ("1 images of the lists were missing and are left out",)


def test_an_unreadable_listed_image_is_left_out_with_a_warning(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    (photos / "dog" / "08.png").write_bytes(b"")
    labels = write_lists(tmp_path / "lists", train=[4], test=[0], database=[7, 8])
    found = run(photos, labels=labels, lists=True)
    loaded = load_data("imported/mine", "mine@1")
    assert names_of(found.folder, loaded.split.database) == [7]
    assert loaded.warnings == ("1 images of the lists could not be read and are left out",)


class Killed(BaseException):
    """Stands for a signal that leaves no time to tidy up."""


def test_a_killed_import_leaves_no_dataset_and_is_gone_on_with(
    photos: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashbench.datasets.reading.decode_cache._MOST_IN_BATCH", 5)
    seen: list[int] = []

    def killing(name: str) -> Callable[[int, int], None]:
        def progress(done: int, _total: int) -> None:
            if name == "decoding" and done == 10:
                raise Killed

        return progress

    plan = ImportPlan(photos, "folders", "mine", **SETTINGS)
    with pytest.raises(Killed):
        import_images(plan, tmp_path / "root", phase=killing)
    assert not (tmp_path / "root" / "imported" / "mine").exists()
    assert roots.imported_folders() == {}

    def seeing(_name: str) -> Callable[[int, int], None]:
        return lambda done, _total: seen.append(done)

    import_images(plan, tmp_path / "root", phase=seeing)
    assert seen == [10, 15, 20]
    assert load_data("imported/mine", "mine@1").sizes["images"] == 20
    assert os.listdir(tmp_path / "root" / "imported") == ["mine"]  # noqa: PTH208 - hidden ones too


def test_a_failed_import_leaves_no_dataset(photos: Path, run: Run, tmp_path: Path) -> None:
    labels = write_lists(tmp_path / "lists", train=[4], test=[4], database=[7])
    with pytest.raises(DataError, match="queries are in the training list"):
        run(photos, labels=labels, lists=True)
    assert not (tmp_path / "root").exists()


def test_too_little_room_is_told_before_anything_is_decoded(
    photos: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(photos)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"20 images of 8 x 8 need .* are free"):
        run(photos)


@pytest.mark.parametrize("name", ["Mine", "", "a/b", "../x", ".x", "a b"])
def test_a_name_that_is_no_name_is_refused(photos: Path, run: Run, name: str) -> None:
    with pytest.raises(ConfigError, match="expected small letters"):
        run(photos, name=name)


def test_the_name_of_a_protocol_of_ours_is_refused(photos: Path, run: Run) -> None:
    with pytest.raises(ConfigError, match="a protocol digits@1 exists"):
        run(photos, name="digits")


def test_lists_need_a_folder_with_all_three(photos: Path, run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="protocol lists needs a folder"):
        run(photos, lists=True)
    labels = write_lists(tmp_path / "lists", train=[4], test=[0])
    with pytest.raises(DataError, match=r"expected database\.txt with the database images"):
        run(photos, labels=labels, lists=True)


def test_changed_pixels_are_found_when_the_dataset_is_loaded(photos: Path, run: Run) -> None:
    found = run(photos)
    pixels = next((found.folder / "pixels").glob("*.npy"))
    content = bytearray(pixels.read_bytes())
    content[-1] ^= 1
    pixels.write_bytes(content)
    with pytest.raises(DataError, match="imported/mine: pixels: expected SHA-256"):
        load_data("imported/mine", "mine@1")


@pytest.mark.parametrize("file", ["labels.npy", "dataset.json", "pixels"])
def test_a_missing_file_is_an_error_that_names_it(photos: Path, run: Run, file: str) -> None:
    found = run(photos)
    path = found.folder / file
    if path.is_dir():
        path = next(path.glob("*.json"))
    if file == "dataset.json":
        path.write_text("{}")
    else:
        path.unlink()
    with pytest.raises(DataError, match=path.stem):
        load_data("imported/mine", "mine@1")


def test_a_root_that_is_named_is_looked_in_first(
    photos: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(photos)
    monkeypatch.delenv(roots.DATA_ROOT_VARIABLE)
    with pytest.raises(ConfigError, match="no such imported dataset"):
        registry().load(Kind.DATASET, "imported/mine")
    assert load_data("imported/mine", "mine@1", root=tmp_path / "root").sizes["images"] == 20
    assert roots.imported_folders()["mine"] == tmp_path / "root" / "imported" / "mine"


def test_class_names_are_read_from_a_file(photos: Path, run: Run, tmp_path: Path) -> None:
    labels = write_lists(tmp_path / "lists", all=list(range(20)))
    (tmp_path / "classes.txt").write_text("big\neven\n")
    run(photos, labels=f"{labels}/all.txt", classes=tmp_path / "classes.txt")
    assert load_data("imported/mine", "mine@1").data.classes == ("big", "even")
    (tmp_path / "classes.txt").write_text("big\nbig\n")
    with pytest.raises(DataError, match=r"classes\.txt:2: 'big' is repeated, first in line 1"):
        run(photos, labels=f"{labels}/all.txt", classes=tmp_path / "classes.txt", name="other")


def test_labels_that_come_together_are_counted(photos: Path, run: Run, tmp_path: Path) -> None:
    labels = write_lists(tmp_path / "lists", all=list(range(20)))
    found = run(photos, labels=f"{labels}/all.txt")
    report = json.loads((found.folder / "report.json").read_text())
    assert report["co_occurrence"] == [["0", "1", 5]]  # 10, 12, 14, 16, 18
    assert report["unlabelled"] == 5  # 1, 3, 5, 7, 9


def test_hidden_files_are_no_images(photos: Path, run: Run) -> None:
    (photos / ".cache").mkdir()
    shutil.copy(photos / "cat" / "01.png", photos / ".cache" / "01.png")
    shutil.copy(photos / "cat" / "01.png", photos / "cat" / "._01.png")
    assert "images: 20 read of 20" in run(photos).report


def test_a_link_to_a_folder_is_refused_and_one_to_a_file_followed(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(photos / "cat" / "01.png", tmp_path / "elsewhere" / "01.png")
    (photos / "cat" / "01.png").symlink_to(tmp_path / "elsewhere" / "01.png")
    assert "images: 20 read of 20" in run(photos).report
    (photos / "bird").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="bird: a link to a folder"):
        run(photos, name="other")


def test_a_folder_that_is_not_there_or_has_no_image_is_an_error(tmp_path: Path, run: Run) -> None:
    with pytest.raises(DataError, match="no such folder"):
        run(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected images in it, found none"):
        run(tmp_path / "empty")
