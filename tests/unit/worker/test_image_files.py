"""Image files are decoded to the shape of a dataset's images, or refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.datasets.reading.decoding import decode_square
from hashbench.worker.image_files import decode_image, find_images


@pytest.fixture
def grey() -> ProtocolSpec:
    """A protocol of grey images of 8 x 8."""
    return load_protocol("digits@1")


@pytest.fixture
def colour(grey: ProtocolSpec) -> ProtocolSpec:
    """A protocol of colour images, 6 high and 4 wide."""
    return replace(grey, shape=(6, 4, 3))


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_an_image_of_the_datasets_size_is_left_as_it_is(
    tmp_path: Path, grey: ProtocolSpec, colour: ProtocolSpec
) -> None:
    for protocol, image in ((grey, pixels(8, 8)), (colour, pixels(6, 4, 3))):
        Image.fromarray(image).save(tmp_path / "image.png")
        np.testing.assert_array_equal(decode_image(tmp_path / "image.png", protocol), image)


def test_grey_becomes_colour_and_colour_grey(
    tmp_path: Path, grey: ProtocolSpec, colour: ProtocolSpec
) -> None:
    Image.fromarray(pixels(6, 4)).save(tmp_path / "grey.png")
    found = decode_image(tmp_path / "grey.png", colour)
    np.testing.assert_array_equal(found, np.repeat(pixels(6, 4)[..., None], 3, axis=2))

    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "red.png")
    assert set(decode_image(tmp_path / "red.png", grey).flat) == {76}  # 0.299 of 255


@pytest.mark.parametrize("shape", [(3, 5), (16, 16), (8, 30), (40, 20, 3)])
def test_an_image_of_another_size_is_resized_to_the_datasets(
    shape: tuple[int, ...], tmp_path: Path, grey: ProtocolSpec, colour: ProtocolSpec
) -> None:
    Image.fromarray(np.full(shape, 200, dtype=np.uint8)).save(tmp_path / "image.png")
    for protocol, size in ((grey, (8, 8)), (colour, (6, 4, 3))):
        found = decode_image(tmp_path / "image.png", protocol)
        assert (found.shape, found.dtype, set(found.flat)) == (size, np.uint8, {200})


def test_the_largest_centred_part_of_the_datasets_shape_is_kept(
    tmp_path: Path, colour: ProtocolSpec
) -> None:
    wide = pixels(12, 40, 3)
    Image.fromarray(wide).save(tmp_path / "image.png")
    # Of 12 rows, 8 columns keep the shape of 6 rows and 4 columns: those from 16 to 24.
    kept = Image.fromarray(wide).resize((4, 6), Image.Resampling.BILINEAR, box=(16, 0, 24, 12))
    np.testing.assert_array_equal(decode_image(tmp_path / "image.png", colour), np.asarray(kept))


def test_a_square_is_decoded_as_an_import_decodes_it(tmp_path: Path, colour: ProtocolSpec) -> None:
    Image.fromarray(pixels(31, 17, 4)).save(tmp_path / "image.png")
    found = decode_image(tmp_path / "image.png", replace(colour, shape=(8, 8, 3)))
    np.testing.assert_array_equal(found, decode_square(tmp_path / "image.png", 8))


def test_where_a_datasets_sizes_vary_the_input_size_is_taken(
    tmp_path: Path, grey: ProtocolSpec
) -> None:
    Image.fromarray(pixels(8, 8)).save(tmp_path / "image.png")
    varying = replace(grey, shape=None, image_size=5)
    assert decode_image(tmp_path / "image.png", varying).shape == (5, 5, 3)


def test_a_cameras_orientation_is_followed(tmp_path: Path, colour: ProtocolSpec) -> None:
    upright = pixels(6, 4, 3)
    note = Image.Exif()
    note[0x0112] = 6  # to be shown after a quarter turn clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "image.png", exif=note)
    np.testing.assert_array_equal(decode_image(tmp_path / "image.png", colour), upright)


def test_what_is_no_image_is_refused_by_name(tmp_path: Path, grey: ProtocolSpec) -> None:
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(DataError, match=r"text\.png cannot be decoded: not an image of a known"):
        decode_image(tmp_path / "text.png", grey)
    with pytest.raises(DataError, match=r"gone\.png cannot be decoded: No such file"):
        decode_image(tmp_path / "gone.png", grey)


def test_a_truncated_image_is_refused(tmp_path: Path, grey: ProtocolSpec) -> None:
    Image.fromarray(pixels(64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    with pytest.raises(DataError, match=r"half\.png cannot be decoded: .*truncated"):
        decode_image(tmp_path / "half.png", grey)


def test_grey_of_sixteen_bits_is_scaled_to_eight(tmp_path: Path, grey: ProtocolSpec) -> None:
    deep = np.full((8, 8), 40_000, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert set(decode_image(tmp_path / "deep.png", grey).flat) == {40_000 >> 8}


def test_a_folder_stands_for_the_images_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "notes.txt", "deep/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    named = tmp_path / "notes.txt"
    assert find_images([named, tmp_path]) == [
        named,
        *(tmp_path / name for name in ("a.JPG", "b.png", "deep/c.webp")),
    ]


def test_places_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image file in the folder"):
        find_images([tmp_path])
    with pytest.raises(DataError, match=r"no such file or folder: .*gone"):
        find_images([tmp_path / "gone"])
