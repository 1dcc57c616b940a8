"""Equal images counted; difference hashes against plain averages, and the pairs they find."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.datasets.protocols import duplicates as module
from hashbench.datasets.protocols.duplicates import (
    NearPair,
    content_numbers,
    copies_in,
    difference_hashes,
    near_duplicates,
)

Bytes = NDArray[np.uint8]


def texture(count: int, *shape: int, seed: int = 0) -> Bytes:
    """Images of coarse random patches, so that averaging keeps what is on them."""
    patches = np.random.default_rng(seed).integers(30, 220, (count, 6, 6, *shape[2:]))
    return patches.repeat(shape[0] // 6, axis=1).repeat(shape[1] // 6, axis=2).astype(np.uint8)


def plain_hash(image: NDArray[np.float64]) -> int:
    """The hash of one grey image: averages over 8 x 9 boxes by resampling it 72 times finer."""
    fine = image.repeat(8, axis=0).repeat(9, axis=1)
    height, width = image.shape
    small = fine.reshape(8, height, 9, width).mean(axis=(1, 3))
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


@pytest.mark.parametrize("side", [(18, 12), (8, 9), (6, 6), (30, 60)])
def test_a_hash_says_where_the_average_of_boxes_rises(side: tuple[int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, *side), dtype=np.uint8)
    found = difference_hashes(images)
    assert found.dtype == np.uint64
    assert found.tolist() == [plain_hash(image.astype(float)) for image in images]


def test_colours_count_by_how_bright_they_are() -> None:
    images = np.random.default_rng(2).integers(0, 256, (5, 16, 18, 3), dtype=np.uint8)
    grey = images.astype(float) @ [299, 587, 114]
    assert difference_hashes(images).tolist() == [plain_hash(image) for image in grey]


def test_flat_images_have_no_bit_and_rising_ones_all() -> None:
    flat = np.full((1, 28, 28), 77, dtype=np.uint8)
    ramp = np.broadcast_to(np.arange(28, dtype=np.uint8), (1, 28, 28))
    assert difference_hashes(flat).tolist() == [0]
    assert difference_hashes(ramp).tolist() == [2**64 - 1]


def test_small_blocks_give_the_hashes_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    images = texture(20, 12, 12, 3)
    whole = difference_hashes(images)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 3 * images[0].nbytes * 8)
    assert np.array_equal(difference_hashes(images), whole)


def found_in(images: Bytes, queries: list[int], others: list[int]) -> list[NearPair]:
    chosen = {"queries": np.array(queries), "others": np.array(others)}
    return list(near_duplicates(images, difference_hashes(images), **chosen))


def test_a_brightened_copy_is_found_and_a_stranger_and_an_equal_image_are_not() -> None:
    images = texture(6, 24, 24)
    images[3] = images[0] + 10
    images[4] = images[1]
    (pair,) = found_in(images, [0, 1], [2, 3, 4, 5])
    assert (pair.query, pair.other, pair.bits) == (0, 3, 0)
    assert pair.difference == pytest.approx(10 / images[0].std())


def test_pairs_come_by_query_and_then_by_the_others_position() -> None:
    images = texture(9, 24, 24)
    images[[5, 7]] = images[1] + 8
    images[6] = images[0] + 8
    pairs = found_in(images, [0, 1], [5, 6, 7, 8])
    assert [(pair.query, pair.other) for pair in pairs] == [(0, 6), (1, 5), (1, 7)]


def test_pixels_decide_where_hashes_agree() -> None:
    images = texture(2, 24, 24)
    # The same slopes everywhere, twice as steep: equal hashes, far apart in pixels.
    images[1] = np.clip(images[0].astype(int) * 2 - 180, 0, 255)
    hashes = np.zeros(2, dtype=np.uint64)
    chosen = {"queries": np.array([0]), "others": np.array([1])}
    assert not list(near_duplicates(images, hashes, **chosen))
    images[1] = images[0] + 1
    (pair,) = near_duplicates(images, hashes, **chosen)
    assert pair.bits == 0
    assert not list(near_duplicates(images, np.array([0, 2**9 - 1], dtype=np.uint64), **chosen))


def test_a_flat_query_looks_like_nothing() -> None:
    images = np.full((3, 12, 12), 100, dtype=np.uint8)
    images[1:] += 1
    assert not found_in(images, [0], [1, 2])


def test_images_of_a_memory_map_are_read_from_it(tmp_path) -> None:
    images = texture(8, 24, 24)
    images[5] = images[2] + 6
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert [(p.query, p.other) for p in found_in(mapped, [2], [0, 1, 5])] == [(2, 5)]


def test_equal_pixels_have_equal_numbers_in_the_order_they_are_met() -> None:
    images = np.array([[1, 2], [3, 4], [1, 2], [2, 1], [3, 4]], dtype=np.uint8)
    assert content_numbers(images).tolist() == [0, 1, 0, 2, 1]


def test_copies_are_other_images_with_the_same_content() -> None:
    numbers = np.array([0, 1, 0, 2, 1, 3])
    assert copies_in(numbers, np.array([0, 1, 3, 5]), np.array([2, 4])).tolist() == [0, 1]
    # An image in both lists is no copy of itself, but its twin is.
    assert copies_in(numbers, np.array([0, 3]), np.array([0, 3])).tolist() == []
    assert copies_in(numbers, np.array([0, 2]), np.array([0, 2])).tolist() == [0, 2]
    assert copies_in(numbers, np.array([0, 2]), np.array([0, 5])).tolist() == [2]


def test_empty_lists_have_no_copies() -> None:
    nothing = np.array([], dtype=np.int64)
    assert copies_in(np.array([0, 0]), nothing, np.array([0])).tolist() == []
    assert copies_in(np.array([0, 0]), np.array([0]), nothing).tolist() == []
