"""Equal images, counted."""

from __future__ import annotations

import numpy as np

from hashbench.datasets.reading.content import content_numbers, copies_in


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
