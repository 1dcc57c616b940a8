"""``hashbench data prepare`` on miniatures, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from hashbench.core.registry import registry
from hashbench.datasets import roots
from hashbench.datasets.protocols import protocol
from hashbench.datasets.reading import download

Call = Callable[..., Result]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A data root with twelve images of COCO 2014, ten of them with an object."""
    for part, images in (("train2014", range(1, 9)), ("val2014", range(9, 13))):
        folder = tmp_path / "coco" / part
        folder.mkdir(parents=True)
        names = {number: f"COCO_{part}_{number:012}.jpg" for number in images}
        for number, name in names.items():
            Image.new("RGB", (24, 16), (number * 20, 0, 0)).save(folder / name)
        content = {
            "images": [{"id": number, "file_name": name} for number, name in names.items()],
            "annotations": [
                {"image_id": number, "category_id": 1 + number % 2}
                for number in images
                if number < 11
            ],
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}],
        }
        path = tmp_path / "coco" / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def mini_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have coco@1 be a protocol of ten images and two labels."""
    text = (protocol.FOLDER / "coco@1.toml").read_text()
    for old, new in (
        ("count = 122218", "count = 10"),
        ("classes = 80", "classes = 2"),
        ("query = 5000", "query = 2"),
        ("train = 10000", "train = 3"),
        ("database = 117218", "database = 8"),
    ):
        text = text.replace(old, new)
    path = tmp_path / "protocols" / "coco@1.toml"
    path.parent.mkdir()
    path.write_text(text.partition("[sha256]")[0])
    monkeypatch.setattr(protocol, "_files", lambda: {"coco@1": [path]})
    return path


def test_it_decodes_and_prints_sizes_counts_and_checksums(
    coco: Path, mini_protocol: Path, call: Call
) -> None:
    result = call("data", "prepare", "coco", "--data-root", coco)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "coco: 10 images of 256 x 256, 2 labels, 1.000 an image, 0 images without"
    assert lines[1] == "  person 5, bicycle 5"
    assert lines[2] == "coco@1: as the protocol says: 3 train, 2 query, 8 database"
    sums = [line for line in lines if line.startswith("  sha256 of ")]
    assert len(sums) == 5
    assert all(line.endswith("(found; the protocol states none)") for line in sums)
    assert "warning: coco@1 states no SHA-256 of pixels, labels, query" in lines[-1]
    (kept,) = (coco / ".hashbench-cache" / "coco").glob("*.npy")
    assert np.load(kept).shape == (10, 256, 256, 3)


def test_a_cache_that_was_damaged_is_found_and_made_again(
    coco: Path, mini_protocol: Path, call: Call
) -> None:
    first = call("data", "prepare", "coco", "--data-root", coco)
    (kept,) = (coco / ".hashbench-cache" / "coco").glob("*.npy")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert call("data", "prepare", "coco", "--data-root", coco).stdout == first.stdout
    assert kept.read_bytes() == whole


def test_files_of_another_size_than_the_protocol_are_an_error_after_what_was_found(
    coco: Path, call: Call
) -> None:
    result = call("data", "prepare", "coco", "--data-root", coco)
    assert result.exit_code == 2
    assert result.stdout.startswith("coco: 10 images")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert "images: expected 122218, found 10" in line


def test_labels_that_changed_are_found_by_their_checksum(
    coco: Path, mini_protocol: Path, call: Call
) -> None:
    with mini_protocol.open("a") as file:
        file.write(f'\n[sha256]\nlabels = "{"0" * 64}"\n')
    result = call("data", "prepare", "coco", "--data-root", coco)
    assert result.exit_code == 2
    assert f"labels: expected SHA-256 {'0' * 64} (coco@1)" in result.stderr


def test_a_dataset_without_photos_is_checked_as_well(call: Call) -> None:
    result = call("data", "prepare", "digits", "--protocol", "digits@1")
    assert result.exit_code == 0, result.output
    assert "digits: 1,797 images of 8 x 8, 10 labels, 1.000 an image" in result.stdout
    assert "digits@1: as the protocol says: 500 train, 200 query, 1,597 database" in result.stdout
    assert "digits-2@1" not in result.stdout
    assert "states none" not in result.stdout


def test_a_protocol_that_counts_some_labels_is_described_with_their_names(call: Call) -> None:
    shown = call("describe", "nuswide_10@1").stdout
    assert "labels: 10 of the dataset's: sky, clouds, person, water, animal, grass" in shown
    assert "\n  database:" not in shown
    assert "labels:" not in call("describe", "coco@1").stdout.replace("sha256 of labels:", "")


def test_mistakes_are_refused_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "Did you mean 'coco'?" in refused("data", "prepare", "cocoo")
    assert "Did you mean 'coco@1'?" in refused("data", "prepare", "coco", "--protocol", "coco@2")
    assert "unpack the original archives" in refused(
        "data", "prepare", "coco", "--data-root", str(tmp_path)
    )
    assert "no such folder" in refused("data", "prepare", "voc2012", "--data-root", "/gone")


def test_where_own_images_seem_to_be_meant_the_message_says_how_they_are_named(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "_named", [])
    (tmp_path / "imported" / "mine").mkdir(parents=True)
    (tmp_path / "imported" / "mine" / "dataset.json").write_text("{}")
    words = ("data", "prepare", "--data-root", str(tmp_path))
    assert refused(*words, "mine").endswith(" Did you mean 'imported/mine'?")
    for shape in ("folder", "list", "csv"):
        assert refused(*words, shape).startswith(f"error: '{shape}' is no dataset but a form that")
    line = refused(*words, "imported/*")
    assert line == "error: 'imported/*' stands for many names; give one of them"


def test_a_dataset_of_a_plugin_file_is_prepared(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry(), "_entries", dict(registry()._entries))
    plugin = tmp_path / "mine.py"
    # A process imports a file of the same name and content once, wherever it lies.
    plugin.write_text(
        f"# {tmp_path}\nfrom hashbench.datasets.sources.digits import Digits\n\n\n"
        'class Prepared(Digits):\n    """Digits again."""\n\n    default_protocol = "mine@1"\n'
    )
    result = call("data", "prepare", "prepared", "--plugin", plugin)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("prepared: 1,797 images of 8 x 8, 10 labels")


@pytest.mark.parametrize("name", ["coco", "imagenet100", "mirflickr", "nuswide", "nuswide_hashnet"])
def test_what_may_not_be_fetched_is_refused_with_the_place_to_get_it(
    name: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    line = refused("data", "prepare", name, "--download", "--data-root", str(tmp_path))
    assert f"{name} has to be fetched by hand (" in line
    assert "https://" in line
    assert list(tmp_path.iterdir()) == []


def test_a_download_needs_a_data_root(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HASHBENCH_DATA", raising=False)
    line = refused("data", "prepare", "cifar10", "--download")
    assert line == "error: --download: name the data root with --data-root or HASHBENCH_DATA"


@pytest.mark.parametrize(
    "error", [OSError("no route\nto host"), RuntimeError("File not found or corrupted.")]
)
def test_a_download_that_fails_says_so_in_one_line(
    error: Exception, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(root: Path) -> None:
        raise error

    monkeypatch.setitem(download._FETCHERS, "voc2012", fail)
    result = call("data", "prepare", "voc2012", "--download", "--data-root", tmp_path)
    assert result.exit_code == 2
    told, line = result.stderr.splitlines()
    assert told == f"fetching voc2012 into {tmp_path}"
    reason = " ".join(str(error).split())
    assert f"voc2012: the download into {tmp_path} failed: {reason}; fetch it on a mach" in line


def test_a_download_is_followed_by_the_check(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fetched: list[Path] = []
    monkeypatch.setitem(download._FETCHERS, "cifar10", fetched.append)
    result = call("data", "prepare", "cifar10", "--download", "--data-root", tmp_path / "new")
    assert fetched == [tmp_path / "new"]
    assert result.exit_code == 2
    assert "cifar10: expected the folder cifar-10-batches-py" in result.stderr
