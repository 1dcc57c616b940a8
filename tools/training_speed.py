"""How fast training and encoding are: against the field's loop, and against one resident batch.

``python tools/training_speed.py [--quick]`` prints a table of images a second at 224 pixels.
What is compared takes turns in one run, and each figure is of the shortest of several turns, so
that a busy machine is busy for all. Both train the same network with HashNet's loss and Adam.

*The field's loop* decodes JPEG files with PIL, transforms them with torchvision in four worker
processes of a DataLoader and computes in float32. *Ours* reads squares decoded once and mapped from
a file. *Resident* is the same training fed with one random batch: what is left when images cost
nothing. *Data* is the share of our time that goes into getting and augmenting images.

On a CUDA device it goes on with ``python tools/device_training_speed.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import device_training_speed as device_speed
import numpy as np
import torch
from field_loop import FieldLoop, Photos, decode_squares, write_photos
from numpy.typing import NDArray
from training_speed_subjects import (
    BITS,
    FAST_BF16,
    FAST_FP32,
    FIELD,
    SIDE,
    Mode,
    ResidentBatch,
    Subject,
    Turn,
    build_loss,
    build_subject,
    image_stream,
)

from hashbench.core.cell import Head
from hashbench.core.environment import capture
from hashbench.core.errors import ExitCode
from hashbench.core.registry import Kind, registry
from hashbench.methods.heads import build_head
from hashbench.training.network import FeatureNetwork, encode_outputs

CPU: Final = torch.device("cpu")
LOSSES: Final = (
    *("csq", "dch", "dhn", "dpn", "dpsh", "dsh", "dtsh", "greedyhash", "hashnet", "orthohash"),
)
LENGTHS, EPOCHS, TRAINED, HELD, EVERY = 4, 150, 5_000, 55_000, 15
"""A grid's code lengths, and a cell of the field's on CIFAR-10: epochs, images, re-encoding."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        turns: Of each.
        photos: Files.
        batch: Images a step.
        steps: Steps of one turn of AlexNet; ResNet-18 takes half as many.
    """

    turns: int
    photos: int
    batch: int
    steps: int


WHOLE: Final = Plan(turns=6, photos=128, batch=64, steps=2)
QUICK: Final = Plan(turns=1, photos=64, batch=32, steps=1)
TINY: Final = Plan(turns=1, photos=4, batch=2, steps=1)


@dataclass(frozen=True, slots=True)
class Material:
    """The same images in files and decoded."""

    paths: list[Path]
    squares: NDArray[np.uint8]


def shortest(works: Mapping[str, Callable[[], Turn]], turns: int) -> dict[str, Turn]:
    """Each one's fastest turn, taken in turns."""
    taken = [{name: work() for name, work in works.items()} for _ in range(turns)]
    return {name: max((turn[name] for turn in taken), key=lambda turn: turn.rate) for name in works}


def training(
    backbone: str, modes: Mapping[str, Mode], material: Material, plan: Plan, *, steps: int
) -> dict[str, Turn]:
    """Train a backbone by every loop; ``field``, and for every mode ``NAME`` and ``NAME fed``."""
    length = plan.batch * steps

    def build(mode: Mode) -> Subject:
        return build_subject(backbone, mode, length=length, batch_size=plan.batch, device=CPU)

    photos = Photos(material.paths, length, training=True)
    works = {"field": FieldLoop(build(FIELD), photos, training=True).train}
    for name, mode in modes.items():
        subject = build(mode)
        stream = image_stream(material.squares, mode, length=length, device=CPU)
        fed = ResidentBatch(_random_batch(plan.batch, mode), length)
        subject.train(ResidentBatch(_random_batch(2, mode), 2))  # plans the kernels
        works[name] = partial(subject.train, stream)
        works[f"{name} fed"] = partial(subject.train, fed)
    return shortest(works, plan.turns)


def encoding(backbone: str, material: Material, plan: Plan) -> dict[str, Turn]:
    """Encode with a backbone by both loops, ours in bf16: ``field`` and ``ours``."""
    length = 2 * plan.batch
    field, ours = (
        build_subject(backbone, mode, length=length, batch_size=plan.batch, device=CPU)
        for mode in (FIELD, FAST_BF16)
    )
    photos = Photos(material.paths, length, training=False)
    stream = image_stream(material.squares, FAST_BF16, length=length, device=CPU)

    def encode() -> Turn:
        began = time.perf_counter()
        encode_outputs(ours.network, stream)
        return Turn(length, time.perf_counter() - began, 0.0)

    published = FieldLoop(field, photos, training=False)
    return shortest({"field": published.encode, "ours": encode}, plan.turns)


def head_seconds(feature_dim: int) -> float:
    """Seconds of an epoch of each loss's head on as many cached features as CIFAR-10 trains on.

    On one thread: a head is too small for more.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    features = torch.randn(TRAINED, feature_dim)
    total = 0.0
    for name in LOSSES:
        cls = registry().load(Kind.LOSS, name)
        head = build_head(Head(last_layer=cls.needs.last_layer or "linear"), feature_dim, bits=BITS)
        network = FeatureNetwork(head, precision=FIELD.precision)
        loss = build_loss(name, length=TRAINED, batch_size=64, device=CPU)
        subject = Subject(network, loss, mode=FIELD, batch_size=64, device=CPU)
        total += subject.train(_Rows(features, TRAINED)).seconds
    return total


class _Rows(ResidentBatch):
    """Cached features, a row an image."""

    def batch(
        self, indices: torch.Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> torch.Tensor:
        """Rows of the features."""
        del augment_with, view
        return self._batch[indices]


def grid_lines(
    field: float, field_encoding: float, ours_encoding: float, epoch: float
) -> list[str]:
    """The grid of frozen features against one cell of the field's, extrapolated.

    Args:
        field: Images a second that the field's loop trains on.
        field_encoding: Images a second that it encodes.
        ours_encoding: Images a second that ours encodes.
        epoch: Seconds of one epoch of the heads of all losses at one code length.
    """
    cell = EPOCHS * TRAINED / field + EPOCHS / EVERY * HELD / field_encoding
    features, heads = (TRAINED + HELD) / ours_encoding, LENGTHS * EPOCHS * epoch
    grid = features + heads
    return [
        f"One cell of the field's loop ({EPOCHS} epochs of {TRAINED:,} images, {HELD:,} encoded "
        f"every {EVERY}): {cell / 3600:.1f} h, extrapolated.",
        f"{len(LOSSES)} losses x {LENGTHS} code lengths on features computed once, {EPOCHS} epochs "
        f"each: {grid / 3600:.2f} h, extrapolated ({features / 3600:.2f} h features, "
        f"{heads / 3600:.2f} h heads), {cell / grid:.1f} times less.",
    ]


def measure(plan: Plan) -> Sequence[str]:
    """Measure all, printing each row when it is there; the lines of the grid's statement."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder), plan.photos)
        began = time.perf_counter()
        squares = decode_squares(paths, Path(folder) / "squares.npy")
        decoding = plan.photos / (time.perf_counter() - began)
        print(f"decoding once: {decoding:.0f} images/s on one core\n")
        print("| what | field | ours | times | wanted | resident | ours / resident | data |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        material = Material(paths, squares)
        modes = {"fp32": FAST_FP32, "bf16": FAST_BF16}
        alexnet = training("alexnet", modes, material, plan, steps=plan.steps)
        print_training("AlexNet fp32", alexnet, "fp32", wanted=1.35)
        print_training("AlexNet bf16", alexnet, "bf16", wanted=1.8)
        steps = max(1, plan.steps // 2)
        resnet = training("resnet18", {"bf16": FAST_BF16}, material, plan, steps=steps)
        print_training("ResNet-18 bf16", resnet, "bf16", wanted=1.7)
        encoded = {name: encoding(name, material, plan) for name in ("alexnet", "resnet18")}
    for name, turns in encoded.items():
        times = turns["ours"].rate / turns["field"].rate
        rates = f"{turns['field'].rate:.1f} | {turns['ours'].rate:.1f}"
        print(f"| {name} encoding bf16 | {rates} | {times:.2f} | 1.80 | | | |", flush=True)
    found = encoded["resnet18"]
    heads = head_seconds(512)
    return grid_lines(resnet["field"].rate, found["field"].rate, found["ours"].rate, heads)


def print_training(what: str, turns: Mapping[str, Turn], name: str, *, wanted: float) -> None:
    """One row of the table."""
    field, ours, fed = turns["field"], turns[name], turns[f"{name} fed"]
    cells = (
        *(what, f"{field.rate:.1f}", f"{ours.rate:.1f}", f"{ours.rate / field.rate:.2f}"),
        *(f"{wanted:.2f}", f"{fed.rate:.1f}", f"{ours.rate / fed.rate:.3f}"),
        f"{ours.data_share:.1%}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def _random_batch(size: int, mode: Mode) -> torch.Tensor:
    batch = torch.randn(size, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return batch.contiguous(memory_format=torch.channels_last) if mode.channels_last else batch


def main(arguments: Sequence[str]) -> ExitCode:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(prog="python tools/training_speed.py", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="one turn each, within a minute")
    sizes.add_argument("--tiny", action="store_true", help="to see that it runs; says nothing")
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else TINY if options.tiny else WHOLE
    here = capture(device="cpu", threads=torch.get_num_threads())
    print(f"{here.machine}; {here.software}\n", flush=True)
    print(f"images/s, best of {plan.turns}; ", end="")
    for line in measure(plan):
        print(f"\n{line}")
    if torch.cuda.is_available():
        print()
        return device_speed.main([])
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
