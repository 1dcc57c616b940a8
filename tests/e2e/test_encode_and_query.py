"""``hashbench encode`` and ``hashbench query`` on a store that kept its models."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from in_process import hashbench
from PIL import Image

from hashbench.datasets.loading import LoadedData, load_data

MATRIX = """\
version: 1
name: kept
datasets: [{name: digits, subset: {query: 20}}]
methods: {pairs: [{method: itq}, {method: cosine}]}
bits: [16]
"""
NO_MODEL = "no model kept; re-run with execute: {keep_model: true}"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a store ``kept`` and image files.

    Attributes:
        folder: The folder.
        ids: Fit ids by method.
        data: The dataset as the cells saw it.
    """

    folder: Path
    ids: dict[str, str]
    data: LoadedData

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call a command on the store."""
        return hashbench(*words, "--store", "kept", folder=self.folder)

    def said(self, *words: str) -> list[str]:
        """The lines that a command that goes well writes."""
        result = self.call(*words)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return result.stdout.splitlines()

    def refused(self, *words: str) -> str:
        """The one line of a command that is refused."""
        result = self.call(*words)
        assert (result.returncode, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        return line


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    (folder / "kept.yaml").write_text(f"{MATRIX}execute: {{keep_model: true, threads: 1}}\n")
    found = Place(folder, {}, load_data("digits", "digits@1"))
    assert found.call("run", "kept.yaml").returncode == 0
    for line in found.said("status"):
        for method in ("itq", "cosine"):
            if f" {method} on pixels " in line:
                found.ids[method] = line.split()[1]
    for i, position in enumerate(found.data.split.query[:3]):
        file = folder / "images" / ("deep" if i else ".") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found.data.data.images[position]).save(file)
    return found


def rows(lines: list[str]) -> list[list[str]]:
    """The cells of a table's rows, without its two headings."""
    return [line.split() for line in lines[2:]]


@pytest.mark.parametrize("method", ["itq", "cosine"])
def test_query_answers_with_positions_distances_and_labels(place: Place, method: str) -> None:
    lines = place.said("query", place.ids[method][:8], "images/0.png", "-k", "5")

    assert lines[0].startswith("images/0.png: the 5 nearest by digits@1[")
    assert lines[1].split() == ["rank", "distance", "image", "labels"]
    found = rows(lines)
    assert [row[0] for row in found] == list("12345")
    distances = [float(row[1]) for row in found]
    assert distances == sorted(distances)
    data = place.data
    for _, _, image, label in found:
        position = int(image.removeprefix("digits[").removesuffix("]"))
        assert position in data.split.database
        assert data.data.labels[position, data.data.classes.index(label)] == 1


def test_a_query_image_of_the_dataset_gets_the_answer_that_the_record_has(place: Place) -> None:
    from hashbench.store.codes import load_codes
    from hashbench.store.lookup import find_fit
    from hashbench.store.store import Store

    store = Store.open(place.folder / "kept")
    fit = find_fit(store, place.ids["itq"])
    encoded = load_codes(store, fit)
    asked = list(load_data("digits", "digits@1", subset=fit.cell.data.subset).split.query)
    image = place.folder / "one.png"
    Image.fromarray(place.data.data.images[asked[7]]).save(image)

    found = rows(place.said("query", fit.record_id, "one.png", "-k", "10000"))

    query = np.unpackbits(encoded.query.packed[7])
    far = (np.unpackbits(encoded.database.packed, axis=1) != query).sum(axis=1)
    order = np.argsort(far, kind="stable")
    assert [int(row[1]) for row in found] == far[order].tolist()
    wanted = [f"digits[{place.data.split.database[i]}]" for i in order]
    assert [row[2] for row in found] == wanted


def test_encode_writes_codes_of_a_folder_in_which_query_then_searches(place: Place) -> None:
    fit_id = place.ids["itq"]
    (line,) = place.said("encode", fit_id, "images", "-o", "out/codes.npz")
    assert line.startswith("wrote out/codes.npz: codes of 16 bits for 3 images, by digits@1[")
    with np.load(place.folder / "out/codes.npz") as arrays:
        assert arrays["codes"].shape == (3, 2)
        assert arrays["paths"].tolist() == [
            "images/0.png",
            "images/deep/1.png",
            "images/deep/2.png",
        ]
        assert str(arrays["fit_id"]) == fit_id

    lines = place.said("query", fit_id, "images/deep/1.png", "--among", "out/codes.npz")

    assert lines[1].split() == ["rank", "distance", "image"]
    assert rows(lines)[0] == ["1", "0", "images/deep/1.png"]
    assert len(rows(lines)) == 3
    line = place.refused("query", place.ids["cosine"], "images", "--among", "out/codes.npz")
    assert line.endswith("encode the images with the same record")


def test_several_images_are_answered_one_after_another(place: Place) -> None:
    lines = place.said("query", place.ids["cosine"], "images", "-k", "1")
    assert [line.partition(":")[0] for line in lines[::3]] == [
        "images/0.png",
        "images/deep/1.png",
        "images/deep/2.png",
    ]


def test_a_record_without_a_model_says_how_to_get_one(place: Place) -> None:
    (place.folder / "plain.yaml").write_text(MATRIX.replace("query: 20", "query: 30"))
    assert place.call("run", "plain.yaml", "--select", "method=itq").returncode == 0
    (fit_id,) = [line.split()[1] for line in place.said("status") if "/30/" in line]

    for words in (["query", fit_id, "images"], ["encode", fit_id, "images", "-o", "x.npz"]):
        line = place.refused(*words)
        assert line.startswith("error: record ")
        assert line.endswith(NO_MODEL)

    # As it says: the same matrix with that setting makes the fit again, with the same id and codes.
    more = (place.folder / "plain.yaml").read_text() + "execute: {keep_model: true}\n"
    (place.folder / "plain.yaml").write_text(more)
    assert place.call("run", "plain.yaml", "--select", "method=itq").returncode == 0
    assert place.said("query", fit_id, "images/0.png", "-k", "1")
    records = [json.loads(f.read_text()) for f in (place.folder / "kept" / fit_id).glob("fit-*")]
    assert len({record["artifacts"]["codes"]["sha256"] for record in records}) == 1
    assert sorted("model" in record["artifacts"] for record in records) == [False, True]
    done = place.call("run", "plain.yaml", "--select", "method=itq").stdout
    assert "1 cell: 1 done" in done


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("query", "zzz", "images"),
            "record 'zzz': no fit id and no record id in kept starts with it",
        ),
        (("query", "FIT", "gone.png"), "images: no such file or folder: gone.png"),
        (("query", "FIT", "kept.yaml"), "images: kept.yaml cannot be decoded: not an image"),
        (("query", "FIT", "images", "--among", "kept.yaml"), "not a file that hashbench encode"),
        (("encode", "FIT", "kept", "-o", "x.npz"), "images: no image file in the folder kept"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    place: Place, words: tuple[str, ...], problem: str
) -> None:
    line = place.refused(*(place.ids["itq"] if word == "FIT" else word for word in words))
    assert problem in line
