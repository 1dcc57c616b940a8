"""Measure what pinned instruction sets cost: seconds pinned over seconds not pinned.

``python tools/pinning_cost.py`` measures by turns in a process with the pins and in one without,
and prints the median ratio of their processor times for each network and for ITQ. ``--turns N``
takes another number of turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from hashbench.core.pinning import pins

NETWORKS = {"mlp": 28, "resnet_mini": 28, "ae_vit_mini": 28, "timm/vit_tiny_patch16_224": 224}
ITQ_SHAPE, ITQ_BITS = (2_000, 256), 64  # images, features
IMAGES = {28: 512, 224: 16}
TURNS = 7


def training(backbone: str, side: int) -> Callable[[], object]:
    """Return a function that trains a backbone for one epoch on a resident batch."""
    import torch
    from training_speed_subjects import FIELD, ResidentBatch, build_subject

    torch.set_num_threads(1)
    length = IMAGES[side]
    batch_size = min(64, length)
    subject = build_subject(
        backbone,
        FIELD,
        length=length,
        batch_size=batch_size,
        device=torch.device("cpu"),
        side=side,
    )
    images = ResidentBatch(torch.randn(batch_size, 3, side, side), length)
    return lambda: subject.train(images)


def itq() -> Callable[[], object]:
    """Return a function that fits ITQ's rotation to random features."""
    import torch

    from hashbench.methods.building_blocks.features import PixelFeatures
    from hashbench.methods.shallow.itq import ITQ

    torch.set_num_threads(1)
    features = torch.randn(*ITQ_SHAPE, dtype=torch.float64)
    method = ITQ(ITQ.Params(), bits=ITQ_BITS, features=PixelFeatures())
    return lambda: method.learn(features, torch.Generator().manual_seed(0))


def one_turn(name: str) -> float:
    """Warm a subject up, then measure one turn of it: seconds of processor time."""
    work = itq() if name == "itq" else training(name, NETWORKS[name])
    work()
    began = time.process_time()
    work()
    return time.process_time() - began


def turn_under(name: str, variables: dict[str, str]) -> float:
    """Measure one turn in a process of its own, under some environment variables."""
    bare = {key: value for key, value in os.environ.items() if key not in pins()}
    command = [sys.executable, __file__, "--one", name]
    done = subprocess.run(  # noqa: S603 - this program itself
        command, env={**bare, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout)


def cost(name: str, turns: int) -> float:
    """Measure one subject: the median ratio of pinned to unpinned turns."""
    return statistics.median(turn_under(name, pins()) / turn_under(name, {}) for _ in range(turns))


def main(arguments: Sequence[str]) -> None:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(one_turn(options.one))
        return
    print("| what | pinned / not pinned |\n| --- | --- |")
    for name in (*NETWORKS, "itq"):
        print(f"| {name} | {cost(name, options.turns):.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
