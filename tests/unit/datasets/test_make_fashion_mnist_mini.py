"""The script that makes the embedded images, on a miniature IDX folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import make_fashion_mnist_mini as script
import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.datasets.protocols.sampling import Draw, PerClass
from hashbench.datasets.sources.fashion_mnist import read_fashion_mnist

Parts = Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]
RULE = PerClass(
    0,
    {
        "query": Draw((60, 90), per_class=1),
        "train": Draw((0, 60), per_class=2),
        "database": Draw((0, 60), per_class=3, without=("train",)),
    },
)


@pytest.fixture
def small_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script draws by `RULE`, whose sizes fit the miniature folder."""
    spec = load_protocol(script.PROTOCOL)
    assert spec.origin is not None
    small = replace(spec, origin=replace(spec.origin, sampling=RULE))

    def small_protocol(name: str) -> ProtocolSpec:
        assert name == script.PROTOCOL
        return small

    monkeypatch.setattr(script, "load_protocol", small_protocol)


@pytest.mark.usefixtures("small_rule")
def test_pixels_and_labels_are_those_of_the_idx_files(
    idx_folder: Path, tmp_path: Path, parts: Parts
) -> None:
    assert script.main([str(idx_folder), "--out", str(tmp_path / "made")]) == 0
    mini = script.read_mini(tmp_path / "made")
    images = np.concatenate([parts["train"][0], parts["test"][0]])
    numbers = np.concatenate([parts["train"][1], parts["test"][1]])
    assert len(mini.content.sources) == 10 * (1 + 2 + 3)
    np.testing.assert_array_equal(mini.content.images, images[mini.content.sources])
    np.testing.assert_array_equal(mini.content.numbers, numbers[mini.content.sources])


@pytest.mark.usefixtures("small_rule")
def test_lists_name_the_images_that_the_rule_draws(idx_folder: Path, tmp_path: Path) -> None:
    script.main([str(idx_folder), "--out", str(tmp_path / "made")])
    mini = script.read_mini(tmp_path / "made")
    data = read_fashion_mnist(idx_folder, train=None, test=None)
    drawn = RULE.split(data.labels)
    for role in ("query", "train", "database"):
        sources = mini.content.sources[mini.lists[role]]
        np.testing.assert_array_equal(sources, getattr(drawn, role))


@pytest.mark.usefixtures("small_rule")
def test_making_twice_gives_the_same_bytes(idx_folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        script.main([str(idx_folder), "--out", str(tmp_path / name)])
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.usefixtures("small_rule")
def test_check_agrees_with_what_was_made_and_writes_nothing(
    idx_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    script.main([str(idx_folder), "--out", str(made)])
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert script.main([str(idx_folder), "--out", str(made), "--check"]) == 0
    assert "the same images, labels, sources and lists" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


@pytest.mark.usefixtures("small_rule")
def test_check_names_what_differs(
    idx_folder: Path,
    tmp_path: Path,
    parts: Parts,
    write_idx_folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    script.main([str(idx_folder), "--out", str(tmp_path / "made")])
    images, numbers = parts["train"]
    other = write_idx_folder(
        tmp_path / "other", {**parts, "train": (images ^ 1, numbers)}, zipped=True
    )
    assert script.main([str(other), "--out", str(tmp_path / "made"), "--check"]) == 1
    assert "differs" in (out := capsys.readouterr().out)
    assert out.endswith("in images\n")


@pytest.mark.usefixtures("small_rule")
def test_check_finds_a_changed_list(
    idx_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    script.main([str(idx_folder), "--out", str(made)])
    path = made / "protocols" / "fashion-mnist-mini@1.train.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert script.main([str(idx_folder), "--out", str(made), "--check"]) == 1
    assert capsys.readouterr().out.endswith("in train\n")


def test_a_query_equal_in_pixels_to_another_image_stops_the_making(idx_folder: Path) -> None:
    data = read_fashion_mnist(idx_folder, train=60, test=30)
    split = RULE.split(data.labels)
    images = data.images.copy()
    images[split.query[0]] = images[split.database[0]]
    with pytest.raises(DataError, match="fashion_mnist_mini: 1 of 10 queries have a pixel-ident"):
        script.draw_mini(replace(data, images=images), RULE)


def test_a_folder_with_too_few_images_ends_with_one_line_and_exit_code_2(
    idx_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([str(idx_folder), "--out", str(tmp_path / "made")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "query is drawn from positions 60000 to 69999, but there are 90 images" in captured.err
    assert not (tmp_path / "made").exists()


def test_a_damaged_folder_ends_with_one_line_and_exit_code_2(
    idx_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(idx_folder / "t10k-labels-idx1-ubyte.gz", idx_folder / "train-images-idx3-ubyte.gz")
    assert script.main([str(idx_folder), "--out", str(tmp_path / "made")]) == 2
    assert "train-images-idx3-ubyte.gz: expected an IDX file" in capsys.readouterr().err
