"""Ablations: variants of one method, and what of the full method each one changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.reports.labels import method_labels, settings_of

_FULL = "full"  # the preset of that name is the whole method
_NAMES_OTHERS = (".preset", "train.modified")
_LEFT_OUT = "default"  # a parameter that records leave out while it has its default


@dataclass(frozen=True, slots=True)
class Family:
    """The variants of one method on one protocol and device, at one code length.

    Attributes:
        name: The method that they are variants of, e.g. ``mlp + hsc``.
        protocol: The protocol as tables print it.
        device_name: The device.
        bits: The code length; None for float embeddings.
        full: Label of the full method; empty where it cannot be told which that is.
        why: How the full method was found.
        changes: By label, what each other variant changes, e.g. ``loss.temperature: 0.2 to 0.5``.
        records: By label, the fits' records.
    """

    name: str
    protocol: str
    device_name: str
    bits: int | None
    full: str
    why: str
    changes: Mapping[str, str]
    records: Mapping[str, tuple[str, ...]]


def families(fits: Sequence[FitRecord], named: str = "") -> list[Family]:
    """Find the methods that stand in the records with several settings.

    The full method is the one named; or else the only one with a preset called ``full``; or else
    the one that differs from all the others in the fewest settings, if there is only one such.

    Args:
        fits: The fits of a report.
        named: The full method's label, or a part of one that occurs in a single variant.

    Raises:
        ConfigError: If ``named`` is in no label at all.
    """
    labels = method_labels(fits)
    if named and not any(named in label for label in labels.values()):
        raise ConfigError(f"--full {named}: no method is called so, or has that in its label")
    groups: defaultdict[tuple[str, str, str, int | None], list[FitRecord]] = defaultdict(list)
    for fit in fits:
        cell, device = fit.cell, fit.environment.device.name
        groups[cell.data.label, device, cell.method_label, cell.bits].append(fit)
    ordered = sorted(groups.items(), key=lambda item: (*item[0][:3], item[0][3] or 0))
    found = (_family(key, group, labels, named) for key, group in ordered)
    return [family for family in found if family is not None]


def _family(
    key: tuple[str, str, str, int | None],
    fits: Sequence[FitRecord],
    labels: Mapping[str, str],
    named: str,
) -> Family | None:
    variants: dict[str, Cell] = {}
    records: defaultdict[str, list[str]] = defaultdict(list)
    for fit in sorted(fits, key=lambda fit: (labels[fit.record_id], fit.cell.seed)):
        variants.setdefault(labels[fit.record_id], fit.cell)
        records[labels[fit.record_id]].append(fit.record_id)
    if len(variants) == 1:
        return None
    settings = {label: settings_of(cell) for label, cell in variants.items()}
    full, why = _full(variants, settings, named)
    protocol, device, name, bits = key
    changes = (
        {label: _changes(settings[full], own) for label, own in settings.items() if label != full}
        if full
        else {}
    )
    kept = {label: tuple(ids) for label, ids in records.items()}
    return Family(name, protocol, device, bits, full, why, changes, kept)


def _full(
    variants: Mapping[str, Cell], settings: Mapping[str, Mapping[str, Any]], named: str
) -> tuple[str, str]:
    """The full method's label and how it was found; empty where that cannot be told."""
    meant = [label for label in variants if label == named]
    meant = meant or [label for label in variants if named and named in label]
    if len(meant) == 1:
        return meant[0], "as named"
    preset = [label for label, cell in variants.items() if _FULL in _presets(cell)]
    if len(preset) == 1:
        return preset[0], f"by its preset '{_FULL}'"
    sums = {
        label: sum(len(_differing(own, other)) for other in settings.values())
        for label, own in settings.items()
    }
    nearest = [label for label, total in sums.items() if total == min(sums.values())]
    if len(nearest) == 1 and len(variants) > 2:  # noqa: PLR2004 - of two, neither is in the middle
        return nearest[0], "as the one nearest to all others"
    return "", ""


def _presets(cell: Cell) -> set[str | None]:
    return {part.preset for part in (cell.backbone, cell.loss, cell.method) if part is not None}


def _differing(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    """The settings in which two variants differ; one that only names others is left out."""
    keys = sorted({*one, *two})
    differing = [key for key in keys if one.get(key, _LEFT_OUT) != two.get(key, _LEFT_OUT)]
    return [key for key in differing if not key.endswith(_NAMES_OTHERS)] or differing


def _changes(full: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}: {full.get(key, _LEFT_OUT)} to {own.get(key, _LEFT_OUT)}"
        for key in _differing(full, own)
    )
