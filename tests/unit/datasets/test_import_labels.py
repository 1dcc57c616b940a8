"""What folders, tables and lists say about images, before any is decoded."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.importing.csv_labels import TableColumns, read_table
from hashbench.datasets.importing.labelled_files import combine_lists, match_names, read_folders
from hashbench.datasets.reading.list_file import ImageList

THERE = ("x/1.jpg", "x/2.jpg", "y/3.jpg")


def rows(*labels: list[int]) -> np.ndarray:
    return np.array(labels, dtype=np.uint8)


# Folders


def test_every_folder_is_a_class_in_alphabetical_order() -> None:
    found = read_folders(["dog/2.jpg", "cat/deep/1.jpg", "cat/3.jpg"])
    assert found.classes == ("cat", "dog")
    assert found.names == ("cat/3.jpg", "cat/deep/1.jpg", "dog/2.jpg")
    assert found.labels.tolist() == [[1, 0], [1, 0], [0, 1]]


def test_folders_that_hold_all_others_are_passed_over() -> None:
    found = read_folders(["top/all/cat/1.jpg", "top/all/dog/2.jpg", "top/stray.jpg", "lone.jpg"])
    assert found.classes == ("cat", "dog")
    assert found.unlisted == ("lone.jpg", "top/stray.jpg")


@pytest.mark.parametrize("names", [["cat/1.jpg", "cat/2.jpg"], ["1.jpg"]])
def test_a_single_class_is_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match="at least two classes"):
        read_folders(names)


# Lists


def test_leading_folders_of_a_listed_path_are_dropped_until_a_file_is_there() -> None:
    listed = ["x/1.jpg", "./data/set/x/2.jpg", "C:\\photos\\y\\3.jpg", "/x/9.jpg"]
    assert match_names(listed, THERE) == {
        "x/1.jpg": "x/1.jpg",
        "./data/set/x/2.jpg": "x/2.jpg",
        "C:\\photos\\y\\3.jpg": "y/3.jpg",
    }


def test_lists_give_roles_and_may_share_images() -> None:
    lists = {
        "train": ImageList(("y/3.jpg",), rows([1, 1]), numbered=False),
        "query": ImageList(("x/2.jpg",), rows([0, 1]), numbered=False),
        "database": ImageList(("y/3.jpg", "x/2.jpg"), rows([1, 1], [0, 1]), numbered=False),
    }
    found = combine_lists(lists, THERE, classes=["a", "b"], with_roles=True)
    assert found.names == ("x/2.jpg", "y/3.jpg")
    assert found.labels.tolist() == [[0, 1], [1, 1]]
    assert found.roles is not None
    assert {role: places.tolist() for role, places in found.roles.items()} == {
        "train": [1],
        "query": [0],
        "database": [0, 1],
    }
    assert found.unlisted == ("x/1.jpg",)


def test_numbered_lists_are_as_wide_as_the_widest() -> None:
    lists = {
        "a": ImageList(("x/1.jpg",), rows([1]), numbered=True),
        "b": ImageList(("x/2.jpg",), rows([0, 0, 1]), numbered=True),
    }
    found = combine_lists(lists, THERE, classes=None, with_roles=False)
    assert found.labels.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert found.classes == ("0", "1", "2")
    assert found.roles is None


def one(name: str, row: list[int], *, numbered: bool = False) -> ImageList:
    return ImageList((name,), rows(row), numbered=numbered)


@pytest.mark.parametrize(
    ("lists", "classes", "what"),
    [
        ({"a": one("x/1.jpg", [0, 1]), "b": one("x/1.jpg", [1, 0])}, None, "different labels"),
        ({"a": one("x/1.jpg", [0, 1]), "b": one("x/2.jpg", [1, 0, 0])}, None, "as many labels"),
        (
            {"a": one("x/1.jpg", [0, 1]), "b": one("x/2.jpg", [0, 1], numbered=True)},
            None,
            "one form in every list, found class numbers .* in b and a column a class .* in a",
        ),
        ({"a": one("x/1.jpg", [0, 1])}, ["only"], "expected names of 2 classes, found 1"),
        ({"a": one("gone.jpg", [0, 1])}, None, "none of 1 listed images exists"),
        (
            {"a": ImageList(("x/1.jpg", "old/x/1.jpg"), rows([1, 0], [1, 0]), numbered=False)},
            None,
            "both mean the file 'x/1.jpg'",
        ),
    ],
)
def test_lists_that_contradict_each_other_are_refused(
    lists: dict[str, ImageList], classes: list[str] | None, what: str
) -> None:
    with pytest.raises(DataError, match=what):
        combine_lists(lists, THERE, classes=classes, with_roles=False)


# Tables


def table(folder: Path, text: str, columns: TableColumns = TableColumns()):  # noqa: B008
    path = folder / "labels.csv"
    path.write_text(text)
    return read_table(path, THERE, columns=columns)


def test_a_column_of_labels_separated_by_semicolons(tmp_path: Path) -> None:
    found = table(tmp_path, 'path,label\n"x/1.jpg",sun; sea\ny/3.jpg,\nx/2.jpg,sea\n')
    assert found.classes == ("sea", "sun")
    assert found.names == THERE
    assert found.labels.tolist() == [[1, 1], [1, 0], [0, 0]]


def test_one_line_a_label_and_other_column_names(tmp_path: Path) -> None:
    columns = TableColumns("file", "tag", separator="|")
    found = table(tmp_path, "id,tag,file\n1,a,x/1.jpg\n2,b|c,x/1.jpg\n3,c,gone.jpg\n", columns)
    assert found.names == ("x/1.jpg",)
    assert found.labels.tolist() == [[1, 1, 1]]
    assert found.missing == ("gone.jpg",)
    assert found.unlisted == ("x/2.jpg", "y/3.jpg")


def test_a_column_for_each_class(tmp_path: Path) -> None:
    found = table(tmp_path, "path,sun,sea\nx/1.jpg,1,0\nx/2.jpg,1,1\n")
    assert found.classes == ("sun", "sea")
    assert found.labels.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("file,label\na,b\n", ":1", "expected a column 'path'"),
        ("path\nx/1.jpg\n", ":1", "expected a column 'label'"),
        ("path,label,label\n", ":1", "one twice"),
        ("path,label\nx/1.jpg\n", ":2", "expected 2 cells, found 1"),
        ("path,a,b\nx/1.jpg,1,0\nx/2.jpg,1,yes\n", ":3", "column 'b': expected 0 or 1"),
        ('path,label\n"x/1.jpg,a\n', ":2", "not a line of a CSV file"),
        ("path,label\ngone.jpg,a\n", "", "none of 1 listed images exists"),
        ("path,label\nx/1.jpg,\n", "", "expected labels in the column 'label'"),
        ("", ":1", "expected a column 'path'"),
        ("path,label\nx/1.jpg,a\nold/x/1.jpg,b\n", "", "both mean the file 'x/1.jpg'"),
        (
            "path,label\nx/1.JPG,a\n",
            "",
            "the file 'x/1.jpg' differs from it only in blanks",
        ),
        ("path,label\nset/x/1.jpg ,a\n", "", "the file 'x/1.jpg' differs from it only in blanks"),
    ],
)
def test_a_mistake_in_a_table_is_told_with_file_and_line(
    tmp_path: Path, text: str, line: str, what: str
) -> None:
    with pytest.raises(DataError, match=what) as caught:
        table(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'labels.csv'}{line}: ")


def test_a_table_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: the table cannot be read"):
        read_table(tmp_path / "gone.csv", THERE, columns=TableColumns())


def test_a_long_cell_is_read_and_other_tables_keep_the_limit_of_the_csv_module(
    tmp_path: Path,
) -> None:
    path, usual = tmp_path / "labels.csv", csv.field_size_limit()
    label = "a" * (usual + 1)
    path.write_text(f"path,label\nx/1.jpg,{label}\nx/2.jpg,b\n")
    assert read_table(path, THERE, columns=TableColumns()).classes == (label, "b")
    assert csv.field_size_limit() == usual


@pytest.mark.parametrize(
    ("text", "encoding", "notes"),
    [
        ("path,label\nx/1.jpg,a\nx/2.jpg,b\n", "utf-8-sig", ()),
        (
            "path;label\nx/1.jpg;a\nx/2.jpg;b\n",
            "utf-8",
            ("table: cells separated by semicolons",),
        ),
        ("id\tpath\tlabel\n1\tx/1.jpg\ta\n2\tx/2.jpg\tb\n", "utf-8", ("separated by tabs",)),
        ("path\tlabel\nx/1.jpg\ta\nx/2.jpg\tb\n", "utf-16", ("separated by tabs", "in UTF-16")),
    ],
)
def test_delimiter_and_encoding_are_recognised_and_stated(
    tmp_path: Path, text: str, encoding: str, notes: tuple[str, ...]
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding=encoding)
    found = read_table(path, THERE, columns=TableColumns())
    assert found.classes == ("a", "b")
    assert len(found.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, found.notes, strict=True))


def test_a_table_cut_in_the_middle_of_a_utf_16_character_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("path,label\nx/1.jpg,a\n".encode("utf-16")[:-1])
    with pytest.raises(DataError, match=r"labels\.csv: expected text in UTF-16, found other bytes"):
        read_table(path, THERE, columns=TableColumns())


def test_a_missing_value_of_pandas_is_no_class(tmp_path: Path) -> None:
    found = table(tmp_path, "path,label\nx/1.jpg,NaN\nx/2.jpg,a;nan\ny/3.jpg,<NA>\n")
    assert found.classes == ("a",)
    assert found.labels.tolist() == [[0], [1], [0]]


def test_a_name_in_another_unicode_form_is_named() -> None:
    composed, decomposed = "caf\u00e9/1.jpg", "cafe\u0301/1.jpg"
    lists = {"a": one(composed, [0, 1])}
    with pytest.raises(DataError, match="differs from it only in blanks, letter case or Unicode"):
        combine_lists(lists, [decomposed], classes=None, with_roles=False)
