"""Compare two records: every field that differs, with its likely meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hashbench.core.record import ReproductionRecord
from hashbench.store.lookup import Found


@dataclass(frozen=True, slots=True)
class Suspect:
    """A likely cause of different results.

    Attributes:
        prefix: Start of the dotted names of the fields concerned.
        group: The group of these fields.
        why: Why a difference matters.
    """

    prefix: str
    group: str
    why: str


_COMPARABLE: Final = "another task: the values cannot be compared"
_METHOD: Final = "another method: this is what is being compared"
_TRAINING: Final = "another way of training"
_WEIGHTS: Final = "starts from other weights"

# In order of suspicion; the first prefix that fits counts.
SUSPECTS: Final = (
    Suspect("cell.data.protocol", "settings", _COMPARABLE),
    Suspect("cell.data.subset", "settings", _COMPARABLE),
    Suspect("cell.data", "settings", "other images or another input"),
    Suspect("cell.weights", "settings", _WEIGHTS),
    Suspect("cell.backbone", "settings", _METHOD),
    Suspect("cell.head", "settings", _METHOD),
    Suspect("cell.loss", "settings", _METHOD),
    Suspect("cell.method", "settings", _METHOD),
    Suspect("cell.bits", "settings", "another code length"),
    Suspect("cell.train", "settings", _TRAINING),
    Suspect("cell.precision", "settings", "other arithmetic: other last digits at every step"),
    Suspect("cell.determinism", "settings", "fast runs differ from one another"),
    Suspect("cell.seed", "settings", "other random numbers: only the scatter over seeds"),
    Suspect("cell", "settings", _TRAINING),
    Suspect("weights_sha256", "data", _WEIGHTS),
    Suspect("data.checksums", "data", "other pixels, labels or lists behind the same names"),
    Suspect("data", "data", "other data behind the same names"),
    Suspect("sources", "code", "the code that made the codes changed"),
    Suspect("evaluation.sources", "code", "the code that computed the metrics changed"),
    Suspect("environment.dirty_sha256", "code", "changes that no commit holds"),
    Suspect("environment.commit", "code", "another commit"),
    Suspect("environment.hashbench", "code", "another release"),
    Suspect("environment.libraries.torch", "versions", "may add numbers in another order"),
    Suspect("environment.libraries", "versions", "may round differently"),
    Suspect("environment.python", "versions", "rarely matters"),
    Suspect("environment.device", "device", "another device class rounds differently"),
    Suspect("environment.threads", "device", "adds numbers in another order"),
    Suspect("environment.cpu", "device", "may choose other kernels"),
    Suspect("environment.platform", "device", "other system libraries"),
    Suspect("status", "results", "one of them failed"),
    Suspect("error", "results", "one of them failed"),
    Suspect("metrics", "results", "the effect"),
    Suspect("artifacts.codes.sha256", "results", "the codes differ; equal here means bit-equal"),
    Suspect("history", "results", "where training began to differ"),
    Suspect("codes", "results", "the codes are distributed differently"),
    Suspect("resumed_from", "cost", "one was resumed from a checkpoint"),
    Suspect("budget", "cost", "other work or memory"),
    Suspect("latency", "cost", "times depend on the machine"),
    Suspect("phases", "cost", "times depend on the machine"),
    Suspect("energy", "cost", "the machine used other power"),
    Suspect("environment.load_average", "cost", "the machine was busier, so times are longer"),
    Suspect("evaluation.environment", "bookkeeping", "where the metrics were computed"),
    Suspect("", "bookkeeping", "follows from other differences"),
)


def rank(field: str) -> tuple[int, Suspect]:
    """The place of a field's difference in `SUSPECTS`, and the suspect; 0 is most suspicious."""
    for place, suspect in enumerate(SUSPECTS):
        if field == suspect.prefix or not suspect.prefix:
            return place, suspect
        if field.startswith(suspect.prefix) and field[len(suspect.prefix)] in "._":
            return place, suspect
    raise AssertionError("the last one fits every field")  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which two records differ.

    Attributes:
        group: Settings, data, code, versions, device, results, cost or bookkeeping.
        field: The field's dotted name.
        first: Its value in the first record; None also if it is missing.
        second: Its value in the second record.
        why: Why it matters.
    """

    group: str
    field: str
    first: Any
    second: Any
    why: str


def explain_difference(first: Found, second: Found) -> list[Difference]:
    """List the fields in which two records, their fits and their measurements differ.

    The most suspicious difference comes first.
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
    """The index at which the difference of histories is inserted: after the other results."""
    later = ("cost", "bookkeeping")
    return next((i for i, each in enumerate(differences) if each.group in later), len(differences))


def _document(found: Found) -> dict[str, Any]:
    """Collect a record's fit, metrics and latencies in one document, sorted by meaning."""
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
    """Replace the results of a first run by those of the second, as a reproduction states them."""
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
    """The difference of two training histories: their lengths, or the first unequal epoch."""
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
