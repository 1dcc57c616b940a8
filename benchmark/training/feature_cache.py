"""Features of a backbone that does not learn, kept beside a store for its other cells.

What is kept is found again by everything the features depend on: the images' bytes, how they
become network input, the backbone's name, parameters, source and weights, precision, device and
threads. So a cell that takes them gets bit for bit what it would have computed, and says what it
was spared. The folder may be deleted at any time; what was not used for longest goes by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hashbench.core.canonical import digest
from hashbench.core.errors import StoreError
from hashbench.core.files import write_atomically
from hashbench.methods.building_blocks.features import BackboneFeatures
from hashbench.methods.interface import ImageStream
from hashbench.training.backbone import state_sha256
from hashbench.training.phases import PhaseClock

_NAME, _SECONDS, _SHA256 = "features", "seconds", "sha256"
MOST_BYTES = 4 << 30


@runtime_checkable
class Fingerprinted(Protocol):
    """Images that can say what they are."""

    def fingerprint(self) -> str:
        """SHA-256 of the images' bytes and of how they become network input."""
        ...


class FeatureCache:
    """Features by what they depend on, one safetensors file each.

    Args:
        folder: Where the files are.
        about: What else decides the features, as plain data: the backbone, its source.
        most: Bytes that the files together may have.

    Attributes:
        spared: Seconds that other cells spent instead of this one, by phase.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], *, most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._about = dict(about)
        self._uncharged = 0.0
        self.spared: dict[str, float] = {}

    def features(self, extractor: BackboneFeatures, images: ImageStream) -> Tensor:
        """Take what another cell computed, or compute and keep it; float32 (N, feature_dim)."""
        if not isinstance(images, Fingerprinted):
            return extractor.extract(images)
        began = time.perf_counter()
        path = self._folder / f"{self._key(extractor, images)}.safetensors"
        found = _read(path)
        if found is None:
            with _alone(path.with_suffix(".lock")):
                found = _read(path)
                if found is None:
                    return self._computed(extractor, images, path, began)
        kept, seconds = found
        self._uncharged += max(0.0, seconds - (time.perf_counter() - began))
        return kept

    def _computed(
        self, extractor: BackboneFeatures, images: ImageStream, path: Path, began: float
    ) -> Tensor:
        features = extractor.extract(images).contiguous()
        seconds = time.perf_counter() - began
        about = {_SECONDS: repr(seconds), _SHA256: _digest(features)}
        data = save({_NAME: features}, metadata=about)
        # A full disk costs the next cell its time and this one nothing.
        with suppress(StoreError):
            write_atomically(path, data)
            self._make_room()
        return features

    def _make_room(self) -> None:
        """Delete what was not used for longest, until the rest is few enough bytes."""
        with suppress(OSError):
            files = [(path, path.stat()) for path in self._folder.glob("*.safetensors")]
            files.sort(key=lambda file: file[1].st_mtime_ns)
            too_many = sum(about.st_size for _, about in files) - self._most
            for path, about in files[:-1]:
                if too_many > 0:
                    path.unlink()
                    too_many -= about.st_size

    def charge(self, clock: PhaseClock, phase: str) -> None:
        """Count what was spared since the last call as time of a phase.

        Without it, which of equal cells came first would decide what their training took.
        """
        if self._uncharged:
            clock.add({phase: self._uncharged})
            self.spared[phase] = self.spared.get(phase, 0.0) + self._uncharged
            self._uncharged = 0.0

    def _key(self, extractor: BackboneFeatures, images: Fingerprinted) -> str:
        return digest(
            {
                "about": self._about,
                "images": images.fingerprint(),
                "weights": state_sha256(extractor.backbone.state_dict()),
                "precision": extractor.precision,
                "device": _device_name(extractor.device),
                "threads": torch.get_num_threads(),
                "torch": str(torch.__version__),
            }
        )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Be the only one on this machine that computes them; others wait, for their result.

    The system lets go of the lock of a process that dies. Where there can be no lock, all compute.
    """
    with suppress(OSError):
        lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = lock.open("w")
    except OSError:
        yield
        return
    with file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _read(path: Path) -> tuple[Tensor, float] | None:
    try:
        with safe_open(path, framework="pt") as file:
            features: Tensor = file.get_tensor(_NAME)
            about = file.metadata() or {}
        whole = about.get(_SHA256) == _digest(features)
        os.utime(path)
    except (OSError, SafetensorError):
        return None
    return (features, float(about[_SECONDS])) if whole else None


def _digest(features: Tensor) -> str:
    """SHA-256 of the values: damage that leaves the file's form alone would change results."""
    return hashlib.sha256(features.detach().cpu().numpy().data).hexdigest()
