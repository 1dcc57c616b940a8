"""Cache of the features of frozen backbones, kept with a store and shared by its cells.

The key of an entry is everything the features depend on: the images' bytes, how they become network
input, the backbone's name, parameters, source and weights, precision, device, threads, instruction
set and determinism. A cell therefore gets bit for bit the features it would have computed, and
records the seconds it saved. The folder may be deleted at any time; the least recently used files
are deleted automatically.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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
from hashbench.training.images import DeviceImages
from hashbench.training.phases import PhaseClock

_NAME, _SECONDS, _SHA256 = "features", "seconds", "sha256"
MOST_BYTES = 4 << 30


class FeatureCache:
    """Cached features, one safetensors file for each backbone and image stream.

    Args:
        folder: The folder of the files.
        about: Backbone and source code, as plain data: part of the key.
        most: Largest size of all files together, in bytes.

    Attributes:
        spared: Seconds that this cell saved because other cells had computed features, by phase.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], *, most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._about = dict(about)
        self._uncharged = 0.0
        self.spared: dict[str, float] = {}

    def features(self, extractor: BackboneFeatures, images: ImageStream) -> Tensor:
        """Load features, or compute and store them; float32 (N, feature_dim)."""
        if not isinstance(images, DeviceImages):
            return extractor.extract(images)
        began = time.perf_counter()
        path = self._folder / f"{self._key(extractor, images)}.safetensors"
        found = _read(path)
        if found is None:
            with _locked(path.with_suffix(".lock")):
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
        # With a full disk this cell goes on, and the next one computes the features again.
        with suppress(StoreError):
            write_atomically(path, data)
            self._make_room()
        return features

    def _make_room(self) -> None:
        """Delete the least recently used files until the rest is small enough."""
        with suppress(OSError):
            files = [(path, path.stat()) for path in self._folder.glob("*.safetensors")]
            files.sort(key=lambda file: file[1].st_mtime_ns)
            too_many = sum(about.st_size for _, about in files) - self._most
            for path, about in files[:-1]:
                if too_many > 0:
                    path.unlink()
                    too_many -= about.st_size

    def charge(self, clock: PhaseClock, phase: str) -> None:
        """Add the seconds saved since the last call to a phase.

        Without this, the recorded time of equal cells would depend on which of them came first.
        """
        if self._uncharged:
            clock.add({phase: self._uncharged})
            self.spared[phase] = self.spared.get(phase, 0.0) + self._uncharged
            self._uncharged = 0.0

    def _key(self, extractor: BackboneFeatures, images: DeviceImages) -> str:
        return digest(
            {
                "about": self._about,
                "images": images.fingerprint(),
                "weights": state_sha256(extractor.backbone.state_dict()),
                "precision": extractor.precision,
                "device": _device_name(extractor.device),
                "threads": torch.get_num_threads(),
                "arithmetic": [
                    torch.backends.cpu.get_cpu_capability(),
                    torch.get_deterministic_debug_mode(),
                    torch.backends.cuda.matmul.allow_tf32,
                ],
                "torch": str(torch.__version__),
            }
        )


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Let one process of this machine compute the features while others wait for the result.

    The system releases the lock of a process that dies. Without file locks all processes compute.
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
    """SHA-256 of the values, to detect damage that leaves the file readable."""
    return hashlib.sha256(features.detach().cpu().numpy().data).hexdigest()
