"""Every field in which two records differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashbench.core.record import ReproductionRecord
from hashbench.judge.reproduce.likely_causes import rank
from hashbench.store.named_record import Found


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which two records differ.

    Attributes:
        group: What it belongs to: settings, data, code, versions, device, results, cost or
            bookkeeping.
        field: Its dotted name.
        first: Its value in the first; None also where it is not there.
        second: Its value in the second.
        why: Why it matters.
    """

    group: str
    field: str
    first: Any
    second: Any
    why: str


def explain_difference(first: Found, second: Found) -> list[Difference]:
    """Compare two records: their fits, and what was measured of them.

    Args:
        first: A record.
        second: Another.

    Returns:
        Every field that differs, the most suspicious first.
    """
    one, other = dict(_flat(_document(first))), dict(_flat(_document(second)))
    found = [
        (rank(field)[0], field)
        for field in one.keys() | other.keys()
        if one.get(field) != other.get(field)
    ]
    differences = [
        Difference(
            rank(field)[1].group, field, one.get(field), other.get(field), rank(field)[1].why
        )
        for _, field in sorted(found)
    ]
    return [
        *differences[: _before(differences)],
        *_history(first, second),
        *differences[_before(differences) :],
    ]


def _before(differences: Sequence[Difference]) -> int:
    """Where what is said of training histories goes: after the other results."""
    later = ("cost", "bookkeeping")
    return next((i for i, each in enumerate(differences) if each.group in later), len(differences))


def _document(found: Found) -> dict[str, Any]:
    """What a record says, and its fit, and what was measured of that; by meaning, not by file."""
    document = found.fit.model_dump(mode="json", exclude={"history", "kind", "schema_version"})
    evaluations = [each.model_dump(mode="json") for each in found.evaluations]
    entries = [entry for record in found.latencies for entry in record.entries]
    document["metrics"] = {
        name: entry for each in evaluations for name, entry in each["metrics"].items()
    }
    document["codes"] = next((e["codes"] for e in evaluations[::-1] if e.get("codes")), {})
    if evaluations:
        document["evaluation"] = {
            key: evaluations[-1][key] for key in ("record_id", "environment", "sources")
        }
    document["latency"] = {
        f"{entry.setting.engine} k={entry.setting.k} batch={entry.setting.batch} "
        f"threads={entry.setting.threads} N={entry.database}": entry.model_dump(mode="json")
        for entry in entries
    }
    document["record_id"] = found.record.record_id
    if isinstance(found.record, ReproductionRecord):
        _put_second_run(document, found.record)
    return document


def _put_second_run(document: dict[str, Any], record: ReproductionRecord) -> None:
    """Put what a reproduction knows of its second run in the place of what the first said."""
    second = record.model_dump(mode="json")
    document |= {key: second[key] for key in ("environment", "sources", "started", "finished")}
    document["data"] = second["data"] or document["data"]
    if record.codes_again:
        document["artifacts"]["codes"]["sha256"] = record.codes_again
    for name, metric in record.metrics.items():
        document["metrics"].setdefault(name, {})["value"] = metric.again


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _flat(each, f"{prefix}.{key}" if prefix else str(key))
    elif value not in ({}, []):
        yield prefix, value


def _history(first: Found, second: Found) -> list[Difference]:
    """One line for two histories: how long they are, or the first epoch at which they part."""
    one, other = first.fit.history, second.fit.history
    if one == other:
        return []
    why = rank("history")[1].why
    parted = [
        place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]
    ]
    if not parted:
        return [Difference("results", "history.epochs", len(one), len(other), why)]
    old, new = one[parted[0]], other[parted[0]]
    field = next(key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key))
    name = f"history[epoch {old.get('epoch', parted[0] + 1)}].{field}"
    return [Difference("results", name, old.get(field), new.get(field), why)]
