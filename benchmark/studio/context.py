"""What the page was started with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be sent to the page.

    Attributes:
        upload_bytes: Of one file, of a zip of images above all.
        image_bytes: Of one image to search with.
        image_pixels: Of one image to search with, decoded.
        files: Of one upload of several.
        matrix_bytes: Of the text of a matrix.
    """

    upload_bytes: int = 2048 * _MIB
    image_bytes: int = 32 * _MIB
    image_pixels: int = 50_000_000
    files: int = 20_000
    matrix_bytes: int = _MIB


@dataclass(frozen=True, slots=True)
class StudioContext:
    """What the page was started with; everything else is read from the store when it is shown.

    Attributes:
        store: The store's folder, absolute.
        data_roots: Absolute folders that may be read: the first one keeps what is imported, and
            images may be imported from any. What is outside of all is never read.
        device: ``auto``, ``cpu`` or ``cuda``, for search and for new matrices.
        plugins: Plugin files, given on to every command that is started.
        limits: What may be sent to the page.
    """

    store: Path
    data_roots: tuple[Path, ...]
    device: str = "auto"
    plugins: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def data_root(self) -> Path:
        """Where imported datasets are kept."""
        return self.data_roots[0]

    @property
    def jobs(self) -> Path:
        """The folder of what the page started, a folder each."""
        return self.store / ".work" / "studio"

    @property
    def trash(self) -> Path:
        """Where deleted fits are moved."""
        return self.store / ".trash"

    def inside(self, name: str) -> Path:
        """A path that a user typed, resolved, if it lies in a data root.

        Args:
            name: Absolute, or relative to the first data root.

        Raises:
            ConfigError: If it is outside of all data roots, also through a link, or not there, or
                a folder with a link that leads out.
        """
        try:
            path = (self.data_root / Path(name.strip()).expanduser()).resolve()
        except (OSError, ValueError, RuntimeError):
            raise ConfigError(f"path {name!r:.200}: is no path") from None
        if not self._has(path):
            roots = ", ".join(str(root) for root in self.data_roots)
            raise ConfigError(
                f"path {name!r:.200}: is outside the data roots ({roots}); start the studio with "
                f"--data-root for the folder above it"
            )
        if not path.exists():
            raise ConfigError(f"path {name!r:.200}: there is no such file or folder")
        for link in _links(path):
            if not self._has(link.resolve()):
                raise ConfigError(f"{link}: a link that leads out of the data roots; remove it")
        return path

    def _has(self, path: Path) -> bool:
        return any(path.is_relative_to(root.resolve()) for root in self.data_roots)


def _links(folder: Path) -> Iterator[Path]:
    """The links below a folder; nothing where it is a file."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir():
                yield from _links(Path(entry.path))
