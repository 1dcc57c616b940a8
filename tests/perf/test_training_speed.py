"""What images cost a training step; with benchmarks disabled, one batch at tiny size.

``pytest tests/perf/test_training_speed.py --benchmark-enable`` measures a batch of 64 squares of
224 pixels out of 256, augmented and normalised. ``python tools/training_speed.py`` compares
whole trainings with the field's loop.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training_speed_subjects import HELD_SIDE, SIDE, choice, protocol

from hashbench.training.determinism import generator
from hashbench.training.images import DeviceImages

BATCH, TINY = 64, 2
RULES = ["none", "crop_flip", "crop_flip_jitter", "resized_crop", "resized_crop_jitter"]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_a_batch_of_large_images(benchmark, rule, channels_last):
    count = TINY if benchmark.disabled else BATCH
    held = np.random.default_rng(0).integers(
        0, 256, (count, HELD_SIDE, HELD_SIDE, 3), dtype=np.uint8
    )
    stream = DeviceImages(
        held,
        choice=choice(SIDE),
        protocol=protocol(),
        augmentation=rule,
        device=torch.device("cpu"),
        channels_last=channels_last,
    )
    draw = generator(0)

    found = benchmark(stream.batch, torch.arange(count), draw)

    assert found.shape == (count, 3, SIDE, SIDE)
