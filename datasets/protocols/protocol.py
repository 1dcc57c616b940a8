"""Protocols: versioned definitions of the training, query and database images of a dataset.

A definition is ``protocols/NAME@VERSION.toml`` beside the file of its dataset (in this package,
another package or a plugin), or in the folder of an imported dataset. Its digest is part of every
fit id, so a published file never changes what it defines: a change is a new version. The digest is
taken over the parsed TOML without ``notes``, which only explains.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hashbench.core.canonical import digest
from hashbench.core.errors import ConfigError, DataError, did_you_mean
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.protocol_file import ProtocolFile, sampling_rule
from hashbench.datasets.protocols.sampling import PerClass, SamplingRule
from hashbench.datasets.roots import imported_folders

_BESIDE = "protocols"
FOLDER = Path(__file__).parent
_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Origin:
    """The larger dataset that a dataset was drawn from.

    Attributes:
        dataset: Its name.
        sampling: The rule of the draw.
    """

    dataset: str
    sampling: PerClass


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """A protocol's definition.

    Attributes:
        name: ``NAME@VERSION``.
        dataset: The dataset it cuts, by its registry name.
        images: Number of images of the whole dataset.
        shape: Height and width of an image, and 3 for colour; None where sizes vary.
        classes: Number of label columns.
        relevance: When two images are relevant to each other; ``shared-label``.
        train_in_database: Whether the training images are in the database too.
        map_at: The customary cut-off of mAP; None for all.
        image_size: Side of the square network input, in pixels.
        augmentation: ``none``, ``flip`` or ``crop_flip``: the field's usual choice for this data.
        mean: Per channel, of pixels in [0, 1].
        std: Per channel, of pixels in [0, 1].
        sampling: The rule that makes the lists.
        sizes: Images by role: ``train``, ``query``, and ``database`` where it is known.
        checksums: SHA-256 of ``pixels``, ``labels`` and the three lists, as far as known.
        notes: Sources and remarks; not part of the definition.
        sha256: Digest of the definition.
        columns: Classes of the dataset that count, in the order of the labels; none means all.
        origin: The larger dataset that the dataset was drawn from, if it was made for this
            protocol.
        queries_in_database: Whether queries may be in the database too, as in some published
            lists; every record then carries a warning.
    """

    name: str
    dataset: str
    images: int
    shape: tuple[int, ...] | None
    classes: int
    relevance: str
    train_in_database: bool
    map_at: int | None
    image_size: int
    augmentation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    sampling: SamplingRule
    sizes: Mapping[str, int]
    checksums: Mapping[str, str]
    notes: str
    sha256: str
    columns: tuple[str, ...] = ()
    origin: Origin | None = None
    queries_in_database: bool = False


def protocol_names() -> list[str]:
    """Return the sorted names of all protocols, ``NAME@VERSION``."""
    return sorted(_files())


def protocols_of(dataset: str) -> list[str]:
    """Return the sorted names of a dataset's protocols."""
    return [name for name in protocol_names() if load_protocol(name).dataset == dataset]


def load_protocol(name: str) -> ProtocolSpec:
    """Look up a protocol's definition; no image is read.

    Args:
        name: ``NAME@VERSION``.

    Raises:
        ConfigError: If no protocol has that name (the message names the nearest), or if two
            datasets bring one of that name.
        DataError: If its file is damaged.

    Example:
        >>> load_protocol("fashion-mnist-mini@1").sizes["query"]
        500
    """
    files = _files()
    if name not in files:
        raise ConfigError(f"unknown protocol '{name}'. {did_you_mean(name, sorted(files))}")
    first, *others = files[name]
    if others:
        raise ConfigError(
            f"two protocols are named '{name}': {first} and {others[0]}. Rename one of them."
        )
    return read_protocol(first)


def _files() -> dict[str, list[Path]]:
    """Find the protocol files by name; two files of one name are refused when it is looked up."""
    files: dict[str, list[Path]] = {}
    for folder in _folders():
        for path in sorted(folder.glob(f"*@*{_SUFFIX}")):
            files.setdefault(path.name.removesuffix(_SUFFIX), []).append(path)
    return files


def _folders() -> list[Path]:
    """Return the folders of protocols: beside each dataset's source, and in imported datasets.

    The source is found without importing it.
    """
    folders = [FOLDER]
    for name in registry().names(Kind.DATASET):
        try:
            source = registry().get(Kind.DATASET, name).source()
        except ConfigError:
            continue  # a broken dataset is reported when it is used; the others still work
        folders.append(source.with_name(_BESIDE))
    folders += [folder / _BESIDE for folder in imported_folders().values()]
    return list(dict.fromkeys(folders))


def read_protocol(path: Path) -> ProtocolSpec:
    """Read a protocol file.

    Args:
        path: ``NAME@VERSION.toml``; the index lists it names lie beside it.

    Raises:
        DataError: If the file is missing, is no TOML, or does not follow the schema.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"protocol {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"protocol {path}: not a TOML file: {error}") from None
    file = ProtocolFile.parse(raw, path)
    return _spec(file, path.parent, sha256=digest({k: v for k, v in raw.items() if k != "notes"}))


def _spec(file: ProtocolFile, folder: Path, *, sha256: str) -> ProtocolSpec:
    origin = file.origin
    return ProtocolSpec(
        name=f"{file.name}@{file.version}",
        dataset=file.dataset,
        images=file.images.count,
        shape=file.images.shape,
        classes=file.images.classes,
        relevance=file.relevance,
        train_in_database=file.train_in_database,
        map_at=None if file.map_at == "all" else file.map_at,
        image_size=file.input.image_size,
        augmentation=file.input.augmentation,
        mean=file.input.mean,
        std=file.input.std,
        sampling=sampling_rule(file.sampling, folder),
        sizes=file.sizes.model_dump(exclude_none=True),
        checksums=file.sha256.model_dump(exclude_none=True),
        notes=file.notes,
        sha256=sha256,
        columns=file.labels.columns if file.labels else (),
        origin=Origin(origin.dataset, PerClass(origin.sampling.seed, origin.sampling.draws()))
        if origin
        else None,
        queries_in_database=file.queries_in_database,
    )
