"""Image lists: what is read, what is refused and where, and that what is written is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashbench.core.errors import DataError
from hashbench.datasets.reading.list_file import ImageList, read_list, write_list


def put(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_label_rows_are_read_in_order(tmp_path: Path) -> None:
    found = read_list(put(tmp_path, "a/1.jpg 0 1 1\n\nb/2.jpg 0 0 0\n"))
    assert found.names == ("a/1.jpg", "b/2.jpg")
    assert found.labels.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert not found.numbered


def test_class_numbers_become_columns_up_to_the_largest(tmp_path: Path) -> None:
    found = read_list(put(tmp_path, "a.jpg 2\nb.jpg 0\n"))
    assert found.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert found.numbered


def test_a_path_may_have_spaces_and_numbers_in_it(tmp_path: Path) -> None:
    found = read_list(put(tmp_path, "my  photos 3/2019 05.jpg\t1 0\r\n"))
    assert found.names == ("my  photos 3/2019 05.jpg",)
    assert found.labels.tolist() == [[1, 0]]


def test_a_mark_at_the_start_of_the_text_is_no_part_of_the_first_path(tmp_path: Path) -> None:
    assert read_list(put(tmp_path, "\ufeffa.jpg 1\n")).names == ("a.jpg",)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a.jpg 0 1\nb.jpg 0\n", ":2", "expected 2 labels as in the first line, found 1"),
        ("a.jpg 0 1\nb.jpg 0 2\n", ":2", "expected labels 0 or 1, found 2"),
        ("a.jpg 0 -1\n", ":1", "expected labels 0 or 1, found -1"),
        ("a.jpg\n", ":1", "expected a path and its labels, found 'a.jpg'"),
        ("0 1 0\n", ":1", "expected a path and its labels"),
        ("a.jpg 1\n\na.jpg 1\n", ":3", "'a.jpg' is repeated, first in line 1"),
        ("a.jpg 70000\n", ":1", "expected a class from 0 to 65535, found 70000"),
        ("a.jpg -3\n", ":1", "expected a class from 0 to 65535, found -3"),
        (b"a.jpg 1\n\xff 1\n", ":2", "expected text in UTF-8"),
        ("\n\n", "", "found none"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, text: str | bytes, line: str, what: str
) -> None:
    path = put(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_list(path)
    assert str(caught.value).startswith(f"{path}{line}: ")
    assert what in str(caught.value)


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: the list cannot be read: No such file"):
        read_list(tmp_path / "gone.txt")


def test_rows_and_numbers_are_written_as_the_field_writes_them(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 0], [1, 0, 0]], dtype=np.uint8)
    names = ("a.jpg", "b c.jpg")
    write_list(tmp_path / "rows.txt", ImageList(names, labels, numbered=False))
    write_list(tmp_path / "numbers.txt", ImageList(names, labels, numbered=True))
    assert (tmp_path / "rows.txt").read_text() == "a.jpg 0 1 0\nb c.jpg 1 0 0\n"
    assert (tmp_path / "numbers.txt").read_text() == "a.jpg 1\nb c.jpg 0\n"


@pytest.mark.parametrize("name", ["", " a", "a ", "a 3", "12", "a\nb", "\ufeffa", "\udcff.jpg"])
def test_a_path_that_could_not_be_read_back_is_not_written(tmp_path: Path, name: str) -> None:
    content = ImageList((name,), np.ones((1, 2), dtype=np.uint8), numbered=False)
    with pytest.raises(DataError, match="cannot hold the path"):
        write_list(tmp_path / "list.txt", content)
    assert not list(tmp_path.iterdir())


def test_rows_that_a_list_cannot_say_are_not_written(tmp_path: Path) -> None:
    several = ImageList(("a",), np.ones((1, 2), dtype=np.uint8), numbered=True)
    with pytest.raises(DataError, match="exactly one label"):
        write_list(tmp_path / "list.txt", several)
    single = ImageList(("a",), np.ones((1, 1), dtype=np.uint8), numbered=False)
    with pytest.raises(DataError, match="single class"):
        write_list(tmp_path / "list.txt", single)


NAMES = st.text(min_size=1, max_size=20).filter(
    lambda name: not name.split()[-1:] or not name.split()[-1].lstrip("-").isdigit()
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_written_is_read_back(tmp_path: Path, data: st.DataObject) -> None:
    names = tuple(data.draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)))
    columns = data.draw(st.integers(2, 5))
    bits = data.draw(st.lists(st.integers(0, 1), min_size=columns, max_size=columns))
    labels = np.array([np.roll(bits, n) for n in range(len(names))], dtype=np.uint8)
    path = tmp_path / "list.txt"
    try:
        write_list(path, ImageList(names, labels, numbered=False))
    except DataError:
        return
    found = read_list(path)
    assert found.names == names
    assert np.array_equal(found.labels, labels)
