"""Augmentation mirrors and shifts each image by its own draw, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hashbench.training.augmentation import augment
from hashbench.training.determinism import generator

SIDE, PAD, COUNT = 16, 2, 4000


def ramps(count: int = COUNT) -> torch.Tensor:
    """Images whose every pixel tells its row and column."""
    one = torch.arange(SIDE * SIDE, dtype=torch.float32).reshape(1, 1, SIDE, SIDE)
    return one.repeat(count, 2, 1, 1)


def test_none_changes_nothing_and_draws_nothing() -> None:
    draw = generator(0)

    assert torch.equal(augment(ramps(3), "none", draw), ramps(3))
    assert torch.equal(draw.get_state(), generator(0).get_state())


def test_flip_mirrors_half_of_the_images_left_to_right() -> None:
    images = ramps()

    found = augment(images, "flip", generator(1))

    mirrored = (found == images.flip(3)).all(dim=(1, 2, 3))
    kept = (found == images).all(dim=(1, 2, 3))
    assert bool((mirrored ^ kept).all())
    # 4,000 fair coins: 0.5 with a deviation of 0.008
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.04)


def test_crop_flip_cuts_a_window_out_of_the_mirrored_border_with_equal_chances() -> None:
    images = ramps()
    padded = np.pad(images[0, 0].numpy(), PAD, mode="reflect")
    windows = {
        (row, column, mirror): (window[:, ::-1] if mirror else window).tobytes()
        for row in range(2 * PAD + 1)
        for column in range(2 * PAD + 1)
        for window in [padded[row : row + SIDE, column : column + SIDE]]
        for mirror in (False, True)
    }
    place = {content: key for key, content in windows.items()}

    found = augment(images, "crop_flip", generator(2)).numpy()

    drawn = [place[image[0].tobytes()] for image in found]
    assert found.shape == tuple(images.shape)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])  # channels move together
    counts = np.array([drawn.count(key) for key in windows])
    assert len(counts) == 50
    # 4,000 draws over 50 outcomes: 80 each with a deviation of 9
    assert counts.min() > 35 and counts.max() < 125


@pytest.mark.parametrize("rule", ["flip", "crop_flip"])
def test_equal_generators_give_equal_augmentation_and_the_next_draw_another(rule: str) -> None:
    draw = generator(3)
    first, second = augment(ramps(50), rule, draw), augment(ramps(50), rule, draw)

    assert torch.equal(first, augment(ramps(50), rule, generator(3)))
    assert not torch.equal(first, second)
