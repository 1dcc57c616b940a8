"""Files and zips that are sent: each image by itself, and a line for what is none."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from hashbench.serve.upload import MOST_BYTES
from hashbench.studio.context import Limits
from hashbench.studio.tabs.sent_images import SentImage, sent_images, shown_name


def sent(*paths: Path, limits: Limits | None = None) -> list[SentImage]:
    return list(sent_images(paths, limits or Limits()))


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_files_and_zips_come_one_after_another(tmp_path: Path) -> None:
    one = tmp_path / "one.png"
    one.write_bytes(b"1")
    photos = zipped(tmp_path / "photos.ZIP", **{"a/2.png": b"2", "3.png": b"3"})
    assert sent(one, photos, one) == [
        SentImage("one.png", b"1"),
        SentImage("a/2.png", b"2"),
        SentImage("3.png", b"3"),
        SentImage("one.png", b"1"),
    ]


def test_what_systems_add_to_a_zip_is_left_out(tmp_path: Path) -> None:
    names = ("__MACOSX/._a.png", ".DS_Store", "b/.hidden/c.png", "a.png", "../up.png")
    found = sent(zipped(tmp_path / "z.zip", **dict.fromkeys(names, b"x")))
    assert [image.name for image in found] == ["a.png", "../up.png"]
    assert not (tmp_path.parent / "up.png").exists()


def test_a_file_that_is_gone_or_too_large_is_told_and_the_next_one_comes(tmp_path: Path) -> None:
    large, fine = tmp_path / "large.png", tmp_path / "fine.png"
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    fine.write_bytes(b"1")
    found = sent(tmp_path / "gone.png", large, fine)
    assert [image.problem for image in found] == [
        "cannot be read: No such file or directory",
        "has more than 20 MiB",
        "",
    ]


def test_an_entry_that_unpacks_to_too_much_is_not_read(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "bomb.zip", **{"a.png": bytes(MOST_BYTES + 1), "b.png": b"b"})
    assert bomb.stat().st_size < MOST_BYTES // 100
    first, second = sent(bomb)
    assert (first.problem, first.data) == ("has more than 20 MiB", b"")
    assert second == SentImage("b.png", b"b")


def test_an_entry_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "bomb.zip", **{"a.png": bytes(MOST_BYTES + 1)})
    true, lie = struct.pack("<I", MOST_BYTES + 1), struct.pack("<I", 10)
    bomb.write_bytes(bomb.read_bytes().replace(true, lie))
    (only,) = sent(bomb)
    assert only.problem in {"is damaged in the zip", "has more than 20 MiB"}
    assert only.data == b""


def test_damage_is_told_by_entry_or_for_the_whole_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", **{"a.png": b"A" * 50, "b.png": b"fine"})
    data = bytearray(path.read_bytes())
    data[data.index(b"a.png") + 5] ^= 0xFF  # the first byte of the packed data
    path.write_bytes(data)
    assert [image.problem for image in sent(path)] == ["is damaged in the zip", ""]
    (tmp_path / "no.zip").write_bytes(b"no zip")
    (only,) = sent(tmp_path / "no.zip")
    assert (only.name, only.problem) == ("no.zip", "is no zip, or a damaged one")


def test_an_encrypted_entry_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", **{"a.png": b"A"})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    (only,) = sent(path)
    assert only.problem == "is encrypted, or packed in a way that is not known"


def test_the_number_of_files_and_of_bytes_in_all_is_limited(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", **{f"{n}.png": bytes(2**19) for n in range(5)})
    few = sent(path, limits=Limits(files=3))
    assert [image.problem for image in few] == ["", "", "", "more than 3 files; send the rest"]
    small = sent(path, limits=Limits(upload_bytes=2**20))
    assert [image.problem for image in small] == ["", "", "more than 1 MiB in all; send the rest"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("é <b>.png", "é <b>.png"),
        ("a\nb\x00.png", "a?b?.png"),
        ("n" * 300, "n" * 200),
        ("", "image"),
    ],
)
def test_names_are_made_fit_to_be_shown(name: str, shown: str) -> None:
    assert shown_name(name) == shown
