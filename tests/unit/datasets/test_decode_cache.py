"""Decoding once: what is kept of which file, and that no kill or damage is believed."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.reading.decode_cache import (
    DecodedImages,
    ImageFile,
    decode_images,
    open_decoded,
)

SIDE = 8
FULL_SIZE = (12, 9)


def jpeg(number: int) -> bytes:
    """A flat grey picture, so that compression changes no pixel."""
    file = io.BytesIO()
    Image.new("RGB", FULL_SIZE, (number, number, number)).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> list[ImageFile]:
    """Ten flat pictures of grey 0, 10, ..., 90."""
    files = []
    for number in range(10):
        path = tmp_path / "photos" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg(10 * number))
        files.append(ImageFile(path.name, path))
    return files


@pytest.fixture
def decode(tmp_path: Path) -> Callable[..., DecodedImages]:
    def call(files: list[ImageFile], **settings: object) -> DecodedImages:
        return decode_images(files, side=SIDE, cache=tmp_path / "cache", **settings)

    return call


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashbench.datasets.reading.decode_cache._MOST_IN_BATCH", 3)


Decode = Callable[..., DecodedImages]


def test_every_image_is_in_its_place_and_the_checksum_is_that_of_the_pixels(
    photos: list[ImageFile], decode: Decode, small_batches: None
) -> None:
    found = decode(photos)
    assert found.images.shape == (10, SIDE, SIDE, 3)
    assert isinstance(found.images, np.memmap)
    assert found.images[:, 0, 0, 0].tolist() == list(range(0, 100, 10))
    assert found.kept.tolist() == list(range(10))
    assert found.sha256 == hashlib.sha256(found.images.tobytes()).hexdigest()
    assert found.path.name.startswith("cover8-")


def test_files_that_cannot_be_read_are_named_with_the_reason_and_the_others_kept(
    photos: list[ImageFile], decode: Decode, small_batches: None
) -> None:
    photos[0].path.write_text("no picture")
    photos[4].path.write_bytes(jpeg(1)[:200])
    photos[7].path.unlink()
    photos[9].path.write_bytes(b"")

    found = decode(photos)

    assert found.kept.tolist() == [1, 2, 3, 5, 6, 8]
    assert found.images[:, 0, 0, 0].tolist() == [10, 20, 30, 50, 60, 80]
    reasons = {bad.name: bad.reason for bad in found.unreadable}
    assert list(reasons) == ["0.jpg", "4.jpg", "7.jpg", "9.jpg"]
    assert reasons["0.jpg"] == "not an image of a known format"
    assert reasons["7.jpg"] == "No such file or directory"


def test_a_second_call_decodes_nothing(
    photos: list[ImageFile], decode: Decode, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = decode(photos)
    monkeypatch.setattr("hashbench.datasets.reading.decode_cache.decode_square", None)
    again = decode(photos, verify=True)
    assert np.array_equal(first.images, again.images)
    assert again.path == first.path


def test_a_changed_file_is_decoded_again(photos: list[ImageFile], decode: Decode) -> None:
    first = decode(photos)
    photos[2].path.write_bytes(jpeg(200))
    os.utime(photos[2].path, ns=(1, 1))
    second = decode(photos)
    assert second.path != first.path
    assert second.images[2, 0, 0, 0] == 200


class Killed(BaseException):
    """Stands for a signal that leaves no time to tidy up."""


def kill_after(files: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done >= files:
            raise Killed

    return progress


@pytest.mark.parametrize("stopped", [0, 3, 6, 9, 10])
def test_a_killed_call_is_gone_on_with_where_it_stopped(
    photos: list[ImageFile],
    decode: Decode,
    small_batches: None,
    stopped: int,
    tmp_path: Path,
) -> None:
    photos[1].path.write_text("no picture")
    with pytest.raises(Killed):
        decode(photos, progress=kill_after(stopped))
    assert not list((tmp_path / "cache").glob("*.npy.json"))
    for file in photos[:stopped]:
        # Size and time stay, so the files count as unchanged, but they could not be decoded again.
        stamp = file.path.stat()
        file.path.write_bytes(b"x" * stamp.st_size)
        os.utime(file.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    seen: list[int] = []
    found = decode(photos, progress=lambda done, _total: seen.append(done))

    assert seen[0] == stopped
    assert found.images[:, 0, 0, 0].tolist() == [0, *range(20, 100, 10)]
    assert [bad.name for bad in found.unreadable] == ["1.jpg"]
    assert found.sha256 == hashlib.sha256(found.images.tobytes()).hexdigest()
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [
        ".json",
        ".lock",
        ".npy",
    ]


def half_a_batch_more(cache: Path) -> None:
    with next(cache.glob(".tmp-*.npy")).open("ab") as file:
        file.write(b"\x07" * 300)


def half_a_state(cache: Path) -> None:
    state = next(cache.glob(".tmp-*.json"))
    os.truncate(state, state.stat().st_size // 2)


def pixels_lost(cache: Path) -> None:
    pixels = next(cache.glob(".tmp-*.npy"))
    os.truncate(pixels, pixels.stat().st_size - 5)


def pixels_changed(cache: Path) -> None:
    with next(cache.glob(".tmp-*.npy")).open("r+b") as file:
        file.seek(200)
        file.write(b"\xff")


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize(
    ("damage", "goes_on_at"),
    [(half_a_batch_more, 6), (half_a_state, 0), (pixels_lost, 0), (pixels_changed, 0)],
)
def test_what_a_crash_left_is_used_only_if_it_is_intact(
    photos: list[ImageFile],
    decode: Decode,
    damage: Callable[[Path], None],
    goes_on_at: int,
    tmp_path: Path,
) -> None:
    with pytest.raises(Killed):
        decode(photos, progress=kill_after(6))
    damage(tmp_path / "cache")

    seen: list[int] = []
    found = decode(photos, progress=lambda done, _total: seen.append(done))

    assert seen[0] == goes_on_at
    assert found.images[:, 0, 0, 0].tolist() == list(range(0, 100, 10))


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def damage_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [shorten, damage_header, Path.unlink])
def test_a_damaged_cache_is_seen_when_it_is_opened_and_made_again(
    photos: list[ImageFile], decode: Decode, damage: Callable[[Path], None]
) -> None:
    found = decode(photos)
    damage(found.path)
    with pytest.raises(DataError, match=str(found.path)):
        open_decoded(found.path)
    assert decode(photos, verify=True).sha256 == found.sha256


def test_changed_pixels_are_found_when_asked_for(photos: list[ImageFile], decode: Decode) -> None:
    found = decode(photos)
    with found.path.open("r+b") as file:
        file.seek(500)
        file.write(b"\xee")
    open_decoded(found.path)
    with pytest.raises(DataError, match="expected SHA-256"):
        open_decoded(found.path, verify=True)


def test_the_description_beside_the_pixels_is_plain_json(
    photos: list[ImageFile], decode: Decode
) -> None:
    found = decode(photos)
    facts = json.loads(found.path.with_suffix(".json").read_text())
    assert facts["rule"] == "cover8"
    assert facts["names"] == [file.name for file in photos]
    assert facts["sha256"] == found.sha256


def test_nothing_readable_is_an_error_that_leaves_nothing(
    photos: list[ImageFile], decode: Decode, tmp_path: Path
) -> None:
    for file in photos:
        file.path.write_text("no picture")
    with pytest.raises(DataError, match=r"none of 10 files .*first: 0\.jpg"):
        decode(photos)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_no_file_and_one_name_twice_are_errors(photos: list[ImageFile], decode: Decode) -> None:
    with pytest.raises(DataError, match="found none"):
        decode([])
    with pytest.raises(DataError, match=r"found '0\.jpg' 2 times"):
        decode([*photos, photos[0]])


def test_the_number_of_threads_changes_nothing(
    photos: list[ImageFile], tmp_path: Path, small_batches: None
) -> None:
    sums = {
        decode_images(photos, side=SIDE, cache=tmp_path / str(n), workers=n).sha256 for n in (1, 5)
    }
    assert len(sums) == 1
