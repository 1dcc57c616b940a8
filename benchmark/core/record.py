"""Records: one JSON document for each measurement, sealed by its own digest."""

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
    """How a measurement ended."""

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
    """Why a measurement did not end well."""

    type: str
    message: str
    traceback: str = ""


class Artifact(_Document):
    """A file of arrays beside the record, named by its checksum."""

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")  # a name, never a path
    sha256: str
    bytes: int


class DataFacts(_Document):
    """The data as loaded: checksums, sizes, and what loading warned about."""

    checksums: dict[str, str]
    sizes: dict[str, int]
    warnings: list[str] = []


class Budget(_Document):
    """What a fit cost.

    Attributes:
        epochs: Passes over the training indices.
        images_seen: Training images that went through the network.
        parameters: Trainable numbers.
        peak_memory_bytes: Largest device memory in use (on a CPU: of the process).
    """

    epochs: int
    images_seen: int
    parameters: int
    peak_memory_bytes: int


class TrainingSpeed(_Document):
    """How fast the epochs went, and how much of the device's arithmetic they used.

    Attributes:
        images_per_second: Training images that passed the network, by the seconds of all epochs.
        step_seconds: Seconds of all steps by part: ``data`` (fetching, augmenting), ``forward``
            (network and loss), ``backward``, ``step`` (optimiser), ``loss state`` (what a loss does
            after it). On a CUDA device as the device saw them.
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
        value: The mean over the queries that count.
        queries: Queries that count.
        without_relevant: Queries with no relevant item in the database.
        cutoff_exceeds: Size of the database if the cut-off is larger, else None.
    """

    value: float
    queries: int
    without_relevant: int
    cutoff_exceeds: int | None = None


class CodeFacts(_Document):
    """Statistics of one side's codes; entropies in bits.

    Attributes:
        items: Number of codes.
        distinct: Different codes.
        constant_bits: Bits that are the same in every code.
        bit_balance: Mean over the bits of |mean of the bit as -1 or +1|.
        bit_correlation: Mean |correlation| over the pairs of bits that vary; None without one.
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

    A percentile p is None where fewer than 10 / (1 - p) calls were timed. ``threads_used`` is what
    the engine really used, which may be less than the setting asks for.

    What came after latencies had been recorded is not written while it is not known, so that those
    records' documents and ids stay what they are.

    Attributes:
        p999_ms: 99.9th percentile.
        warmup_seconds: Seconds of untimed searches before the first sample.
        recall: Mean share of the k neighbours asked for that are as near as the exact scan's k-th;
            equal distances count, whichever the ids.
        recall_queries: Queries that it is a mean over.
        facts: What parameters left to the engine became in the index.
        resampled_from: Codes in the database that this larger one was resampled from; None for
            the fit's own codes.
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
    def _as_before_what_came_later(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
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
    """One training and the codes it gave.

    ``speed``, ``spared`` and ``energy`` came after fits had been recorded; while there is nothing
    to say, as in those, they are not written. ``spared``: seconds, by phase, that features took in
    another cell of the run and were not spent again; they are counted in ``phases`` as if they had
    been.
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
    def _without_what_is_not_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        for key in ("speed", "spared", "energy"):
            if not document.get(key):
                document.pop(key, None)
        return document


class EvaluationRecord(_Record):
    """Metrics of a fit's codes.

    ``codes``, by ``query`` and ``database``, came after evaluations had been recorded. While it is
    None, as in those and where there are embeddings, it is not written, so that their documents
    and ids stay what they are.
    """

    kind: Literal["evaluation"] = "evaluation"
    fit_record: str
    metrics: dict[str, MetricEntry] = {}
    codes: dict[str, CodeFacts] | None = None
    seconds: float = 0.0

    @model_serializer(mode="wrap")
    def _without_what_is_not_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        if self.codes is None:
            document.pop("codes", None)
        return document


class SkippedEngine(_Document):
    """An engine that was not measured on some database, and why."""

    engine: str
    params: dict[str, Any] = {}
    database: int
    why: str


class LatencyRecord(_Record):
    """Query latency over a fit's codes.

    ``skipped`` came after latencies had been recorded; while it is empty it is not written.
    """

    kind: Literal["latency"] = "latency"
    fit_record: str
    entries: list[LatencyEntry] = []
    skipped: list[SkippedEngine] = []

    @model_serializer(mode="wrap")
    def _without_what_is_not_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = plain(self)
        if not self.skipped:
            document.pop("skipped", None)
        return document


class Level(StrEnum):
    """What a second run is held to.

    ``bit-equal``: the same codes, bit for bit. ``statistical``: values that differ by no more than
    the queries' own scatter, or a stated tolerance, explains.
    """

    BIT_EQUAL = "bit-equal"
    STATISTICAL = "statistical"


class Verdict(StrEnum):
    """How near a second run came."""

    BIT_EQUAL = "bit-equal"
    WITHIN = "within"
    OUTSIDE = "outside"


class RepeatedMetric(_Document):
    """A metric of two runs of one cell.

    Attributes:
        record: The evaluation with the first value.
        first: That value.
        again: The second run's.
        low: Lower end of the 95 % interval of the difference, second minus first, over queries;
            None where the queries' values are equal, or not known of both runs.
        high: Its upper end.
        verdict: How near the second is.
    """

    record: str
    first: float
    again: float
    low: float | None = None
    high: float | None = None
    verdict: Verdict


class ReproductionRecord(_Record):
    """A fit that was run again, and how near it came.

    Attributes:
        level: What it was held to.
        reasons: Why not to bit equality; empty where it was.
        codes_first: SHA-256 of the first run's codes artifact.
        codes_again: The second's.
        codes_equal: Whether both hold the same codes; None if there is no second.
        bits_differing: Share of the bits that differ, of queries and database together; None where
            the first codes are not there, or are embeddings.
        data: The data as the second run loaded them.
        metrics: Values of both runs, by metric.
        tolerance: Largest difference that counts as within, whatever its interval.
        verdict: The worst over all; None if the second run did not end well.
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
    """The time in UTC, ISO 8601 with microseconds, as records state it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def compute_record_id(document: Mapping[str, Any]) -> str:
    """First 16 hex of the SHA-256 of a record's canonical JSON without its own ``record_id``."""
    return digest({k: v for k, v in document.items() if k != "record_id"})[:FIT_ID_LENGTH]


AnyRecord = TypeVar("AnyRecord", FitRecord, EvaluationRecord, LatencyRecord, ReproductionRecord)


def seal(record: AnyRecord) -> AnyRecord:
    """Give a record its id."""
    return record.model_copy(
        update={"record_id": compute_record_id(record.model_dump(mode="json"))}
    )
