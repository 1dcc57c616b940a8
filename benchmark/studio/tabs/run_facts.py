"""Where the numbers of one fit come from: settings, data, environment, records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from hashbench.core.record import FitRecord, Record
from hashbench.store.store import Store, record_name

RECORD_COLUMNS: Final = ("kind", "status", "record", "finished", "what")
_BYTES: Final = 2**20


def fit_facts(fit: FitRecord) -> list[tuple[str, str]]:
    """Rows of what and value on a fit.

    Args:
        fit: Its record.
    """
    facts = [("fit", fit.fit_id), ("status", str(fit.status))]
    facts += [("cause", fit.error.message)] if fit.error else []
    facts += [("cell", str(fit.cell)), *_flat(asdict(fit.cell), "")]
    if fit.data is not None:
        facts += [(f"sha256 of {name}", sha) for name, sha in fit.data.checksums.items()]
        facts += [(f"number of {name}", f"{size:,}") for name, size in fit.data.sizes.items()]
        facts += [("warning", line) for line in fit.data.warnings]
    facts += [(f"seconds of {name}", f"{value:.2f}") for name, value in fit.phases.items()]
    facts += _budget(fit)
    return [*facts, *_surroundings(fit)]


def record_rows(store: Store, fit_id: str) -> list[list[str]]:
    """A row for every record of a fit, the newest first.

    Raises:
        DamagedStoreError: If one of them is damaged.
    """
    return [
        [record.kind, str(record.status), record_name(record), record.finished[:19], _what(record)]
        for record in reversed(list(store.records(fit_id)))
    ]


def _what(record: Record) -> str:
    if record.error is not None:
        return record.error.message
    match record.kind:
        case "evaluation":
            return ", ".join(f"{name} {entry.value:.4f}" for name, entry in record.metrics.items())
        case "latency":
            return ", ".join(
                f"{entry.setting.engine}: {entry.mean_ms:.4f} ms a query"
                for entry in record.entries
            )
        case "reproduction":
            return f"{record.level}: {record.verdict or 'no verdict'}"
    return f"{len(record.artifacts)} artifacts"


def _budget(fit: FitRecord) -> Iterator[tuple[str, str]]:
    if fit.budget is not None:
        yield "images seen", f"{fit.budget.images_seen:,}"
        yield "parameters", f"{fit.budget.parameters:,}"
        yield "peak memory", f"{fit.budget.peak_memory_bytes / _BYTES:,.0f} MiB"
    if fit.resumed_from is not None:
        yield "resumed after epoch", str(fit.resumed_from)
    for name, artifact in fit.artifacts.items():
        yield f"{name} file", f"{artifact.file}, {artifact.bytes / _BYTES:.1f} MiB"


def _surroundings(fit: FitRecord) -> Iterator[tuple[str, str]]:
    made = fit.environment
    yield "started", fit.started
    yield "finished", fit.finished
    yield "device", f"{made.device.kind}: {made.device.name} {made.device.driver}".strip()
    yield "processor", f"{made.cpu}, {made.cpu_count} cores, {made.threads} threads used"
    yield "platform", f"{made.platform}, Python {made.python}"
    yield "hashbench", made.hashbench
    yield "commit", (made.commit or "not known") + (" with changes" if made.dirty_sha256 else "")
    yield "libraries", ", ".join(f"{name} {version}" for name, version in made.libraries.items())
    for name, sha in fit.sources.items():
        yield f"source of {name}", sha


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Settings by their path; what is not set is left out."""
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield from _flat(each, f"{prefix}{key}.")
        elif each not in (None, "", [], (), {}):
            yield f"{prefix}{key}", str(each)
