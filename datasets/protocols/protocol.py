"""Protocols: versioned definitions of what is trained on, searched in and asked for.

A definition is ``protocols/NAME@VERSION.toml`` beside the file that a dataset is written in, be it
ours, another package's or a plugin's, or in the folder of an imported dataset. Its digest is part
of every fit id, so a published file is never changed in what it defines: a change is a new version.
The digest is taken over the parsed TOML without ``notes``, which only explains.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hashbench.core.canonical import digest
from hashbench.core.errors import ConfigError, DataError, did_you_mean
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.random_sampling import RandomDraw
from hashbench.datasets.protocols.sampling import IndexLists, PerClass, UnseenClasses
from hashbench.datasets.protocols.walk_sampling import Walk
from hashbench.datasets.roots import imported_folders

_BESIDE = "protocols"
FOLDER = Path(__file__).parent
_SUFFIX = ".toml"
_NOT_DEFINING = ("notes",)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dataset made for a protocol was drawn from.

    Attributes:
        dataset: The larger dataset.
        sampling: How it was drawn from it.
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
        augmentation: ``none``, ``flip`` or ``crop_flip``: what the field does with this data.
        mean: Per channel, of pixels in [0, 1].
        std: Per channel, of pixels in [0, 1].
        sampling: The rule that makes the lists.
        sizes: Images by role: ``train``, ``query``, and ``database`` where it is known.
        checksums: SHA-256 of ``pixels``, ``labels`` and the three lists, as far as known.
        notes: Sources and remarks; not part of the definition.
        sha256: Digest of the definition.
        columns: Classes of the dataset that count, in the order of the labels; none means all.
        origin: Where the dataset itself was drawn from, if it was made for this protocol.
        queries_in_database: Whether queries may be in the database too, as in some lists that
            others published; it is told with every number.
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
    sampling: PerClass | UnseenClasses | RandomDraw | Walk | IndexLists
    sizes: Mapping[str, int]
    checksums: Mapping[str, str]
    notes: str
    sha256: str
    columns: tuple[str, ...] = ()
    origin: Origin | None = None
    queries_in_database: bool = False


def protocol_names() -> list[str]:
    """The sorted names of all protocols, ``NAME@VERSION``."""
    return sorted(_files())


def protocols_of(dataset: str) -> list[str]:
    """The sorted names of a dataset's protocols."""
    return [name for name in protocol_names() if load_protocol(name).dataset == dataset]


def load_protocol(name: str) -> ProtocolSpec:
    """Look a protocol up; no image is touched.

    Args:
        name: ``NAME@VERSION``.

    Returns:
        Its definition.

    Raises:
        ConfigError: If there is none of that name (the message names the nearest), or if two
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
            f"protocol '{name}' is there twice: {first} and {others[0]}. Rename one of them."
        )
    return read_protocol(first)


def _files() -> dict[str, list[Path]]:
    """The files of every name; more than one is a clash, told to whoever asks for that name."""
    files: dict[str, list[Path]] = {}
    for folder in _folders():
        for path in sorted(folder.glob(f"*@*{_SUFFIX}")):
            files.setdefault(path.name.removesuffix(_SUFFIX), []).append(path)
    return files


def _folders() -> list[Path]:
    """Where protocols lie: beside each dataset's source, and in each imported dataset's folder.

    The source is found without importing it.
    """
    folders = [FOLDER]
    for name in registry().names(Kind.DATASET):
        try:
            source = registry().get(Kind.DATASET, name).source()
        except ConfigError:
            continue  # a broken dataset is told when it is used, and stops no other
        folders.append(source.with_name(_BESIDE))
    folders += [folder / _BESIDE for folder in imported_folders().values()]
    return list(dict.fromkeys(folders))


def read_protocol(path: Path) -> ProtocolSpec:
    """Read a protocol file; the index lists it names lie beside it.

    Args:
        path: ``NAME@VERSION.toml``.

    Returns:
        Its definition.

    Raises:
        DataError: If the file is missing, is no TOML, or does not follow the schema.
    """
    from hashbench.datasets.protocols.protocol_file import ProtocolFile

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"protocol {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"protocol {path}: not a TOML file: {error}") from None
    file = ProtocolFile.parse(raw, path)
    definition = {key: value for key, value in raw.items() if key not in _NOT_DEFINING}
    return file.spec(folder=path.parent, sha256=digest(definition))
