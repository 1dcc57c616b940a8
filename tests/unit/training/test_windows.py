"""Images a little larger than the input are cut to a square of its size; others are resized."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from hashbench.core.cell import DataChoice
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.training.determinism import generator
from hashbench.training.images import IMAGENET, DeviceImages

CPU = torch.device("cpu")
SIDE, SIZE = 32, 28


def pictures(count: int, side: int = SIDE, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return images if channels > 1 else images[..., 0]


def stream(
    images: np.ndarray, *, rule: str = "none", size: int = SIZE, channels_last: bool = False
) -> DeviceImages:
    return DeviceImages(
        images,
        choice=DataChoice("x", 1, "x@1", "0" * 64, image_size=size, normalisation="imagenet"),
        protocol=load_protocol("digits@1"),
        augmentation=rule,
        device=CPU,
        channels_last=channels_last,
    )


def published(image: np.ndarray, cut: v2.Transform) -> torch.Tensor:
    found: torch.Tensor = v2.Compose(
        [v2.ToImage(), cut, v2.ToDtype(torch.float32, scale=True), v2.Normalize(*IMAGENET)]
    )(image)
    return found


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("rule", ["none", "crop_flip", "cibhash"])
def test_without_augmentation_it_is_the_middle_square(rule: str, channels_last: bool) -> None:
    images = pictures(5)

    found = stream(images, rule=rule, channels_last=channels_last).batch(torch.arange(5))

    for image, mine in zip(images, found, strict=True):
        torch.testing.assert_close(mine, published(image, v2.CenterCrop(SIZE)), atol=2e-6, rtol=0)


def test_the_fields_256_for_224_is_cropped_and_anything_much_larger_is_resized() -> None:
    images = pictures(1, side=64)

    cropped = stream(images, size=56).batch(torch.zeros(1, dtype=torch.int64))
    resized = stream(images, size=55).batch(torch.zeros(1, dtype=torch.int64))

    expected = published(images[0], v2.CenterCrop(56))
    torch.testing.assert_close(cropped[0], expected, atol=2e-6, rtol=0)
    assert resized.std() < 0.9 * cropped.std()  # noise that is resized is smoothed


def test_training_draws_place_and_mirror_of_the_square_with_equal_chances() -> None:
    side, size, count = 16, 14, 3600
    ramp = np.arange(side * side, dtype=np.uint8).reshape(1, side, side, 1).repeat(3, axis=3)
    images = stream(ramp.repeat(count, axis=0), rule="crop_flip", size=size)
    known = dict.fromkeys(product(range(3), range(3), (False, True)), 0)

    found = images.batch(torch.arange(count), generator(4))

    for image in found:
        known[_read(image)] += 1
    assert len(known) == 18
    # 3,600 draws over 18 outcomes: 200 each with a deviation of 14
    assert min(known.values()) > 130 and max(known.values()) < 270


def _read(image: torch.Tensor) -> tuple[int, int, bool]:
    """The place of a square in the ramp, and whether it is mirrored, from its upper corners."""
    mean, std = IMAGENET[0][0], IMAGENET[1][0]
    left, right = ((image[0, 0, corner] * std + mean) * 255 for corner in (0, -1))
    first = round(min(left.item(), right.item()))
    return first // 16, first % 16, bool(left > right)


@pytest.mark.parametrize("rule", ["none", "flip", "crop_flip", "crop_flip_jitter", "dhd"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_order_in_memory_changes_no_number(rule: str, channels: int) -> None:
    images = pictures(6, channels=channels)
    one, other = (
        stream(images, rule=rule, channels_last=last).batch(torch.arange(6), generator(2))
        for last in (False, True)
    )

    assert torch.equal(one, other)
    assert one.is_contiguous()
    assert other.is_contiguous(memory_format=torch.channels_last)
