"""Lossless mosaics of small images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.sources.embedded_images import read_mosaic, write_mosaic


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (53, 6, 4), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 49, 50, 51, 53])
def test_every_pixel_comes_back(count: int, tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "m.webp"
    write_mosaic(path, images[:count])
    np.testing.assert_array_equal(read_mosaic(path, count, size=(6, 4)), images[:count])


def test_images_lie_row_by_row(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "m.webp"
    write_mosaic(path, images)
    picture = np.asarray(Image.open(path).convert("L"))
    assert picture.shape == (2 * 6, 50 * 4)
    np.testing.assert_array_equal(picture[:6, 4:8], images[1])
    np.testing.assert_array_equal(picture[6:, 8:12], images[52])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[: len(c) // 2],
        lambda c: b"",
        lambda c: b"RIFF" + b"\0" * 40,
        lambda c: c[:12] + b"\0" * 16 + c[28:],
    ],
    ids=["truncated", "empty", "no picture", "header"],
)
def test_a_damaged_picture_is_an_error_that_names_the_file(
    change: Callable[[bytes], bytes], tmp_path: Path, images: np.ndarray
) -> None:
    path = tmp_path / "m.webp"
    write_mosaic(path, images)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=r"m\.webp: expected a WebP picture, found: ") as caught:
        read_mosaic(path, 53, size=(6, 4))
    assert "\n" not in str(caught.value)


def test_a_picture_of_another_format_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    path = tmp_path / "m.webp"
    Image.fromarray(images[0]).save(path, "PNG")
    with pytest.raises(DataError, match=r"expected a WebP picture"):
        read_mosaic(path, 1, size=(6, 4))


def test_a_picture_of_another_size_is_refused_with_both_sizes(
    tmp_path: Path, images: np.ndarray
) -> None:
    path = tmp_path / "m.webp"
    write_mosaic(path, images)
    with pytest.raises(DataError, match=r"200 x 18 pixels \(101 images\), found 200 x 12"):
        read_mosaic(path, 101, size=(6, 4))


def test_a_missing_picture_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.webp: expected a WebP picture, found: .*No such"):
        read_mosaic(tmp_path / "gone.webp", 1, size=(6, 4))
