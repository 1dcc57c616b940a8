"""Download the datasets that need no registration, through torchvision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hashbench.core.errors import ConfigError, DataError


def can_download(dataset: str) -> bool:
    """Whether a dataset can be fetched by `download`."""
    return dataset in _FETCHERS


def download(dataset: str, root: Path) -> None:
    """Download the original files of a dataset into the data root, made if it does not exist.

    Raises:
        ConfigError: If the dataset must be fetched by hand.
        DataError: If there is no connection, or the downloaded file is not the published one.
    """
    if dataset not in _FETCHERS:
        raise ConfigError(
            f"{dataset} cannot be downloaded by hashbench; those that can: "
            f"{', '.join(sorted(_FETCHERS))}"
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        _FETCHERS[dataset](root)
    # No connection is an OSError; torchvision raises RuntimeError for a file with another checksum.
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{dataset}: the download into {root} failed: {reason}; fetch it on a machine with "
            f"internet and copy it there"
        ) from None


def _torchvision(name: str, **options: str) -> Callable[[Path], None]:
    def fetch(root: Path) -> None:
        from torchvision import datasets

        getattr(datasets, name)(root, download=True, **options)

    return fetch


_FETCHERS = {
    "cifar10": _torchvision("CIFAR10"),
    "fashion_mnist": _torchvision("FashionMNIST"),
    "voc2012": _torchvision("VOCDetection", year="2012", image_set="trainval"),
}
