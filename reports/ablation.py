"""Ablations: the variants of one method, what each one changes, and tables of the differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.reports.frames import metric_frame
from hashbench.reports.labels import method_labels, settings_of
from hashbench.reports.metric_tables import wanted_metrics
from hashbench.reports.table import Table, mean_text, records_text, span_text, text_frame
from hashbench.reports.view import ALL, View
from hashbench.store.catalogue import CellResults

_FULL = "full"  # the preset of that name is the whole method
_NAMES_OTHERS = (".preset", "train.modified")
_LEFT_OUT = "default"  # a parameter that records leave out while it has its default
_SMALLEST_P: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Family:
    """The variants of one method on one protocol and device, at one code length.

    Attributes:
        name: The method that they are variants of, e.g. ``mlp + hsc``.
        protocol: The protocol as tables print it.
        device_name: The device.
        bits: The code length; None for float embeddings.
        full: Label of the full method; empty if it is not known.
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
    """Find the methods that the records hold with several settings.

    The full method is the one that the user names; otherwise the only one with a preset called
    ``full``; otherwise the one that differs from all the others in the fewest settings, if only
    one does.

    Args:
        fits: The fits of a report.
        named: The full method's label, or a part of one that occurs in a single variant.

    Raises:
        ConfigError: If no label contains ``named``.
    """
    labels = method_labels(fits)
    if named and not any(named in label for label in labels.values()):
        raise ConfigError(
            f"--full {named}: no method has this in its label; the report lists the labels"
        )
    groups: defaultdict[tuple[str, str, str, int | None], list[FitRecord]] = defaultdict(list)
    for fit in fits:
        cell, device = fit.cell, fit.environment.computed_on
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
    """Return the full method's label and how it was found; both are empty if it is not known."""
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
    """Return the settings in which two variants differ, without those that only name others."""
    keys = sorted({*one, *two})
    differing = [key for key in keys if one.get(key, _LEFT_OUT) != two.get(key, _LEFT_OUT)]
    return [key for key in differing if not key.endswith(_NAMES_OTHERS)] or differing


def _changes(full: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}: {full.get(key, _LEFT_OUT)} to {own.get(key, _LEFT_OUT)}"
        for key in _differing(full, own)
    )


def ablation_tables(cells: Sequence[CellResults], *, trace: bool, view: View) -> list[Table]:
    """Return one table for each method with variants, code length, protocol and device.

    The value is the first metric of the view; `hashbench.judge.compare.significance` computes the
    view's differences.

    Raises:
        ConfigError: If no method has the name that the view gives for the full method.
    """
    frame = wanted_metrics(metric_frame(cells), view)
    if frame.empty:
        return []
    fits = [results.fit for results in cells if results.fitted and results.fit]
    found = families(fits, view.full)
    if view.tables == ALL:  # an unknown full method is shown only on request
        found = [family for family in found if family.full]
    tables = (_table(family, frame, view, trace=trace) for family in found)
    return [table for table in tables if table is not None]


def _table(family: Family, frame: pd.DataFrame, view: View, *, trace: bool) -> Table | None:
    bits = family.bits if family.bits is not None else float("inf")
    own = frame[
        (frame["protocol"] == family.protocol)
        & (frame["device_name"] == family.device_name)
        & (frame["bits"] == bits)
        & frame["method"].isin(family.records)
    ]
    if own.empty:
        return None
    metric = str(own["metric"].min())
    by_method = own[own["metric"] == metric].groupby("method")
    parts = {str(label): part for label, part in by_method}
    fits = frozenset(own.loc[own["metric"] == metric, "fit_id"])
    title = f"Ablation of {family.name} at {_bits_text(family)} on {family.protocol}"
    if not family.full or family.full not in parts:
        return Table(title, *_unknown(parts), name="ablation", fits=fits)
    labels = [family.full, *sorted(label for label in parts if label != family.full)]
    rows = [_row(family, label, parts[label], view, trace=trace) for label in labels]
    columns = ["what is changed", "seeds", metric.partition("/")[0]]
    columns += ["difference", "95 % interval", "p (Holm)", *(["records"] if trace else [])]
    notes = (
        f"metric `{metric}`, mean ± standard deviation over seeds",
        f"full method: {family.full}, {family.why}",
        "difference: the variant's mean less the full method's, over the seeds that both have; "
        "each 95 % interval, over new seeds and queries, is not corrected; p-values are, over "
        "all ablations here",
        f"measured on {family.device_name}",
        span_text(own["date"]),
    )
    return Table(title, text_frame(rows, columns), notes, name="ablation", fits=fits)


def _unknown(parts: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    rows = [[label, str(len(part)), mean_text(part["value"])] for label, part in parts.items()]
    note = "the full method is not known; name it with --full"
    return text_frame(rows, ["variant", "seeds", "value"]), (note,)


def _bits_text(family: Family) -> str:
    return "float" if family.bits is None else f"{family.bits} bits"


def _row(family: Family, label: str, part: pd.DataFrame, view: View, *, trace: bool) -> list[str]:
    head = [
        family.changes.get(label, "nothing: the full method"),
        str(part["seed"].nunique()),
        mean_text(part["value"]),
    ]
    tail = [records_text(part)] if trace else []
    known = view.comparisons.differences
    found = [known.get((row["metric"], row["record"])) for _, row in part.iterrows()]
    difference = next((each for each in found if each is not None), None)
    if difference is None:
        return [*head, "", "", "", *tail]
    p = f"< {_SMALLEST_P:g}" if difference.p < _SMALLEST_P else f"{difference.p:.4f}"
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return [*head, f"{difference.mean:+.4f}", interval, p, *tail]
