"""Records: one JSON document for each measurement, named by its own digest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
)

from hashbench.core.canonical import FIT_ID_LENGTH, digest
from hashbench.core.cell import Cell
from hashbench.core.energy import Energy
from hashbench.core.environment import Environment
from hashbench.core.job import LatencySetting

SCHEMA_VERSION = 1


class Status(StrEnum):
    """The outcome of a measurement."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    OOM = "oom"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cause(_Document):
    """The cause of a failed measurement."""

    type: str
    message: str
    traceback: str = ""


class Artifact(_Document):
    """A file of arrays beside the record, named by its checksum."""

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")  # a name, never a path
    sha256: str
    bytes: int


class DataFacts(_Document):
    """The data as loaded: checksums, sizes, and warnings of loading."""

    checksums: dict[str, str]
    sizes: dict[str, int]
    warnings: list[str] = []


class Budget(_Document):
    """The cost of a fit.

    Attributes:
        epochs: Passes over the training indices.
        images_seen: Training images that passed the network.
        parameters: Number of trainable parameters.
        peak_memory_bytes: Largest device memory in use; on a CPU, memory of the process.
    """

    epochs: int
    images_seen: int
    parameters: int
    peak_memory_bytes: int


class TrainingSpeed(_Document):
    """The speed of training, and its share of the device's arithmetic rate.

    Attributes:
        images_per_second: Training images that passed the network, per second of all epochs.
        step_seconds: Seconds of all steps by part: ``data`` (fetching, augmenting), ``forward``
            (network and loss), ``backward``, ``step`` (optimiser), ``loss state`` (updates of a
            loss after the step). On a CUDA device, measured by the device.
        flops_per_image: Floating-point operations of a training image in the network, forward and
            backward, as counted on one.
        matrix_flops: Operations a second of a large matrix product in the same precision, measured
            on the same device and threads after training.
        utilisation: ``images_per_second * flops_per_image / matrix_flops``.
    """

    images_per_second: float
    step_seconds: dict[str, float]
    flops_per_image: float
    matrix_flops: float
    utilisation: float


class MetricEntry(_Document):
    """One metric of one cell.

    Attributes:
        value: The mean over the counted queries.
        queries: Number of counted queries.
        without_relevant: Number of queries without a relevant item in the database.
        cutoff_exceeds: Size of the database if the cut-off is larger, else None.
    """

    value: float
    queries: int
    without_relevant: int
    cutoff_exceeds: int | None = None


class CodeFacts(_Document):
    """Statistics of the query or the database codes; entropies in bits.

    Attributes:
        items: Number of codes.
        distinct: Number of different codes.
        constant_bits: Number of bits that are equal in all codes.
        bit_balance: Mean over the bits of |mean of the bit as -1 or +1|.
        bit_correlation: Mean |correlation| over the pairs of bits that vary; None without any.
        bit_entropy: Mean over the bits of the entropy of the bit.
        code_entropy: Entropy of the distribution of codes.
    """

    items: int
    distinct: int
    constant_bits: int
    bit_balance: float
    bit_correlation: float | None
    bit_entropy: float
    code_entropy: float


_LATER_IN_LATENCY = (
    *("p999_ms", "warmup_seconds", "recall", "recall_queries", "facts", "resampled_from"),
)


class LatencyEntry(_Document):
    """Query latency of one engine at one setting; times in milliseconds a query.

    A percentile p is None if fewer than 10 / (1 - p) calls were timed. ``threads_used`` is the
    number of threads that the engine used, which may be less than in the setting.

    Fields that were added after latencies had been recorded are not written while they are unknown,
    so that the ids of older records stay valid.

    Attributes:
        p999_ms: 99.9th percentile.
        warmup_seconds: Seconds of untimed searches before the first sample.
        recall: Mean share of the k neighbours that are as near as the k-th of the exact scan; equal
            distances count, whatever the ids.
        recall_queries: Number of queries in that mean.
        facts: Values that the engine chose for parameters left to it.
        resampled_from: Size of the database that this larger one was resampled from; None for the
            fit's own codes.
    """

    setting: LatencySetting
    threads_used: int
    bits: int
    database: int
    build_seconds: float
    index_bytes: int
    calls: int
    mean_ms: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    queries_per_second: float
    load_average: float
    includes_encoding: bool = False
    p999_ms: float | None = None
    warmup_seconds: float | None = None
    recall: float | None = None
    recall_queries: int | None = None
    facts: dict[str, Any] = {}
    resampled_from: int | None = None

    @model_serializer(mode="wrap")
    def _without_unknown_fields(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        for key in _LATER_IN_LATENCY:
            if document.get(key) in (None, {}):
                document.pop(key, None)
        for key in self.setting.unwritten():
            document.get("setting", {}).pop(key, None)
        return document


class _Record(_Document):
    schema_version: Literal[1] = 1
    record_id: str = ""
    fit_id: str
    status: Status
    error: Cause | None = None
    environment: Environment
    sources: dict[str, str]
    started: str
    finished: str
    artifacts: dict[str, Artifact] = {}


class FitRecord(_Record):
    """One training and its codes.

    ``speed``, ``spared`` and ``energy`` were added after fits had been recorded and are not written
    while they are empty. ``spared`` holds seconds, by phase, that features took in another cell of
    the run and that were saved here; ``phases`` includes them.
    """

    kind: Literal["fit"] = "fit"
    cell: Cell
    data: DataFacts | None = None
    phases: dict[str, float] = {}
    budget: Budget | None = None
    history: list[dict[str, Any]] = []
    resumed_from: int | None = None
    weights_sha256: str | None = None
    speed: TrainingSpeed | None = None
    spared: dict[str, float] = {}
    energy: Energy | None = None

    @model_serializer(mode="wrap")
    def _without_unknown_fields(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        for key in ("speed", "spared", "energy"):
            if not document.get(key):
                document.pop(key, None)
        return document


class EvaluationRecord(_Record):
    """Metrics of a fit's codes.

    ``codes``, by ``query`` and ``database``, was added after evaluations had been recorded. While
    it is None, as for embeddings, it is not written, so that the ids of older records stay valid.
    """

    kind: Literal["evaluation"] = "evaluation"
    fit_record: str
    metrics: dict[str, MetricEntry] = {}
    codes: dict[str, CodeFacts] | None = None
    seconds: float = 0.0

    @model_serializer(mode="wrap")
    def _without_unknown_fields(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        if self.codes is None:
            document.pop("codes", None)
        return document


class SkippedEngine(_Document):
    """An engine that was not measured on a database, and the reason."""

    engine: str
    params: dict[str, Any] = {}
    database: int
    why: str


class LatencyRecord(_Record):
    """Query latency over a fit's codes.

    ``skipped`` was added after latencies had been recorded and is not written while it is empty.
    """

    kind: Literal["latency"] = "latency"
    fit_record: str
    entries: list[LatencyEntry] = []
    skipped: list[SkippedEngine] = []

    @model_serializer(mode="wrap")
    def _without_unknown_fields(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        if not self.skipped:
            document.pop("skipped", None)
        return document


class Level(StrEnum):
    """The agreement that is demanded of a second run.

    ``bit-equal``: the same codes, bit for bit. ``statistical``: metrics that differ by no more than
    the scatter over queries explains, or than a stated tolerance.
    """

    BIT_EQUAL = "bit-equal"
    STATISTICAL = "statistical"


class Verdict(StrEnum):
    """The agreement of a second run with the first."""

    BIT_EQUAL = "bit-equal"
    WITHIN = "within"
    OUTSIDE = "outside"


class RepeatedMetric(_Document):
    """A metric of two runs of one cell.

    Attributes:
        record: Id of the evaluation with the first value.
        first: The value of the first run.
        again: The value of the second run.
        low: Lower end of the 95 % interval of the difference, second minus first, over queries;
            None if all per-query values are equal, or those of a run are unknown.
        high: Its upper end.
        verdict: The agreement of both values.
    """

    record: str
    first: float
    again: float
    low: float | None = None
    high: float | None = None
    verdict: Verdict


class ReproductionRecord(_Record):
    """The comparison of a fit with a second run of it.

    Attributes:
        level: The agreement that was demanded.
        reasons: Why equal codes were not demanded; empty if they were.
        codes_first: SHA-256 of the first run's codes artifact.
        codes_again: SHA-256 of the second run's codes artifact.
        codes_equal: Whether both hold the same codes; None if the second run has none.
        bits_differing: Share of bits that differ, of queries and database together; None if the
            first codes are missing or are embeddings.
        data: The data as the second run loaded them.
        metrics: Values of both runs, by metric.
        tolerance: Largest difference that counts as within, whatever its interval.
        verdict: The worst verdict of all; None if the second run failed.
    """

    kind: Literal["reproduction"] = "reproduction"
    fit_record: str
    level: Level
    reasons: list[str] = []
    codes_first: str | None = None
    codes_again: str | None = None
    codes_equal: bool | None = None
    bits_differing: float | None = None
    data: DataFacts | None = None
    metrics: dict[str, RepeatedMetric] = {}
    tolerance: float
    verdict: Verdict | None = None


Record = Annotated[
    FitRecord | EvaluationRecord | LatencyRecord | ReproductionRecord, Field(discriminator="kind")
]
RECORD: TypeAdapter[Record] = TypeAdapter(Record)
"""Reads a record of any kind."""


def timestamp() -> str:
    """The current time in UTC, in ISO 8601 with microseconds, as in records."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def compute_record_id(document: Mapping[str, Any]) -> str:
    """First 16 hex of the SHA-256 of a record's canonical JSON without its own ``record_id``."""
    return digest({k: v for k, v in document.items() if k != "record_id"})[:FIT_ID_LENGTH]


AnyRecord = TypeVar("AnyRecord", FitRecord, EvaluationRecord, LatencyRecord, ReproductionRecord)


def seal(record: AnyRecord) -> AnyRecord:
    """Return a record with its id, computed from its content."""
    return record.model_copy(
        update={"record_id": compute_record_id(record.model_dump(mode="json"))}
    )
