"""One file to a square of RGB bytes, against pictures whose pixels are known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.datasets.reading.decoding import decode_square

SIDE = 4


def decoded(path: Path, side: int = SIDE) -> np.ndarray:
    found = decode_square(path, side)
    assert not isinstance(found, str), found
    assert (found.shape, found.dtype) == ((side, side, 3), np.uint8)
    return found


def saved(tmp_path: Path, image: Image.Image, name: str = "a.png", **how: object) -> Path:
    image.save(tmp_path / name, **how)
    return tmp_path / name


@pytest.mark.parametrize("size", [(12, 4), (4, 12)])
def test_the_centre_square_is_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "red")
    square = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    image.paste(Image.fromarray(square), ((size[0] - 4) // 2, (size[1] - 4) // 2))
    assert np.array_equal(decoded(saved(tmp_path, image)), square)


def test_shrinking_averages_what_it_covers(tmp_path: Path) -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 200
    path = saved(tmp_path, Image.fromarray(board.astype(np.uint8)))
    assert np.abs(decoded(path).astype(int) - 100).max() <= 1


def test_a_small_picture_is_enlarged(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (2, 3), (9, 8, 7)))
    assert decoded(path).reshape(-1, 3).tolist() == [[9, 8, 7]] * 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_a_camera_noted_is_applied(tmp_path: Path, orientation: int) -> None:
    # By the EXIF standard: where the stored picture's first row and first column are shown.
    shown = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: np.rot90,
    }
    stored = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(stored), exif=exif)
    assert np.array_equal(decoded(path), shown[orientation](stored))


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (Image.new("L", (5, 5), 77), "a.png", (77, 77, 77)),
        (Image.new("1", (5, 5), 1), "a.png", (255, 255, 255)),
        (Image.new("CMYK", (5, 5), (0, 255, 255, 0)), "a.tif", (255, 0, 0)),
        (Image.new("LA", (5, 5), (50, 255)), "a.png", (50, 50, 50)),
        (Image.new("LA", (5, 5), (50, 0)), "a.png", (255, 255, 255)),
        (Image.new("RGBA", (5, 5), (10, 20, 30, 0)), "a.png", (255, 255, 255)),
        (Image.new("RGB", (5, 5), (10, 20, 30)).quantize(4), "a.png", (10, 20, 30)),
        (Image.fromarray(np.full((5, 5), 0x4DFF, dtype=np.uint16)), "a.png", (0x4D,) * 3),
        (Image.fromarray(np.full((5, 5), 0x4DFF, dtype=np.int32)), "a.tif", (0x4D,) * 3),
    ],
    ids=["grey", "bits", "cmyk", "opaque", "clear grey", "clear", "palette", "16 bits", "32 bits"],
)
def test_every_mode_gives_rgb_bytes(
    tmp_path: Path, image: Image.Image, name: str, expected: tuple[int, int, int]
) -> None:
    pixels = decoded(saved(tmp_path, image, name)).reshape(-1, 3)
    assert pixels.tolist() == [list(expected)] * 16


def test_a_clear_palette_entry_shows_white(tmp_path: Path) -> None:
    image = Image.new("P", (5, 5), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    path = saved(tmp_path, image, transparency=1)
    assert decoded(path).min() == 255


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_pillow_allows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, Image.new("RGB", (11, 10)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 109)
    assert decode_square(path, SIDE) == "more than 109 pixels"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    assert decode_square(path, SIDE) == "more than 40 pixels"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 110)
    decoded(path)


def test_every_cut_of_a_file_is_unreadable_and_never_an_exception(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    whole = saved(tmp_path, Image.fromarray(noise), "a.jpg").read_bytes()
    cut = tmp_path / "cut.jpg"
    for length in range(0, len(whole) - 40, 11):
        cut.write_bytes(whole[:length])
        assert isinstance(decode_square(cut, SIDE), str), length


def test_numbers_without_a_known_range_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("F", (5, 5), 0.5), "a.tif")
    assert decode_square(path, SIDE) == "pixels of mode F are not numbers of 16 bits"


def test_a_damaged_note_of_the_camera_loses_no_picture(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (5, 5), "red"), "a.jpg", exif=b"Exif\0\0MM\0garbage")
    assert decoded(path)[0, 0, 0] > 250


def test_postscript_that_calls_itself_a_photo_is_not_given_to_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "check_call", started)
    monkeypatch.setattr(subprocess, "Popen", started)
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(path, format="EPS")
    assert decode_square(path, 8) == "not an image of a known format"
