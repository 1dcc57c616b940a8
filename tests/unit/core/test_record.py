"""Records and their seals."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from hashbench.core.energy import Energy
from hashbench.core.record import (
    RECORD,
    CodeFacts,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    SkippedEngine,
    TrainingSpeed,
    compute_record_id,
    seal,
)

KINDS = ["fit_record", "evaluation_record", "latency_record"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_goes_through_json_unchanged(kind: str, request: pytest.FixtureRequest) -> None:
    sealed = seal(request.getfixturevalue(kind))
    text = json.dumps(sealed.model_dump(mode="json"))
    back = RECORD.validate_python(json.loads(text))
    assert back == sealed
    assert type(back) is type(sealed)
    assert compute_record_id(json.loads(text)) == sealed.record_id


def test_a_cell_read_back_has_the_same_id(fit_record: FitRecord) -> None:
    back = RECORD.validate_python(json.loads(fit_record.model_dump_json()))
    assert isinstance(back, FitRecord)
    assert back.cell == fit_record.cell
    assert back.cell.fit_id == fit_record.fit_id


def test_the_id_is_a_digest_of_everything_but_itself(fit_record: FitRecord) -> None:
    document = fit_record.model_dump(mode="json")
    del document["record_id"]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert seal(fit_record).record_id == expected
    assert seal(seal(fit_record)).record_id == expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_under_the_seal(kind: str, request: pytest.FixtureRequest) -> None:
    document = seal(request.getfixturevalue(kind)).model_dump(mode="json")
    for key in document.keys() - {"record_id"}:
        assert compute_record_id({**document, key: "edited"}) != document["record_id"]


def test_an_evaluation_without_code_statistics_is_written_as_before_there_were_any(
    evaluation_record: EvaluationRecord,
) -> None:
    document = seal(evaluation_record).model_dump(mode="json")

    assert "codes" not in document
    back = RECORD.validate_python(document)
    assert isinstance(back, EvaluationRecord)
    assert back.codes is None
    assert seal(back).record_id == back.record_id


def test_code_statistics_are_under_the_seal_and_come_back(
    evaluation_record: EvaluationRecord,
) -> None:
    facts = CodeFacts(
        items=4,
        distinct=3,
        constant_bits=1,
        bit_balance=0.5,
        bit_correlation=None,
        bit_entropy=0.25,
        code_entropy=1.5,
    )
    with_codes = evaluation_record.model_copy(update={"codes": {"query": facts}})
    sealed = seal(with_codes)

    assert sealed.record_id != seal(evaluation_record).record_id
    assert RECORD.validate_python(json.loads(sealed.model_dump_json())) == sealed


def test_a_latency_measured_before_engines_had_parameters_is_written_as_it_was(
    latency_record: LatencyRecord,
) -> None:
    entry = json.loads(latency_record.model_dump_json())["entries"][0]

    assert "skipped" not in latency_record.model_dump()
    assert entry["setting"] == {"engine": "exact", "k": 10, "batch": 1, "threads": 1}
    assert entry.keys() == {
        *("setting", "threads_used", "bits", "database", "build_seconds", "index_bytes", "calls"),
        *("mean_ms", "p50_ms", "p95_ms", "p99_ms", "queries_per_second", "load_average"),
        "includes_encoding",
    }
    back = RECORD.validate_python({**seal(latency_record).model_dump(mode="json")})
    assert seal(back).record_id == back.record_id  # type: ignore[type-var]


def test_parameters_recall_and_tails_are_under_the_seal_and_come_back(
    latency_record: LatencyRecord,
) -> None:
    (entry,) = latency_record.entries
    setting = replace(entry.setting, params={"nlist": None, "nprobe": 8}, samples=20, seconds=1.5)
    later = {"p999_ms": 0.9, "recall": 0.5, "recall_queries": 7, "warmup_seconds": 0.25}
    more = entry.model_copy(
        update={**later, "setting": setting, "facts": {"nlist": 3}, "resampled_from": 50}
    )
    skipped = SkippedEngine(engine="usearch", params={"a": 1}, database=9, why="too long")
    sealed = seal(latency_record.model_copy(update={"entries": [more], "skipped": [skipped]}))

    assert sealed.record_id != seal(latency_record).record_id
    back = RECORD.validate_python(json.loads(sealed.model_dump_json()))
    assert back == sealed
    assert isinstance(back, LatencyRecord)
    assert hash(back.entries[0].setting) == hash(setting)
    assert {setting} == {back.entries[0].setting}


def test_a_fit_without_a_measured_speed_is_written_as_before_there_were_any(
    fit_record: FitRecord,
) -> None:
    assert "speed" not in fit_record.model_dump(mode="json")


def test_a_fits_speed_is_kept_and_under_the_seal(fit_record: FitRecord) -> None:
    speed = TrainingSpeed(
        images_per_second=10.0,
        step_seconds={"data": 0.5},
        flops_per_image=1e9,
        matrix_flops=1e11,
        utilisation=0.1,
    )
    sealed = seal(fit_record.model_copy(update={"speed": speed}))
    document = json.loads(json.dumps(sealed.model_dump(mode="json")))
    assert RECORD.validate_python(document) == sealed
    assert document["speed"]["utilisation"] == 0.1
    assert sealed.record_id != seal(fit_record).record_id


def test_energy_is_written_where_it_is_known_only(fit_record: FitRecord) -> None:
    assert "energy" not in fit_record.model_dump(mode="json")
    energy = Energy(source="nvml", joules={"training": 1234.5, "encoding": 6.0})
    sealed = seal(fit_record.model_copy(update={"energy": energy}))
    document = json.loads(json.dumps(sealed.model_dump(mode="json")))
    assert RECORD.validate_python(document) == sealed
    assert document["energy"] == {
        "source": "nvml",
        "joules": {"training": 1234.5, "encoding": 6.0},
    }
    assert sealed.record_id != seal(fit_record).record_id
