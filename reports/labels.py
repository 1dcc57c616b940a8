"""Labels of methods; two different methods of a protocol never share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from hashbench.core.canonical import canonical_json
from hashbench.core.cell import Cell, Weights
from hashbench.core.record import FitRecord

_NOT_METHOD = ("data", "bits", "seed", "weights")
_RECIPE, _PRESET = "train.recipe", ".preset"  # preferred to the settings that follow from them
_SHA_DIGITS = 8
_LEFT_OUT = "default"  # a parameter that records leave out while it has its default


def method_labels(fits: Sequence[FitRecord]) -> dict[str, str]:
    """Label each fit's method; if two methods share a name, add the settings in which they differ.

    Only fits on the same protocol share a table, so only their labels have to differ.

    Args:
        fits: All fits of a report.

    Returns:
        Labels by record id, e.g. ``resnet18 + hsc`` or ``resnet18 + hsc (loss.temperature=0.5)``.
    """
    groups: defaultdict[tuple[str, str], list[FitRecord]] = defaultdict(list)
    for fit in fits:
        groups[fit.cell.data.label, fit.cell.method_label].append(fit)
    labels = {}
    for (_, name), group in groups.items():
        settings = _settings(group)
        keys = _separating_keys([own for _, own in settings])
        for fit in group:
            own = _of(fit.cell, settings)
            shown = ", ".join(f"{key}={_text(own.get(key, _LEFT_OUT))}" for key in keys)
            labels[fit.record_id] = f"{name} ({shown})" if shown else name
    return labels


_Settings = list[tuple[Cell, dict[str, Any]]]


def _settings(fits: Sequence[FitRecord]) -> _Settings:
    """Return the settings of every different method; hundreds of fits may share one."""
    found: _Settings = []
    for fit in fits:
        if not _of(fit.cell, found):
            found.append((_method_of(fit.cell), settings_of(fit.cell)))
    return found


def _of(cell: Cell, settings: _Settings) -> dict[str, Any]:
    method = _method_of(cell)
    return next((own for other, own in settings if other == method), {})


def _method_of(cell: Cell) -> Cell:
    return replace(cell, bits=None, seed=0)


def settings_of(cell: Cell) -> dict[str, Any]:
    """Return every setting of a method by its dotted key, e.g. ``train.epochs``."""
    own = {key: value for key, value in asdict(cell).items() if key not in _NOT_METHOD}
    data = {
        "image_size": cell.data.image_size,
        "normalisation": cell.data.normalisation,
        "dataset_version": cell.data.version,
        "protocol_sha256": cell.data.protocol_sha256[:_SHA_DIGITS],
    }
    return _flat({**own, **data, "weights": _weights(cell.weights)})


def _weights(weights: Weights) -> str:
    if weights.sha256 is None:
        return weights.source
    return f"{weights.source}#{weights.sha256[:_SHA_DIGITS]}"


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


def _separating_keys(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fewest keys, in order of preference, that separate all different settings."""
    found_in = {key for each in settings for key in each}
    keys = sorted(found_in, key=lambda key: (key != _RECIPE, not key.endswith(_PRESET), key))
    chosen: list[str] = []
    separated = 1
    for key in keys:
        found = len({canonical_json([own.get(k) for k in [*chosen, key]]) for own in settings})
        if found > separated:
            chosen.append(key)
            separated = found
    return chosen


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
