"""The loop the field trains with: JPEG files, PIL, torchvision transforms, DataLoader workers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from training_speed_subjects import CLASSES, HELD_SIDE, SIDE, Subject, Turn

from hashbench.methods.interface import HashBatch
from hashbench.training.images import IMAGENET

WORKERS: Final = 4
_PHOTO: Final = (500, 375)
_QUALITY: Final = 90


def write_photos(folder: Path, count: int) -> list[Path]:
    """JPEG files of a photo's size and amount of detail (about 80 kB), the same at every call."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(_PHOTO, Image.Resampling.BICUBIC))
        noise = rng.normal(0, 14, smooth.shape)
        paths.append(folder / f"{number:04d}.jpg")
        photo = (smooth + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(photo).save(paths[-1], quality=_QUALITY)
    return paths


def decode_squares(paths: list[Path], file: Path) -> NDArray[np.uint8]:
    """Decode once: shorter side to 256, middle square, into a memory-mapped file."""
    squares = np.lib.format.open_memmap(
        file, mode="w+", dtype=np.uint8, shape=(len(paths), HELD_SIDE, HELD_SIDE, 3)
    )
    fit = transforms.Compose([transforms.Resize(HELD_SIDE), transforms.CenterCrop(HELD_SIDE)])
    for row, path in zip(squares, paths, strict=True):
        with Image.open(path) as photo:
            row[:] = np.asarray(fit(photo.convert("RGB")))
    squares.flush()
    return np.load(  # type: ignore[no-any-return]  # numpy does not type it
        file, mmap_mode="r", allow_pickle=False
    )


class Photos(Dataset[tuple[Tensor, Tensor, int]]):
    """A list of files as published code reads it.

    Args:
        paths: The files.
        length: How many items; the files come over and over.
        training: Whether crops and mirrors are drawn.
    """

    def __init__(self, paths: list[Path], length: int, *, training: bool) -> None:
        cut = (
            [transforms.RandomHorizontalFlip(), transforms.RandomCrop(SIDE)]
            if training
            else [transforms.CenterCrop(SIDE)]
        )
        finish = [transforms.ToTensor(), transforms.Normalize(*IMAGENET)]
        self._transform = transforms.Compose([transforms.Resize(HELD_SIDE), *cut, *finish])
        self._paths = paths
        self._length = length
        self._labels = torch.eye(CLASSES)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        """Image (3, 224, 224), label (classes,) and position."""
        photo = Image.open(self._paths[index % len(self._paths)]).convert("RGB")
        return self._transform(photo), self._labels[index % CLASSES], index


class FieldLoop:
    """A data loader with its workers started, and what published code does with it.

    The workers stay between epochs, and fetch nothing until one begins: their start, which weighs
    little in an epoch of thousands of images and much in one of a few, is in no figure.

    Args:
        subject: What is trained or encodes, in `speed_subjects.FIELD` mode.
        photos: The images.
        training: Whether they are shuffled.
    """

    def __init__(self, subject: Subject, photos: Photos, *, training: bool) -> None:
        self._subject = subject
        self._photos = photos
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of more workers than processors: the field has four
            self._loader = DataLoader(
                photos,
                batch_size=subject.settings.batch_size,
                shuffle=training,
                num_workers=WORKERS,
                persistent_workers=True,
            )
            for _ in self._loader:
                pass

    def train(self) -> Turn:
        """One epoch."""
        subject, device = self._subject, self._subject.device
        subject.network.train()

        def step(images: Tensor, labels: Tensor, indices: Tensor) -> None:
            subject.optimiser.zero_grad()
            outputs, features = subject.network(images.to(device))
            batch = HashBatch(outputs, features, labels.to(device), indices.to(device), 0.0)
            total = subject.loss(batch).total
            total.backward()
            subject.optimiser.step()
            total.item()  # published code adds the loss up in Python

        return self._over_all(step)

    @torch.no_grad()
    def encode(self) -> Turn:
        """Codes of all images."""
        self._subject.network.eval()

        def step(images: Tensor, labels: Tensor, indices: Tensor) -> None:
            del labels, indices
            self._subject.network(images.to(self._subject.device))[0].sign().cpu()

        return self._over_all(step)

    def _over_all(self, step: Callable[[Tensor, Tensor, Tensor], None]) -> Turn:
        began, waited = time.perf_counter(), 0.0
        batches = iter(self._loader)
        while True:
            asked = time.perf_counter()
            found = next(batches, None)
            waited += time.perf_counter() - asked
            if found is None:
                return Turn(len(self._photos), time.perf_counter() - began, waited)
            step(*found)
