"""The components that made a record, and their citations."""

from __future__ import annotations

from collections.abc import Iterable

from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord, LatencyRecord, Record
from hashbench.core.registry import Entry, Kind, Registry
from hashbench.reports.bibliography import bibtex


def components_of(record: Record) -> list[tuple[Kind, str]]:
    """The components that a record names: those of a fit's cell, or the engines of a latency."""
    if isinstance(record, LatencyRecord):
        return [(Kind.ENGINE, entry.setting.engine) for entry in record.entries]
    if not isinstance(record, FitRecord):
        return []
    cell = record.cell
    parts = ((Kind.BACKBONE, cell.backbone), (Kind.LOSS, cell.loss), (Kind.METHOD, cell.method))
    used = [(kind, part.name) for kind, part in parts if part]
    return [*used, (Kind.DATASET, cell.data.name)]


def bibliography(
    components: Iterable[tuple[Kind, str]], registry: Registry
) -> tuple[dict[str, str], list[str]]:
    """Collect the BibTeX entries of components.

    Returns:
        The entries by key, sorted; and the names of components that are not installed, whose papers
        are therefore unknown.
    """
    texts: dict[str, str] = {}
    unknown = []
    for kind, name in sorted(set(components)):
        try:
            info = registry.get(kind, name).load().info
        except ConfigError:
            unknown.append(f"{name} ({kind})")
            continue
        text = bibtex(info)
        if text:
            texts[info.citation] = text
    return dict(sorted(texts.items())), unknown


def entries_of(record: Record, registry: Registry) -> list[Entry]:
    """The registry's entries of the components a record names.

    Raises:
        ConfigError: If one is not installed.
    """
    return [registry.get(kind, name) for kind, name in components_of(record)]
