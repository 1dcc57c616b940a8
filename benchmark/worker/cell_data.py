"""The images and labels of one cell, on the device that the cell runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.job import Job
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.subset import hold_out
from hashbench.methods.interface import TrainView
from hashbench.store.codes import EncodedSplit
from hashbench.training.images import DeviceImages


@dataclass(frozen=True, slots=True, eq=False)
class CellData:
    """The loaded dataset of a cell, with the positions that are trained on and held out.

    Attributes:
        train: Dataset positions of the images that are trained on, int64.
        validation: Dataset positions held out of the training set, int64, or None.
    """

    cell: Cell
    device: torch.device
    loaded: LoadedData
    train: NDArray[np.int64]
    validation: NDArray[np.int64] | None

    @classmethod
    def load(cls, job: Job, device: torch.device) -> CellData:
        """Load the dataset of a job's cell and hold out its validation part.

        Raises:
            DataError: If the data are not what the protocol says.
        """
        choice, settings = job.cell.data, job.cell.train
        loaded = load_data(choice.name, choice.protocol, subset=choice.subset, root=job.data_root)
        train = loaded.split.train
        validation = settings.validation if settings else None
        if validation is None:
            return cls(job.cell, device, loaded, train, None)
        kept, held = hold_out(loaded.data.labels[train], validation.fraction, seed=validation.seed)
        return cls(job.cell, device, loaded, train[kept], train[held])

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Labels of the whole dataset, multi-hot, uint8 (images, classes)."""
        return self.loaded.data.labels

    def images(self, role: Role, *, first: int | None = None) -> DeviceImages:
        """All images of a role, or the first few."""
        return self._stream(self._positions(role)[:first])

    def validation_images(self) -> DeviceImages | None:
        """The images held out of the training set, if any."""
        return None if self.validation is None else self._stream(self.validation)

    def training_view(self) -> TrainView:
        """The training images, augmented as the cell says, and their labels on the device."""
        augmentation = self.cell.train.augmentation if self.cell.train else "none"
        return TrainView(
            self._stream(self.train, augmentation=augmentation),
            torch.from_numpy(self.labels[self.train]).float().to(self.device),
            bool((self.labels.sum(axis=1) > 1).any()),
        )

    def split(self, query: Codes | Embeddings, database: Codes | Embeddings) -> EncodedSplit:
        """Join the codes of both roles with their labels."""
        labels = (self.labels[self._positions(role)] for role in (Role.QUERY, Role.DATABASE))
        return EncodedSplit(query, database, *labels)

    def _positions(self, role: Role) -> NDArray[np.int64]:
        split = self.loaded.split
        return split.query if role is Role.QUERY else split.database

    def _stream(self, positions: NDArray[np.int64], *, augmentation: str = "none") -> DeviceImages:
        return DeviceImages(
            self.loaded.data.images,
            positions=positions,
            choice=self.cell.data,
            protocol=self.loaded.protocol,
            augmentation=augmentation,
            device=self.device,
            channels_last=self.cell.channels_last,
        )
