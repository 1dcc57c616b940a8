"""A zip file from anywhere: what is unpacked, and what is refused before anything is."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from hashbench.core.errors import DataError
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
    assert source.others == ("a/readme.txt",)


def opened(source: ZipSource) -> dict[str, bytes]:
    return {file.name: file.open().read() for file in source.files(source.names)}


def test_files_are_read_from_the_zip_file(tmp_path: Path) -> None:
    content = {"a/1.jpg": b"one", "b/1.jpg": b"two"}
    source = ZipSource(zipped(tmp_path / "a.zip", content, how=zipfile.ZIP_DEFLATED))
    assert opened(source) == content
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


def test_another_content_of_equal_size_has_another_stamp(tmp_path: Path) -> None:
    one = ZipSource(zipped(tmp_path / "a.zip", {"1.jpg": b"old"}))
    two = ZipSource(zipped(tmp_path / "b.zip", {"1.jpg": b"new"}))
    assert one.files(one.names)[0].stamp() != two.files(two.names)[0].stamp()


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


def test_an_image_larger_than_any_that_can_be_decoded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashbench.datasets.importing.zip_source._MOST_IMAGE_BYTES", 99)
    with pytest.raises(
        DataError, match=r"'1\.jpg' would unpack to 100 bytes, more than .* 99 bytes"
    ):
        ZipSource(zipped(tmp_path / "a.zip", {"1.jpg": bytes(100)}))


def test_more_bytes_than_allowed_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.jpg": bytes(60), "2.jpg": bytes(60)})
    assert len(ZipSource(path, most_bytes=120).names) == 2
    with pytest.raises(DataError, match="120 bytes, more than the 119 allowed"):
        ZipSource(path, most_bytes=119)


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
        opened(source)


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
        opened(source)


def test_no_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected images in it, found none"):
        ZipSource(zipped(tmp_path / "a.zip", {"readme.txt": b"x"}))
