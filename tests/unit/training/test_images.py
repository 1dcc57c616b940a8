"""Images become network input as Pillow and plain arithmetic say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from hashbench.core.cell import DataChoice
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.training.determinism import generator
from hashbench.training.images import DeviceImages

PROTOCOL = replace(load_protocol("digits@1"), mean=(0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7))
CPU = torch.device("cpu")
ALL = torch.arange(7)


def stream(
    images: NDArray[np.uint8],
    *,
    size: int = 16,
    normalisation: str = "protocol",
    augmentation: str = "none",
) -> DeviceImages:
    choice = DataChoice("x", 1, "x@1", "0" * 64, image_size=size, normalisation=normalisation)
    return DeviceImages(
        images, choice=choice, protocol=PROTOCOL, augmentation=augmentation, device=CPU
    )


@pytest.mark.parametrize(
    ("normalisation", "mean", "std"),
    [
        ("protocol", (0.2, 0.3, 0.4), (0.5, 0.6, 0.7)),
        ("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("half", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("unit", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        # as printed in CLIP's own preprocessing
        (
            "clip",
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        ),
    ],
)
def test_grey_images_are_repeated_over_three_channels_and_normalised(
    pictures: NDArray[np.uint8],
    normalisation: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    found = stream(pictures, normalisation=normalisation).batch(ALL)

    for channel in range(3):
        expected = (pictures.astype(np.float64) / 255 - mean[channel]) / std[channel]
        np.testing.assert_allclose(found[:, channel].numpy(), expected, atol=1e-5)


def test_colour_images_keep_their_channels(pictures: NDArray[np.uint8]) -> None:
    colour = np.stack([pictures, 255 - pictures, pictures // 2], axis=-1)

    found = stream(colour, normalisation="imagenet").batch(ALL)

    normalise = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    for image, mine in zip(colour, found, strict=True):
        expected = normalise(v2.functional.to_dtype(v2.functional.to_image(image), scale=True))
        torch.testing.assert_close(mine, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("size", [8, 24, 40])
def test_resizing_is_pillows_bicubic(pictures: NDArray[np.uint8], size: int) -> None:
    found = stream(pictures, size=size).batch(ALL)[:, 0] * 0.5 + 0.2

    for image, mine in zip(pictures, found, strict=True):
        # As floats: on whole grey levels Pillow rounds and clips between rows and columns.
        floats = Image.fromarray(image.astype(np.float32))
        resized = np.asarray(floats.resize((size, size), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(mine.numpy() * 255, resized.clip(0, 255), atol=0.01)


def test_pixels_are_unresized_and_between_zero_and_one(pictures: NDArray[np.uint8]) -> None:
    found = stream(pictures, size=8).pixels(torch.tensor([2, 0]))

    np.testing.assert_allclose(found[:, 0].numpy(), pictures[[2, 0]] / 255, rtol=1e-6)


def test_only_batches_that_bring_a_generator_are_augmented(pictures: NDArray[np.uint8]) -> None:
    images = stream(pictures, augmentation="crop_flip")

    plain, augmented = images.batch(ALL), images.batch(ALL, generator(0))

    assert torch.equal(plain, stream(pictures).batch(ALL))
    assert augmented.shape == plain.shape
    assert not torch.equal(augmented, plain)


def test_blocks_go_through_all_positions_in_order(pictures: NDArray[np.uint8]) -> None:
    blocks = list(stream(pictures).blocks(3))

    assert [len(block) for block in blocks] == [3, 3, 1]
    assert torch.equal(torch.cat(blocks), ALL)
