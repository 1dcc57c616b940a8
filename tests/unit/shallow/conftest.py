"""A stream of random images and the context of a cell, for shallow methods."""

from collections.abc import Callable

import pytest
import torch

from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.methods.interface import TrainContext, TrainView


class RandomImages:
    """An image stream over a tensor (N, channels, side, side) in [0, 1]."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, indices: torch.Tensor) -> torch.Tensor:
        return self.images[indices]

    def batch(self, indices, augment=None):
        assert augment is None, "features are of un-augmented images"
        return (self.images[indices] - 0.5).expand(-1, 3, -1, -1)

    def blocks(self, size: int):
        yield from torch.arange(len(self)).split(size)


@pytest.fixture
def images() -> Callable[..., RandomImages]:
    def make(count=60, *, side=4, seed=0):
        generator = torch.Generator().manual_seed(seed)
        # Correlated pixels, so that principal components differ in variance.
        mix = torch.rand(side * side, side * side, generator=generator)
        flat = torch.rand(count, side * side, generator=generator) @ mix / (side * side)
        return RandomImages(flat.reshape(count, 1, side, side))

    return make


@pytest.fixture
def view() -> Callable[[RandomImages], TrainView]:
    return lambda stream: TrainView(stream, torch.zeros(len(stream), 2), multilabel=False)


@pytest.fixture
def context() -> Callable[..., TrainContext]:
    def make(seed=0, bits=8):
        data = DataChoice("toy", 1, "toy@1", "0" * 64, image_size=4)
        cell = Cell(data, bits, seed, method=Component("shallow", 1))
        return TrainContext(cell, torch.device("cpu"))

    return make
