"""Which datasets there are: built in, imported, and those whose files a data root may hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from hashbench.core.errors import HashbenchError
from hashbench.core.info import LabelKind
from hashbench.core.registry import Kind, registry
from hashbench.datasets.interface import Dataset
from hashbench.datasets.protocols.protocol import load_protocol, protocol_names
from hashbench.datasets.roots import IMPORTED, imported_folders, look_in
from hashbench.datasets.sources.annotated_photos import PhotoDataset
from hashbench.studio.context import StudioContext

HERE: Final = "ready"
PERHAPS: Final = "to be prepared"
MISSING: Final = "files not here"
BROKEN: Final = "damaged"


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset as the page lists it.

    Attributes:
        name: What a matrix calls it.
        title: For people.
        state: `HERE`, `PERHAPS`, `MISSING` or `BROKEN`.
        labels: Whether an image has one label or several.
        protocols: Its protocols, the usual one first.
        photos: Whether its images are files that have to be decoded first.
        problem: Why it is broken; empty if it is not.
    """

    name: str
    title: str
    state: str
    labels: str
    protocols: tuple[str, ...]
    photos: bool = False
    problem: str = ""

    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**asdict(self), "protocols": list(self.protocols)}


def list_datasets(context: StudioContext) -> list[DatasetRow]:
    """Every dataset: those imported first, then those ready to use, then the others.

    Args:
        context: What the page was started with.
    """
    for root in reversed(context.data_roots):
        look_in(root)
    protocols = _protocols()
    known = [name for name in registry().names(Kind.DATASET) if not name.endswith("/*")]
    names = [*(f"{IMPORTED}/{name}" for name in sorted(imported_folders())), *known]
    rows = [_row(name, protocols.get(name, ()), context) for name in names]
    return sorted(rows, key=lambda row: (not row.name.startswith(IMPORTED), row.state != HERE))


def imported_mark(context: StudioContext) -> str:
    """What differs when a dataset was imported or removed; cheaper than the list."""
    for root in reversed(context.data_roots):
        look_in(root)
    return " ".join(f"{name}={folder}" for name, folder in sorted(imported_folders().items()))


def trainable(context: StudioContext) -> list[DatasetRow]:
    """The datasets that a run can be started on: not those whose files are missing."""
    return [row for row in list_datasets(context) if row.state in (HERE, PERHAPS)]


def _row(name: str, protocols: tuple[str, ...], context: StudioContext) -> DatasetRow:
    try:
        cls: type[Dataset] = registry().load(Kind.DATASET, name)
        here = cls().is_here(context.data_root)
    except HashbenchError as error:
        return DatasetRow(name, name, BROKEN, "", protocols, problem=str(error))
    kinds = {LabelKind.SINGLE: "one", LabelKind.MULTI: "several"}
    usual = cls.default_protocol
    ordered = sorted(protocols, key=lambda protocol: protocol != usual)
    state = HERE if here else (PERHAPS if here is None else MISSING)
    labels = " or ".join(kinds[kind] for kind in sorted(cls.info.labels))
    photos = issubclass(cls, PhotoDataset)
    return DatasetRow(name, cls.info.title, state, labels, tuple(ordered), photos)


def _protocols() -> dict[str, tuple[str, ...]]:
    """The protocols of every dataset; one that is damaged is left out, and told when it is used."""
    found: dict[str, tuple[str, ...]] = {}
    for name in protocol_names():
        try:
            dataset = load_protocol(name).dataset
        except HashbenchError:
            continue
        found[dataset] = (*found.get(dataset, ()), name)
    return found
