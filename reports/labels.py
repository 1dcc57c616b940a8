"""Method names that never call two different methods the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hashbench.core.canonical import digest
from hashbench.core.record import FitRecord

_NOT_METHOD = ("data", "bits", "seed")


def method_labels(fits: Sequence[FitRecord]) -> dict[str, str]:
    """Label each fit's method; where two methods share a name, add the settings that differ.

    Args:
        fits: All fits of a report.

    Returns:
        Labels by record id, e.g. ``resnet18 + hsc`` or ``resnet18 + hsc (loss.temperature=0.5)``.
    """
    settings = {fit.record_id: _settings(fit) for fit in fits}
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for fit in fits:
        by_name[fit.cell.method_label].append(fit.record_id)
    labels = {}
    for name, records in by_name.items():
        differing = _differing([settings[record] for record in records])
        for record in records:
            own = [f"{key}={settings[record].get(key)}" for key in differing]
            labels[record] = f"{name} ({', '.join(own)})" if own else name
    return labels


def _settings(fit: FitRecord) -> dict[str, Any]:
    cell = {key: value for key, value in asdict(fit.cell).items() if key not in _NOT_METHOD}
    cell["image_size"] = fit.cell.data.image_size
    cell["normalisation"] = fit.cell.data.normalisation
    return _flat(cell)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        # ``loss.params.temperature`` reads better as ``loss.temperature``.
        name = prefix if key == "params" else f"{prefix}.{key}".strip(".")
        if isinstance(item, Mapping):
            flat |= _flat(item, name)
        else:
            flat[name] = item
    return flat


def _differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = sorted({key for each in settings for key in each})
    return [key for key in keys if len({digest(each.get(key)) for each in settings}) > 1]
