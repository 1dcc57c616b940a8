"""The Markdown report of records written by hand, character by character."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import Cell, Component, DataChoice, Head, Schedule, TrainSettings
from hashbench.core.environment import Device, Environment
from hashbench.core.job import LatencySetting
from hashbench.core.record import (
    Budget,
    Cause,
    CodeFacts,
    DataFacts,
    EvaluationRecord,
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    MetricEntry,
    Status,
)
from hashbench.reports.formats.markdown import render
from hashbench.store.catalogue import CellResults

MAP = "map@5000/div=hits/ties=expected/empty=zero"
TRAIN = TrainSettings(
    recipe="ours",
    modified=(),
    optimiser="adam",
    lr=1e-3,
    backbone_lr=1e-3,
    weight_decay=0.0,
    momentum=0.0,
    nesterov=False,
    schedule=Schedule("constant"),
    epochs=10,
    batch_size=64,
    augmentation="flip",
)
DATA = DataChoice("digits", 1, "digits@1", "ab" * 32, image_size=8)


def environment(device: str) -> Environment:
    return Environment(
        hashbench="0.1.0",
        commit="c0ffee",
        dirty_sha256=None,
        python="3.12.1",
        platform="Linux",
        cpu="Zen",
        cpu_count=2,
        threads=2,
        load_average=0.5,
        device=Device(kind="cpu", name=device),
        libraries={"torch": "2.11.0"},
    )


def common(device: str, status: Status = Status.OK) -> dict[str, Any]:
    return {
        "status": status,
        "environment": environment(device),
        "sources": {},
        "started": "2026-11-20T10:00:00.000000+00:00",
        "finished": "2026-11-20T10:00:09.000000+00:00",
    }


def deep_cell(*, seed: int = 0, temperature: float = 0.2, **changes: Any) -> Cell:
    cell = Cell(
        DATA,
        bits=16,
        seed=seed,
        backbone=Component("resnet18", 1),
        head=Head(),
        loss=Component("hsc", 1, {"temperature": temperature}),
        train=TRAIN,
    )
    return replace(cell, **changes)


def fit_of(cell: Cell, name: str, *, device: str = "Zen", train: float = 20.0) -> FitRecord:
    return FitRecord(
        record_id=f"fit-{name}",
        fit_id=cell.fit_id,
        cell=cell,
        data=DataFacts(checksums={}, sizes={"query": 100, "database": 900}),
        phases={
            "load": 3.0,
            "build": 1.0,
            "train": train,
            "checkpoint": 7.0,
            "encode query": 0.5,
            "encode database": 1.5,
        },
        budget=Budget(epochs=10, images_seen=5000, parameters=11_000, peak_memory_bytes=2**21),
        **common(device),
    )


def results(
    cell: Cell, name: str, value: float, *, device: str = "Zen", **options: Any
) -> CellResults:
    fit = fit_of(cell, name, device=device, **options)
    entry = MetricEntry(value=value, queries=100, without_relevant=0, cutoff_exceeds=900)
    evaluation = EvaluationRecord(
        record_id=f"eval-{name}",
        fit_id=cell.fit_id,
        fit_record=fit.record_id,
        metrics={MAP: entry},
        **common(device),
    )
    return CellResults(cell.fit_id, fit, evaluations=(evaluation,))


def with_latency(found: CellResults, *, p99: float | None, device: str = "Zen") -> CellResults:
    assert found.fit is not None
    entry = LatencyEntry(
        setting=LatencySetting("exact", 100, 1, 1),
        threads_used=1,
        bits=16,
        database=900,
        build_seconds=0.1,
        index_bytes=2048,
        calls=500,
        mean_ms=0.02,
        p50_ms=0.0125,
        p95_ms=0.02,
        p99_ms=p99,
        queries_per_second=51234.0,
        load_average=0.5,
    )
    record = LatencyRecord(
        record_id="latency-1",
        fit_id=found.fit_id,
        fit_record=found.fit.record_id,
        entries=[entry],
        **common(device),
    )
    return replace(found, latencies=(record,))


def failed(cell: Cell) -> CellResults:
    error = Cause(type="killed", message="ended by SIGKILL | memory\nsecond line")
    record = FitRecord(
        record_id="fit-failed",
        fit_id=cell.fit_id,
        cell=cell,
        error=error,
        **common("unknown", Status.KILLED),
    )
    return CellResults(cell.fit_id, record)


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def table_lines(text: str, title: str) -> list[str]:
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")]


@pytest.fixture
def store() -> list[CellResults]:
    """Return three seeds of one deep method with a latency, and a failed cell."""
    deep = [
        results(deep_cell(seed=seed), f"hsc-{seed}", value, train=train)
        for seed, value, train in [(0, 0.6, 19.0), (1, 0.7, 20.0), (2, 0.8, 21.0)]
    ]
    deep[0] = with_latency(deep[0], p99=None)
    return [*deep, failed(deep_cell(seed=3))]


def test_the_whole_report(store: list[CellResults]) -> None:
    assert render(store) == EXPECTED


# The sample deviation of 0.6, 0.7, 0.8 is 0.1; training is build + train = 20, 21, 22 s; images/s
# are 5000 / 19, 20, 21 s = 263.2, 250, 238.1, 250.4 in the mean; encoding 1,000 images takes 2 s.
EXPECTED = """\
## map@5000 on digits@1

| method         | 16 bits         |
|----------------|-----------------|
| resnet18 + hsc | 0.7000 ± 0.1000 |

metric `map@5000/div=hits/ties=expected/empty=zero`, K=5000>N (N = 900: the whole database); mean \
± standard deviation over seeds, n = 3 in every cell; measured on Zen; 2026-11-20.

## Training time on digits@1

| method         | bits   | seeds   | training s   | build s   | train s   | images/s   \
| encoding images/s   | recipe   | precision   |
|----------------|--------|---------|--------------|-----------|-----------|------------\
|---------------------|----------|-------------|
| resnet18 + hsc | 16     | 3       | 21.00 ± 1.00 | 1.00      | 20.00     | 250        \
| 500                 | ours     | fp32        |

training: wall seconds of building, pre-pass, features, epochs and loss state, without loading, \
validation and checkpoints; phases are means; images/s: of the epochs alone; measured on Zen, \
2 threads; 2026-11-20.

## Budget on digits@1

| method         | bits   | seeds   | map@5000        | epochs   | images seen   | device s     \
| peak MiB   | parameters   |
|----------------|--------|---------|-----------------|----------|---------------|--------------\
|------------|--------------|
| resnet18 + hsc | 16     | 3       | 0.7000 ± 0.1000 | 10       | 5,000         | 21.00 ± 1.00 \
| 2          | 11,000       |

metric `map@5000/div=hits/ties=expected/empty=zero`; every trained network saw as many images in \
as many epochs; device s: wall seconds of training on the device, features from a cache counted as \
spent; peak MiB: of the device's memory, on a CPU of the whole process; measured on Zen, \
2 threads; 2026-11-20.

## Query latency on digits@1

| engine   | bits   | database   | k   | batch   | threads   | p50 ms   | p95 ms   | p99 ms   \
| queries/s   | index KiB   | cells   |
|----------|--------|------------|-----|---------|-----------|----------|----------|----------\
|-------------|-------------|---------|
| exact    | 16     | 900        | 100 | 1       | 1         | 0.0125   | 0.0200   | -        \
| 51,234      | 2           | 1       |

milliseconds a query, encoding not included; each figure is the median over the cells counted in \
the last column; a percentile p stands only where at least 10 / (1 - p) calls were timed in every \
cell; measured on Zen, load average 0.5; 2026-11-20.

## Failures

| cell                                            | what   | status   | cause                     \
 | record     |
|-------------------------------------------------|--------|----------|---------------------------\
-|------------|
| digits@1 \\| resnet18 + hsc \\| 16 bits \\| seed 3 | fit    | killed   | ended by SIGKILL \\| \
memory | fit-failed |

Made by:

- hashbench 0.1.0, commit c0ffee; python 3.12.1; torch 2.11.0
"""


def with_codes(found: CellResults, *, distinct: int, correlation: float | None) -> CellResults:
    sides = {
        side: CodeFacts(
            items=items,
            distinct=distinct,
            constant_bits=2,
            bit_balance=0.125,
            bit_correlation=correlation,
            bit_entropy=0.75,
            code_entropy=5.5,
        )
        for side, items in (("database", 9000), ("query", 100))
    }
    evaluation = found.evaluations[0].model_copy(update={"codes": sides})
    return replace(found, evaluations=(evaluation,))


def test_codes_are_described_query_before_database_as_means_over_seeds() -> None:
    cells = [
        with_codes(results(deep_cell(seed=seed), f"{seed}", 0.5), distinct=d, correlation=c)
        for seed, d, c in [(0, 40, 0.25), (1, 43, None)]
    ]

    rows = table_lines(render(cells), "Codes on digits@1")

    statistics = ["bit balance", "bit correlation", "bit entropy", "code entropy"]
    values = ["0.1250", "0.2500", "0.7500", "5.5000"]
    assert [[part.strip() for part in row.split("|")[1:-1]] for row in (rows[0], *rows[2:])] == [
        ["method", "bits", "side", "seeds", "codes", "distinct", "constant bits", *statistics],
        ["resnet18 + hsc", "16", "query", "2", "100", "41.5", "2.0", *values],
        ["resnet18 + hsc", "16", "database", "2", "9,000", "41.5", "2.0", *values],
    ]
    assert "eval-0 eval-1" in render(cells, trace=True).partition("## Codes")[2]


def test_codes_of_which_no_two_bits_vary_have_no_correlation() -> None:
    cell = with_codes(results(deep_cell(), "a", 0.5), distinct=1, correlation=None)

    rows = table_lines(render([cell]), "Codes on digits@1")

    assert rows[2].split("|")[9].strip() == "-"


def test_the_same_records_in_another_order_give_the_same_bytes(store: list[CellResults]) -> None:
    assert render(store[::-1], trace=True) == render(store, trace=True)


def test_trace_adds_the_record_behind_every_value(store: list[CellResults]) -> None:
    text = render(store, trace=True)

    assert "0.7000 ± 0.1000 [eval-hsc-0 eval-hsc-1 eval-hsc-2]" in text
    assert "| fit-hsc-0 fit-hsc-1 fit-hsc-2 |" in text
    assert "| latency-1 |" in text
    assert "eval-hsc" not in render(store)


def test_one_seed_has_no_deviation_and_unequal_counts_stand_behind_each_value() -> None:
    other = deep_cell(loss=Component("dsh", 1))
    text = render(
        [results(deep_cell(seed=s), f"a{s}", 0.5) for s in (0, 1)] + [results(other, "b", 0.4)]
    )

    rows = table_lines(text, "map@5000")
    assert "| 0.5000 ± 0.0000 (n = 2) |" in rows[2]
    assert "| 0.4000 (n = 1)" in rows[3]
    assert "n behind each value" in text


def test_devices_are_never_averaged_together() -> None:
    text = render(
        [
            results(deep_cell(seed=0), "a", 0.5, device="Zen"),
            results(deep_cell(seed=1), "b", 0.9, device="H200"),
        ]
    )

    assert text.count("## map@5000 on digits@1") == 2
    assert text.count("## Training time on digits@1") == 2
    assert "0.5000" in text and "0.9000" in text and "0.7000" not in text


def test_an_engines_parameters_its_tail_and_its_recall_are_told() -> None:
    found = with_latency(results(deep_cell(), "a", 0.5), p99=0.03)
    (record,) = found.latencies
    (plain,) = record.entries
    ivf = LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 8})
    wider = LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 16})
    more = {"p999_ms": 0.5, "recall": 0.98765, "recall_queries": 200}
    entries = [
        plain,
        plain.model_copy(update={"setting": ivf, "facts": {"nlist": 30}, **more}),
        plain.model_copy(update={"setting": wider, "database": 10**6, "resampled_from": 900}),
    ]
    told = replace(found, latencies=(record.model_copy(update={"entries": entries}),))

    section = render([told]).partition("## Query latency")[2]

    rows = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    head, first, second, third = [row for row in cells if not set(row[0]) <= set("-:")]
    assert head[6:12] == ["p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "queries/s", "recall"]
    assert (first[0], first[9], first[11]) == ("exact", "-", "-")
    assert (second[0], second[9], second[11]) == ("faiss_ivf(nprobe=16)", "-", "-")
    assert (third[0], third[9], third[11]) == ("faiss_ivf(nprobe=8)", "0.5000", "0.988")
    assert "databases of 1,000,000 codes were resampled from the method's own codes" in section
    assert "equal distances count" in section


def test_latency_is_told_by_the_device_that_searched_not_by_the_one_that_trained() -> None:
    found = with_latency(results(deep_cell(), "a", 0.5, device="H200"), p99=0.03, device="Zen")

    section = render([found]).partition("## Query latency")[2]

    assert "measured on Zen" in section
    assert "H200" not in section


def test_no_records_are_said_to_be_none() -> None:
    assert render([]) == "No results yet: run a matrix first.\n"
