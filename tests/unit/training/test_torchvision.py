"""Batched changes are torchvision's, image by image, and are drawn with torchvision's chances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from hashbench.training import augmentation, batch_transforms
from hashbench.training.augmentation import augment, draw_boxes, recolour
from hashbench.training.batch_transforms import blur, resize_crops
from hashbench.training.determinism import generator
from hashbench.training.views import CIBHASH, DHD, ViewRule, views_on_cpu, views_on_device

Change = Callable[[Tensor, Tensor], Tensor]


def pictures(count: int = 12, *, side: int = 24, channels: int = 3) -> Tensor:
    return torch.rand((count, channels, side, side), generator=generator(3))


@pytest.mark.parametrize(
    ("change", "published", "amounts"),
    [
        (batch_transforms.brighten, functional.adjust_brightness, torch.linspace(0, 2, 12)),
        (batch_transforms.contrast, functional.adjust_contrast, torch.linspace(0, 2, 12)),
        (batch_transforms.saturate, functional.adjust_saturation, torch.linspace(0, 2, 12)),
        (batch_transforms.shift_hue, functional.adjust_hue, torch.linspace(-0.5, 0.5, 12)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_of_colour_is_torchvisions(
    change: Change, published: Callable[[Tensor, float], Tensor], amounts: Tensor, channels: int
) -> None:
    images = pictures(channels=channels)

    found = change(images, amounts)

    expected = [published(each, float(by)) for each, by in zip(images, amounts, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected), atol=5e-6, rtol=0)


def test_grey_pixels_have_no_hue_to_turn() -> None:
    images = torch.full((2, 3, 4, 4), 0.3)
    torch.testing.assert_close(
        batch_transforms.shift_hue(images, torch.tensor([0.2, -0.4])), images
    )


def test_colours_change_in_the_order_that_is_said() -> None:
    images = pictures(2)
    amounts = torch.tensor([[1.3, 0.7, 0.2, 0.1]] * 2)
    order = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])

    found = batch_transforms.jitter(images, amounts, order)

    steps: list[Callable[[Tensor], Tensor]] = [
        lambda x: functional.adjust_brightness(x, 1.3),
        lambda x: functional.adjust_contrast(x, 0.7),
        lambda x: functional.adjust_saturation(x, 0.2),
        lambda x: functional.adjust_hue(x, 0.1),
    ]
    for image, mine, turn in zip(images, found, order, strict=True):
        expected = image
        for step in turn:
            expected = steps[step](expected)
        torch.testing.assert_close(mine, expected, atol=5e-6, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (40, 24), (9, 31)])
def test_a_resized_crop_is_torchvisions(size: tuple[int, int]) -> None:
    images = pictures(5, side=30)
    boxes = torch.tensor(
        [[0, 0, 30, 30], [3, 5, 20, 7], [29, 29, 1, 1], [10, 0, 11, 30], [1, 2, 16, 16]]
    )

    found = resize_crops(images, boxes, size=size)

    expected = [
        functional.resized_crop(image, *box.tolist(), list(size), antialias=True)
        for image, box in zip(images, boxes, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected), atol=5e-6, rtol=0)


@pytest.mark.parametrize("side", [3, 5])
def test_a_blur_is_torchvisions(side: int) -> None:
    images, sigmas = pictures(4), torch.tensor([0.1, 0.5, 1.0, 2.0])

    found = blur(images, sigmas, side=side)

    expected = [
        functional.gaussian_blur(image, [side, side], [float(sigma)] * 2)
        for image, sigma in zip(images, sigmas, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected), atol=5e-6, rtol=0)


@pytest.mark.parametrize("rule", [CIBHASH, DHD, DHD.weaker(0.5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_views_made_at_once_are_those_made_one_by_one(rule: ViewRule, channels: int) -> None:
    images = pictures(64, channels=channels)

    found = views_on_device(images, rule, generator(8))

    torch.testing.assert_close(found, views_on_cpu(images, rule, generator(8)), atol=1e-5, rtol=0)


def test_boxes_have_the_distribution_of_random_resized_crop() -> None:
    count, height, width = 4000, 64, 48
    image = torch.empty(3, height, width)
    transform = v2.RandomResizedCrop(8, scale=(0.08, 1.0))
    torch.manual_seed(0)
    drawn = [transform.make_params([image]) for _ in range(count)]
    theirs = np.array([[one[key] for key in ("top", "left", "height", "width")] for one in drawn])

    ours = draw_boxes(count, height, width, generator(0)).numpy()

    assert ours[:, :2].min() >= 0
    assert (ours[:, 0] + ours[:, 2]).max() <= height
    assert (ours[:, 1] + ours[:, 3]).max() <= width
    for column in range(4):
        # Two samples of 4,000: the largest gap of their distributions is below 0.043 in 99.9 %.
        assert _largest_gap(ours[:, column], theirs[:, column]) < 0.05


def _largest_gap(one: np.ndarray, other: np.ndarray) -> float:
    values = np.union1d(one, other)
    shares = [np.searchsorted(np.sort(each), values, "right") / len(each) for each in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def test_where_no_crop_fits_it_is_the_middle_at_the_nearest_ratio() -> None:
    # A picture of 2 x 200: ten draws of a ratio from 3:4 to 4:3 hardly ever fit.
    boxes = draw_boxes(200, 2, 200, generator(1))
    middle = (boxes == torch.tensor([0, 98, 2, 3])).all(1)
    assert middle.float().mean() > 0.5


def test_recolouring_draws_factors_shifts_and_orders_as_color_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def note(images: Tensor, amounts: Tensor, order: Tensor) -> Tensor:
        seen.append((amounts, order))
        return images

    monkeypatch.setattr(augmentation, "jitter", note)
    recolour(torch.empty(9600, 3, 1, 1), generator(2))

    (amounts, order) = seen[0]
    transform = v2.ColorJitter(0.4, 0.4, 0.4, 0.1)
    ranges = [transform.brightness, transform.contrast, transform.saturation, transform.hue]
    for column, (least, greatest) in zip(amounts.T, ranges, strict=True):
        assert least <= column.min() and column.max() <= greatest
        even = np.linspace(least, greatest, 2000)
        assert _largest_gap(column.numpy(), even) < 0.04
    counts = Counter(map(tuple, order.tolist()))
    assert len(counts) == 24
    # 9,600 draws over 24 orders: 400 each with a deviation of 20
    assert min(counts.values()) > 300 and max(counts.values()) < 500


@pytest.mark.parametrize("rule", ["crop_flip_jitter", "resized_crop", "resized_crop_jitter"])
def test_mean_and_deviation_of_pixels_are_those_of_torchvisions_transforms(rule: str) -> None:
    image = pictures(1, side=16)[0] * torch.linspace(0.2, 1, 16)
    crop = v2.RandomResizedCrop(16, antialias=True) if "resized" in rule else _shift
    colour = v2.ColorJitter(0.4, 0.4, 0.4, 0.1) if "jitter" in rule else v2.Identity()
    torch.manual_seed(0)
    steps = v2.Compose([crop, v2.RandomHorizontalFlip(), colour])
    theirs = torch.stack([steps(image) for _ in range(1500)])

    ours = augment(image.repeat(1500, 1, 1, 1), rule, generator(5))

    # Means of 1,500 pixels of deviation below 0.25: differences below 0.009 sqrt(2) each.
    assert (ours.mean(0) - theirs.mean(0)).abs().max() < 0.06
    assert (ours.mean(0) - theirs.mean(0)).abs().mean() < 0.012
    assert (ours.std(0) - theirs.std(0)).abs().max() < 0.05


def _shift(image: Tensor) -> Tensor:
    padded = functional.pad(image, [2, 2, 2, 2], padding_mode="reflect")
    shifted: Tensor = v2.RandomCrop(16)(padded)
    return shifted


def test_a_crop_is_resized_to_the_input_in_one_go() -> None:
    images = pictures(3, side=32)
    found = augment(images, "resized_crop", generator(0), size=20)
    assert found.shape == (3, 3, 20, 20)
