"""What a store's files say, read without hashbench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# What is measured of the machine, names it, or changes while somebody edits the tree.
_MEASURED = {"record_id", "fit_record", "started", "finished", "phases", "seconds", "load_average"}
_MEASURED |= {"peak_memory_bytes", "step_seconds", "speed", "commit", "dirty_sha256", "entries"}


def fits(store: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the fit records by method or loss, oldest first."""
    read = [json.loads(file.read_text()) for file in store.glob("[!.]*/fit-*.json")]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for record in sorted(read, key=lambda record: record["finished"]):
        cell = record["cell"]
        by_name.setdefault((cell["method"] or cell["loss"])["name"], []).append(record)
    return by_name


def records(store: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all records without what is measured, by method or loss."""
    names = {record["fit_id"]: name for name, found in fits(store).items() for record in found}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for file in store.glob("[!.]*/*-*.json"):
        record = json.loads(file.read_text())
        by_name.setdefault(names[record["fit_id"]], []).append(_without_measures(record))
    return {name: sorted(found, key=json.dumps) for name, found in by_name.items()}


def codes(record: dict[str, Any]) -> str:
    """Return the checksum of a fit's codes."""
    return str(record["artifacts"]["codes"]["sha256"])


def _without_measures(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_measures(v) for k, v in value.items() if k not in _MEASURED}
    return [_without_measures(each) for each in value] if isinstance(value, list) else value
