"""Views of two-view losses: each change with its own probability, each image by its own draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hashbench.training.augmentation import augment
from hashbench.training.determinism import generator
from hashbench.training.views import CIBHASH, DHD, ViewRule, views_on_cpu

STILL = ViewRule(
    crop=0.0,
    area=(0.5, 1.0),
    flip=0.0,
    jitter=0.0,
    strengths=(0.4, 0.4, 0.4, 0.1),
    grey=0.0,
    blur=0.0,
)


def pictures(count: int = 2000, side: int = 8) -> torch.Tensor:
    return torch.rand((1, 3, side, side), generator=generator(3)).repeat(count, 1, 1, 1)


def changed(rule: ViewRule, images: torch.Tensor) -> torch.Tensor:
    return (views_on_cpu(images, rule, generator(0)) != images).flatten(1).any(1)


@pytest.mark.parametrize("change", ["crop", "flip", "jitter", "grey", "blur"])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_change_befalls_its_share_of_the_images(change: str, probability: float) -> None:
    rule = replace(STILL, **{change: probability})
    share = changed(rule, pictures()).float().mean().item()
    # 2,000 draws: a deviation of at most 0.011. A crop of the whole image changes nothing.
    assert share == pytest.approx(probability, abs=0.06)


def test_a_flip_mirrors_left_to_right_and_does_nothing_else() -> None:
    images = pictures(4)
    assert torch.equal(views_on_cpu(images, replace(STILL, flip=1.0), generator(0)), images.flip(3))


def test_a_grey_view_has_three_equal_channels_of_the_luma() -> None:
    images = pictures(2)
    found = views_on_cpu(images, replace(STILL, grey=1.0), generator(0))
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # ITU-R BT.601
    luma = (images * weights).sum(1, keepdim=True).expand_as(found)
    torch.testing.assert_close(found, luma, atol=2e-3, rtol=0)


def test_a_crop_keeps_a_share_of_the_image_in_the_stated_range() -> None:
    side = 64
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    ramps = torch.stack([row, column, row]).float().div(side - 1)[None].repeat(300, 1, 1, 1)
    found = views_on_cpu(ramps, replace(STILL, crop=1.0), generator(1))
    # A ramp's slope after resizing back is the share of the side that was kept.
    down = (found[:, 0, -1] - found[:, 0, 0]).mean(1)
    across = (found[:, 1, :, -1] - found[:, 1, :, 0]).mean(1)
    areas = (down * across).numpy()
    assert areas.min() > 0.45 and areas.max() < 1.01
    # A wide crop of a large share is cut down, so the mean is a little under that of the draw.
    assert np.mean(areas) == pytest.approx(0.75, abs=0.05)
    ratios = (across / down).numpy()
    assert ratios.min() > 0.72 and ratios.max() < 1.40


def test_colours_keep_their_range() -> None:
    found = views_on_cpu(pictures(200), replace(DHD, crop=0.0), generator(0))
    assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6


def test_a_grey_image_has_one_channel_still() -> None:
    images = pictures(50)[:, :1]
    found = views_on_cpu(images, replace(CIBHASH, grey=1.0, jitter=1.0), generator(0))
    assert found.shape == images.shape
    assert torch.isfinite(found).all()


def test_an_image_s_view_does_not_depend_on_the_images_beside_it() -> None:
    images = torch.rand((3, 3, 8, 8), generator=generator(4))
    others = images.clone()
    others[1] = 0
    one, two = (views_on_cpu(batch, DHD, generator(5)) for batch in (images, others))
    assert torch.equal(one[[0, 2]], two[[0, 2]])


def test_the_teacher_s_view_under_dhd_is_changed_less_often_than_the_student_s() -> None:
    images = pictures(400)
    for rule, share in (("dhd", 0.5), ("dhd_alexnet", 0.2)):
        weak = augment(images, rule, generator(0))
        strong = augment(images, rule, generator(0), view=1)
        assert torch.equal(weak, views_on_cpu(images, DHD.weaker(share), generator(0)))
        assert torch.equal(strong, views_on_cpu(images, DHD, generator(0)))
    assert (DHD.crop, DHD.flip, DHD.jitter, DHD.grey, DHD.blur) == (1.0, 0.5, 0.8, 0.2, 0.5)
    assert DHD.strengths == (0.4, 0.8, 0.8, 0.2)


def test_both_views_of_cibhash_follow_one_rule() -> None:
    images = pictures(20)
    first, second = (augment(images, "cibhash", generator(0), view=view) for view in (0, 1))
    assert torch.equal(first, second)
    assert CIBHASH.area == (0.5, 1.0)
    assert (CIBHASH.jitter, CIBHASH.grey, CIBHASH.blur) == (0.7, 0.2, 0.5)


def test_noise_has_the_stated_deviation_and_is_new_for_each_view() -> None:
    images = pictures(300)
    draw = generator(0)
    first, second = augment(images, "noise", draw), augment(images, "noise", draw, view=1)
    assert (first - images).std().item() == pytest.approx(0.15, abs=0.005)
    assert (first - images).mean().item() == pytest.approx(0, abs=0.005)
    assert not torch.equal(first, second)
