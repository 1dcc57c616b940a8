"""Load a dataset, split it by a protocol, and check both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hashbench.core.cell import Subset
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.datasets.interface import Dataset, ImageData, Split
from hashbench.datasets.labels import keep_columns
from hashbench.datasets.protocols.checks import (
    check_images,
    check_split,
    identical_queries,
    searched_queries,
    unchecked,
)
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol, protocols_of
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.datasets.protocols.subset import draw_subset
from hashbench.datasets.reading.index_list import digest_positions
from hashbench.datasets.roots import data_root, look_in


@dataclass(frozen=True, slots=True, eq=False)
class LoadedData:
    """A checked dataset and its split.

    Attributes:
        data: All images and labels of the dataset.
        split: The lists as used, after a subset was drawn.
        protocol: The protocol's definition.
        checksums: SHA-256 of ``pixels``, ``labels`` and the lists as used, by role.
        sizes: Images by role as used, and ``images`` and ``classes`` of the whole dataset.
        warnings: Warnings for the record, one line each.
    """

    data: ImageData
    split: Split
    protocol: ProtocolSpec
    checksums: Mapping[str, str]
    sizes: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def load_data(
    dataset: str, protocol: str, *, subset: Subset | None = None, root: Path | None = None
) -> LoadedData:
    """Load a dataset, check it against a protocol, and split it.

    Args:
        dataset: The dataset's name in the registry.
        protocol: ``NAME@VERSION``.
        subset: The part of the protocol to use, if not all of it.
        root: The user's data root; see `data_root`.

    Returns:
        The images, the lists and their checksums.

    Raises:
        ConfigError: If a name is unknown, the protocol is another dataset's, or the subset is
            larger than a list.
        DataError: If files are missing or damaged, or anything is not what the protocol states.

    Example:
        >>> loaded = load_data("fashion_mnist_mini", "fashion-mnist-mini@1")
        >>> loaded.sizes["database"]
        5000
    """
    look_in(root)
    source = registry().get(Kind.DATASET, dataset)
    spec = load_protocol(protocol)
    if spec.dataset != dataset:
        raise ConfigError(
            f"protocol '{protocol}' is for the dataset '{spec.dataset}', not '{dataset}'. "
            f"Protocols of '{dataset}': {', '.join(protocols_of(dataset)) or 'none'}."
        )
    component: Dataset = source.load()()
    return prepare(component.load(data_root(root)), spec, subset=subset)


def prepare(data: ImageData, spec: ProtocolSpec, *, subset: Subset | None = None) -> LoadedData:
    """Check a decoded dataset against a protocol, and split it.

    Raises:
        ConfigError: If the subset is larger than a list.
        DataError: If anything is not what the protocol states.
    """
    data = keep_columns(data, spec.columns)
    checksums = check_images(data, spec)
    whole = spec.sampling.split(data.labels)
    check_split(whole, spec)
    quirks = (*searched_queries(whole), *identical_queries(data, whole))
    warnings = (*data.warnings, *unchecked(spec), *quirks)
    used = draw_subset(whole, data.labels, subset=subset) if subset else whole
    lists = {role: getattr(used, role) for role in ROLES}
    return LoadedData(
        data=data,
        split=used,
        protocol=spec,
        checksums=checksums | {role: digest_positions(lists[role]) for role in ROLES},
        sizes={role: len(lists[role]) for role in ROLES}
        | {"images": len(data), "classes": len(data.classes)},
        warnings=warnings,
    )
