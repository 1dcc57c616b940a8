"""A zip file from anywhere: what is unpacked, and what is refused before anything is."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from hashbench.core.errors import DataError, StoreError
from hashbench.datasets.importing.zip_source import ZipSource


def zipped(path: Path, content: dict[str, bytes], *, how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_images_are_listed_sorted_and_the_rest_counted(tmp_path: Path) -> None:
    names = ["b/2.jpg", "a/1.PNG", "a/readme.txt", "__MACOSX/a/1.PNG", ".hidden/3.jpg"]
    source = ZipSource(zipped(tmp_path / "a.zip", dict.fromkeys(names, b"x")))
    assert source.names == ("a/1.PNG", "b/2.jpg")
    assert source.others == 1


def test_unpacked_files_have_the_contents_and_lie_in_the_folder_given(tmp_path: Path) -> None:
    content = {"a/1.jpg": b"one", "b/1.jpg": b"two"}
    source = ZipSource(zipped(tmp_path / "a.zip", content, how=zipfile.ZIP_DEFLATED))
    files = source.files(source.names, tmp_path / "out")
    assert {file.name: file.path.read_bytes() for file in files} == content
    assert {file.path.parent for file in files} == {tmp_path / "out"}


def test_what_was_unpacked_is_not_unpacked_again_but_a_half_file_is(tmp_path: Path) -> None:
    source = ZipSource(zipped(tmp_path / "a.zip", {"1.jpg": b"first", "2.jpg": b"second"}))
    first, second = source.files(source.names, tmp_path / "out")
    kept = first.path.stat().st_ino
    second.path.write_bytes(b"sec")
    again = source.files(source.names, tmp_path / "out")
    assert again[0].path.stat().st_ino == kept
    assert again[1].path.read_bytes() == b"second"


def test_another_content_of_equal_size_is_another_file(tmp_path: Path) -> None:
    one = ZipSource(zipped(tmp_path / "a.zip", {"1.jpg": b"old"}))
    one.files(one.names, tmp_path / "out")
    two = ZipSource(zipped(tmp_path / "b.zip", {"1.jpg": b"new"}))
    assert two.files(two.names, tmp_path / "out")[0].path.read_bytes() == b"new"
    assert one.stamps(one.names) != two.stamps(two.names)


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/evil.jpg", "..\\evil.jpg", "C:/evil.jpg"]
)
def test_a_name_that_leads_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {"good.jpg": b"x", name: b"x"})
    with pytest.raises(DataError, match="leads out of it"):
        ZipSource(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("a.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "elsewhere.jpg")
    with pytest.raises(DataError, match=r"'a\.jpg' is a link"):
        ZipSource(path)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    bomb = {"a.bmp": bytes(2 * 2**20)}
    path = zipped(tmp_path / "a.zip", bomb, how=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="more than 200 times its size"):
        ZipSource(path)


def test_more_bytes_than_allowed_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.jpg": bytes(60), "2.jpg": bytes(60)})
    assert len(ZipSource(path, most_bytes=120).names) == 2
    with pytest.raises(DataError, match="120 bytes, more than the 119 allowed"):
        ZipSource(path, most_bytes=119)


def test_images_that_the_disk_has_no_room_for_are_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ZipSource(zipped(tmp_path / "a.zip", {"1.jpg": b"12345", "2.jpg": b"678"}))
    source.files(["1.jpg"], tmp_path / "out")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2))
    with pytest.raises(StoreError, match="make room"):
        source.files(source.names, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3))
    assert len(source.files(source.names, tmp_path / "out")) == 2


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.jpg", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("1.jpg", b"two")
    with pytest.raises(DataError, match="two files of one name"):
        ZipSource(path)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", {"1.jpg": b"x"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"'1\.jpg' is encrypted"):
        ZipSource(tmp_path / "a.zip")


def test_a_file_whose_size_is_told_too_small_gives_no_more_than_that(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", {"1.jpg": bytes(1000)}).read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    source = ZipSource(tmp_path / "a.zip")
    with pytest.raises(DataError, match="expected a complete zip file"):
        source.files(source.names, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 10


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_what_is_no_whole_zip_file_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    whole = zipped(tmp_path / "whole.zip", {"1.jpg": b"x" * 100}).read_bytes()
    path = tmp_path / "a.zip"
    path.write_bytes(whole[:-30] if content is None else content)
    with pytest.raises(DataError, match=r"a\.zip: expected a complete zip file"):
        ZipSource(path)


def test_a_damaged_image_is_an_error(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.jpg": b"x" * 100})
    content = path.read_bytes().replace(b"xxxxx", b"xxxxy", 1)
    path.write_bytes(content)
    source = ZipSource(path)
    with pytest.raises(DataError, match="Bad CRC-32"):
        source.files(source.names, tmp_path / "out")


def test_no_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected images in it, found none"):
        ZipSource(zipped(tmp_path / "a.zip", {"readme.txt": b"x"}))
