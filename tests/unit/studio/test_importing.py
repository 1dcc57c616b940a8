"""Images are looked at and imported with the command that a shell has, from data roots alone."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hashbench.cli import main
from hashbench.core.errors import ConfigError, DataError
from hashbench.datasets.importing.csv_labels import TableColumns
from hashbench.studio.context import StudioContext
from hashbench.studio.tabs import import_form
from hashbench.studio.tabs.contact_sheet import (
    caption,
    label_counts,
    spread_over_classes,
    thumbnail,
    together_figure,
)
from hashbench.studio.tabs.dataset_list import imported_mark, list_datasets
from hashbench.studio.tabs.dataset_view import view_dataset
from hashbench.studio.tabs.import_form import ImportForm, preview, start_import

LABELS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 1, 0]], dtype=np.uint8)
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def photos(context: StudioContext) -> Path:
    folder = context.data_root / "photos"
    for number in range(12):
        place = folder / ("cats" if number % 2 else "dogs")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (20 * number, 9, 200)).save(place / f"{number}.png")
    (folder / "cats" / "broken.png").write_bytes(b"no picture")
    (folder / "cats" / "copy.png").write_bytes((folder / "cats" / "1.png").read_bytes())
    return folder


def test_a_preview_counts_labels_and_shows_thumbnails(photos: Path, context: StudioContext) -> None:
    seen = preview(ImportForm("pets", "photos"), context)

    assert seen.lines[0] == "14 images with labels, 2 classes"
    assert seen.counts == (("cats", 8), ("dogs", 6))
    assert any("cats/broken.png" in line for line in seen.lines)
    assert len(seen.pictures) == 13
    assert max(max(picture.size) for picture, _ in seen.pictures) <= 128
    assert seen.together is None


def test_a_table_of_several_labels_gives_a_heat_map(photos: Path, context: StudioContext) -> None:
    table = context.data_root / "labels.csv"
    table.write_text(f"file,tags\ndogs/0.png,a|{MARKUP}\ncats/1.png,a\n")
    form = ImportForm(
        "tagged",
        "photos",
        labels_path="labels.csv",
        columns=TableColumns("file", "tags", separator="|"),
    )
    seen = preview(form, context)

    assert seen.counts == (("a", 2), (MARKUP, 1))
    assert seen.together is not None
    assert {about for _, about in seen.pictures} == {"a", f"{MARKUP}, a"}


def test_the_command_that_is_started_imports_what_was_previewed(
    photos: Path, context: StudioContext
) -> None:
    form = ImportForm("pets", "photos", side=16, query_share=0.2)
    words = form.words(form.source(context), form.labels(context), context)
    before = imported_mark(context)
    done = CliRunner().invoke(main, list(words[1:]))
    assert (done.exit_code, words[0]) == (0, "hashbench"), done.output

    view = view_dataset("imported/pets", context)
    facts = dict(view.facts)
    assert imported_mark(context) != before
    assert facts["protocol"].startswith("pets@1: ")
    assert len(facts["pets@1 sha256 of pixels"]) == 64
    assert view.counts == (("cats", 7), ("dogs", 6))
    assert ("unreadable", "cats/broken.png") in {row[:2] for row in view.problems}
    assert ("duplicate", "cats/copy.png", "the same pixels as cats/1.png") in view.problems
    (row,) = [row for row in list_datasets(context) if row.name == "imported/pets"]
    assert (row.state, row.labels, row.protocols) == ("ready", "one", ("pets@1",))


def test_what_was_sent_is_kept_in_the_jobs_folder(
    photos: Path, context: StudioContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "..photos.zip"
    with zipfile.ZipFile(sent, "w") as archive:
        archive.write(photos / "dogs" / "0.png", "dogs/0.png")
    monkeypatch.setattr(import_form.jobs, "_launch", lambda folder: folder)
    folder = start_import(ImportForm("pets", sent=sent), context)
    sent.unlink()

    assert isinstance(folder, Path)
    assert {path.name for path in folder.iterdir()} == {"command.json", "sent-photos.zip"}
    assert str(folder / "sent-photos.zip") in (folder / "command.json").read_text()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (ImportForm("pets"), "images: name a folder"),
        (ImportForm("pets", "/etc"), "outside the data roots"),
        (ImportForm("pets", "photos", labels_path="../x.csv"), "outside the data roots"),
        (ImportForm("My Pets", "photos"), "expected small letters"),
        (ImportForm("pets", "photos", lists=True), "protocol lists needs a folder"),
    ],
)
def test_what_cannot_be_imported_is_told_before_anything_is_started(
    photos: Path, context: StudioContext, form: ImportForm, message: str
) -> None:
    for action in (preview, start_import):
        with pytest.raises(ConfigError, match=message):
            action(form, context)
    assert not context.jobs.exists()


def test_a_zip_that_leads_out_of_itself_is_not_previewed(
    context: StudioContext, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("../../out.png", b"x")
    with pytest.raises(DataError, match="leads out of it"):
        preview(replace(ImportForm("pets"), sent=tmp_path / "z.zip"), context)


def test_a_contact_sheet_takes_every_class_in_turn() -> None:
    assert spread_over_classes(LABELS, 3) == [0, 2, 3]
    assert spread_over_classes(LABELS) == [0, 2, 3, 1, 4]


def test_labels_are_counted_and_named() -> None:
    classes = ("cat", MARKUP, "$x_$")

    assert label_counts(LABELS, classes) == [
        [MARKUP, 2],
        ["cat", 2],
        ["$x_$", 1],
        ["(no label)", 1],
    ]
    assert [caption(row, classes) for row in LABELS[2:4]] == [f"{MARKUP}, $x_$", "no label"]


def test_the_heat_map_counts_images_with_both_labels() -> None:
    figure = together_figure(LABELS, ("a", "b", "$c_"))

    assert figure is not None
    shown = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert np.ma.masked_invalid(shown).filled(0).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    figure.draw_without_rendering()
    assert together_figure(LABELS[:2], ("a", "b", "c")) is None


@pytest.mark.parametrize("shape", [(8, 8), (300, 200, 3), (1, 900, 3)])
def test_thumbnails_are_small_whatever_the_image(shape: tuple[int, ...]) -> None:
    assert max(thumbnail(np.zeros(shape, dtype=np.uint8)).size) == 128
