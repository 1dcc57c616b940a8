"""What `verify` finds, and that it leaves everything as it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from hashbench.audit.findings import Audit, Subject
from hashbench.audit.measurements import histogram_differences
from hashbench.audit.verify import verify_store
from hashbench.core.codes import Codes
from hashbench.core.errors import StoreError
from hashbench.core.record import EvaluationRecord, FitRecord
from hashbench.search.resample import Resampling, resample
from hashbench.store.codes import load_codes
from hashbench.store.store import FORMAT, MARKER, Store

MAP = "map@all/div=hits/ties=expected/empty=zero"
Forge = Callable[[Path, Callable[[dict[str, Any]], object]], Path]
Only = Callable[[Store, str], Path]


def problems(audit: Audit) -> list[str]:
    return [f"{each.file}: {each.what}" for each in audit.problems]


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def put_arrays(document: dict[str, Any], name: str, folder: Path, arrays: dict[str, Any]) -> None:
    """Replace a record's artifact, with all checksums as they must be."""
    old = folder / document["artifacts"][name]["file"]
    header = json.loads(old.read_bytes()[8 : 8 + int.from_bytes(old.read_bytes()[:8], "little")])
    data = save(arrays, metadata=header["__metadata__"])
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{old.name.rpartition('-')[0]}-{sha256[:16]}.safetensors"
    old.unlink()
    (folder / file).write_bytes(data)
    document["artifacts"][name] = {"file": file, "sha256": sha256, "bytes": len(data)}


def test_a_sound_store_has_no_problem_and_everything_in_it_was_looked_at(store: Store) -> None:
    audit = verify_store(store.root, deep=True)
    assert (audit.problems, audit.notes) == ([], [])
    assert {subject: number for subject, number, _ in audit.summary()} == {
        "records": 5,
        "fit ids": 2,
        "artifacts": 5,
        "codes": 2,
        "metric values": 6,
        "per-query values and curves": 10,  # two metrics, and three parts of a curve, of two cells
        "code statistics": 4,
        "latency entries": 1,
        "distance histograms": 1,
        "protocols": 2,
        "datasets": 2,
    }


def test_nothing_is_written(store: Store) -> None:
    before = bytes_of(store.root)
    verify_store(store.root, deep=True)
    assert bytes_of(store.root) == before


def test_what_is_no_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        verify_store(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda e: e.update(value=e["value"] + 1e-9), "value is"),
        (lambda e: e.update(queries=19), "queries is 19, computed again it is 20"),
        (lambda e: e.update(without_relevant=1), "without_relevant is 1"),
        (lambda e: e.update(cutoff_exceeds=100), "cutoff_exceeds is 100"),
    ],
)
def test_a_metric_that_the_codes_do_not_give_is_found_even_where_the_seal_was_renewed(
    store: Store, forged: Forge, only: Only, edit: Callable[[dict[str, Any]], None], told: str
) -> None:
    path = forged(only(store, "evaluation-*.json"), lambda d: edit(d["metrics"][MAP]))
    (problem,) = verify_store(store.root).problems
    assert problem.file == f"{path.parent.name}/{path.name}"
    assert problem.subject is Subject.METRICS
    assert told in problem.what


def test_a_code_statistic_that_the_codes_do_not_give_is_found(
    store: Store, forged: Forge, only: Only
) -> None:
    forged(
        only(store, "evaluation-*.json"),
        lambda d: d["codes"]["query"].update(distinct=d["codes"]["query"]["distinct"] - 1),
    )
    (problem,) = verify_store(store.root).problems
    assert problem.subject is Subject.STATISTICS
    assert "query.distinct" in problem.what


@pytest.mark.parametrize("name", [MAP, "pr@radii/empty=zero#recall"])
def test_a_value_of_one_query_or_of_a_curve_is_found_even_where_all_seals_were_renewed(
    store: Store, forged: Forge, only: Only, name: str
) -> None:
    path = only(store, "evaluation-*.json")

    def edit(document: dict[str, Any]) -> None:
        file = path.parent / document["artifacts"]["per_query"]["file"]
        arrays = {key: value.copy() for key, value in load(file.read_bytes()).items()}
        arrays[name][7] += 1e-6
        put_arrays(document, "per_query", path.parent, arrays)

    forged(path, edit)
    (problem,) = verify_store(store.root).problems
    assert problem.subject is Subject.ARRAYS
    assert "1 of " in problem.what
    assert "first at 7" in problem.what


def test_exchanged_codes_are_found_by_the_metrics_that_no_longer_follow(
    store: Store, forged: Forge, only: Only
) -> None:
    path = only(store, "fit-*.json")

    def edit(document: dict[str, Any]) -> None:
        file = path.parent / document["artifacts"]["codes"]["file"]
        arrays = {key: value.copy() for key, value in load(file.read_bytes()).items()}
        arrays["database"][:, 0] ^= 128
        put_arrays(document, "codes", path.parent, arrays)

    old = json.loads(path.read_bytes())["record_id"]
    new = json.loads(forged(path, edit).read_bytes())["record_id"]
    for each in ("evaluation-*.json", "latency-*.json"):
        forged(only(store, each), lambda d: d.update(fit_record=new))
    assert old != new
    found = {problem.subject for problem in verify_store(store.root).problems}
    assert found >= {Subject.METRICS, Subject.ARRAYS, Subject.HISTOGRAMS}


def test_a_fit_id_that_is_not_its_cells_is_found(store: Store, forged: Forge, only: Only) -> None:
    forged(only(store, "fit-*.json"), lambda d: d["cell"].update(seed=7))
    told = problems(verify_store(store.root))
    assert any("the id of its cell is" in line for line in told)


def test_data_that_are_not_the_protocols_are_found(store: Store, forged: Forge, only: Only) -> None:
    forged(only(store, "fit-*.json"), lambda d: d["data"]["checksums"].update(pixels="0" * 64))
    told = problems(verify_store(store.root))
    assert any("pixels of SHA-256 000" in line and "digits@1 says" in line for line in told)


def test_another_protocol_of_the_same_name_is_found(
    store: Store, forged: Forge, only: Only
) -> None:
    forged(only(store, "fit-*.json"), lambda d: d["cell"]["data"].update(protocol_sha256="0" * 64))
    told = problems(verify_store(store.root))
    assert any("digits@1 of SHA-256 000000000000…, this" in line for line in told)


def test_a_protocol_that_is_not_installed_is_a_note(
    store: Store, forged: Forge, only: Only
) -> None:
    forged(only(store, "fit-*.json"), lambda d: d["cell"]["data"].update(protocol="mine@1"))
    assert any("mine@1 is not installed" in note.what for note in verify_store(store.root).notes)


def test_lists_that_the_dataset_does_not_give_are_found_by_a_deep_look_only(
    store: Store, forged: Forge, only: Only
) -> None:
    forged(only(store, "fit-*.json"), lambda d: d["data"]["checksums"].update(query="0" * 64))
    shallow, deep = (problems(verify_store(store.root, deep=deep)) for deep in (False, True))
    assert not any("query of SHA-256" in line for line in shallow)
    assert any("query of SHA-256 000" in line for line in deep)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"p50_ms": 0.75}, "percentiles are not in rising order"),
        ({"mean_ms": 0.3}, "queries a second"),
        ({"bits": 32}, "states 32 bits, the codes have 16"),
        ({"database": 99}, "a database of 99 codes, the fit has 100"),
    ],
)
def test_a_latency_that_contradicts_itself_or_the_codes_is_found(
    store: Store, forged: Forge, only: Only, edit: dict[str, Any], told: str
) -> None:
    forged(only(store, "latency-*.json"), lambda d: d["entries"][0].update(edit))
    (problem,) = verify_store(store.root).problems
    assert problem.subject is Subject.LATENCY
    assert told in problem.what


def test_an_artifact_that_is_not_there_is_a_problem_unless_it_was_left_out(
    store: Store, fit: FitRecord
) -> None:
    file = f"{fit.fit_id}/{fit.artifacts['codes'].file}"
    (store.root / file).unlink()
    (problem,) = verify_store(store.root).problems
    assert (problem.file, problem.subject) == (file, Subject.ARTIFACTS)
    for absent in (file, "codes"):
        audit = verify_store(store.root, absent=[absent])
        assert audit.problems == []
        assert [note.file for note in audit.notes] == [file]


def test_what_a_store_says_it_does_without_is_a_note_and_what_it_has_is_checked_as_ever(
    store: Store, fit: FitRecord
) -> None:
    file = f"{fit.fit_id}/{fit.artifacts['codes'].file}"
    (store.root / "left-out.txt").write_text(f"# too large\n\n{file}\n")
    whole = verify_store(store.root)
    assert (whole.problems, whole.notes) == ([], [])

    (store.root / file).write_bytes(b"damaged")
    (problem,) = verify_store(store.root).problems
    assert problem.file == file

    (store.root / file).unlink()
    audit = verify_store(store.root)
    assert audit.problems == []
    (note,) = audit.notes
    assert (note.file, note.what.partition(";")[0]) == (file, "left out (left-out.txt says so)")


@pytest.mark.parametrize("line", ["codes", "*", "../0123456789abcdef/codes-0.safetensors"])
def test_a_store_cannot_do_without_more_than_single_artifacts(
    store: Store, fit: FitRecord, line: str
) -> None:
    (store.root / fit.fit_id / fit.artifacts["codes"].file).unlink()
    (store.root / "left-out.txt").write_text(f"# why\n{line}\n")
    missing, unread = sorted(verify_store(store.root).problems)
    assert missing.file.startswith(fit.fit_id)
    assert (unread.file, "line 2" in unread.what) == ("left-out.txt", True)


def test_a_measurement_whose_fit_was_taken_away_is_found(store: Store, only: Only) -> None:
    path = only(store, "fit-*.json")
    path.unlink()
    told = problems(verify_store(store.root))
    assert len(told) == 2
    assert all(f"its fit {path.stem.removeprefix('fit-')} is missing" in line for line in told)


def test_a_field_that_this_version_does_not_know_is_a_problem(
    store: Store, forged: Forge, only: Only
) -> None:
    forged(only(store, "evaluation-*.json"), lambda d: d.update(later="unknown"))
    told = problems(verify_store(store.root))
    assert any("no record this version can read (evaluation.later" in line for line in told)


def test_an_artifact_named_by_a_path_is_refused(store: Store, forged: Forge, only: Only) -> None:
    forged(
        only(store, "fit-*.json"),
        lambda d: d["artifacts"]["codes"].update(file="../../secret.safetensors"),
    )
    told = problems(verify_store(store.root))
    assert any("artifacts.codes.file" in line for line in told)


IRREGULAR = {
    "a symbolic link": lambda path: path.symlink_to("/dev/zero"),  # out of the store
    "a directory": Path.mkdir,
    "a named pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_a_record_whose_place_is_taken_by_something_else_is_found(
    store: Store, only: Only, kind: str
) -> None:
    path = only(store, "evaluation-*.json")
    path.unlink()
    IRREGULAR[kind](path)
    (problem,) = verify_store(store.root).problems
    assert problem.file == f"{path.parent.name}/{path.name}"
    assert problem.what == (
        f"is {kind}, not a regular file; move {path.name} out of the store and run the matrix again"
    )


@pytest.mark.parametrize("kind", list(IRREGULAR))
def test_a_marker_whose_place_is_taken_by_something_else_is_found(store: Store, kind: str) -> None:
    (store.root / MARKER).unlink()
    IRREGULAR[kind](store.root / MARKER)
    (problem,) = verify_store(store.root).problems
    assert problem.file == MARKER
    assert problem.what == (
        f"is {kind}, not a regular file; replace it by a file with the content {json.dumps(FORMAT)}"
    )


def test_a_marker_that_was_removed_is_found_and_the_records_are_checked(store: Store) -> None:
    (store.root / MARKER).unlink()
    audit = verify_store(store.root)
    (problem,) = audit.problems
    assert problem.file == MARKER
    assert problem.what == f"is missing; write a file with the content {json.dumps(FORMAT)}"
    assert audit.checked[Subject.RECORDS] == 5


def test_left_overs_are_listed_and_are_no_problem(store: Store, fit: FitRecord) -> None:
    folder = store.root / fit.fit_id
    (folder / ".tmp-77-fit-0.json").write_bytes(b"{")
    (folder / "codes-0000000000000000.safetensors").write_bytes(b"")
    (store.root / "notes.txt").write_text("mine")
    work = store.root / ".work" / fit.fit_id
    work.mkdir(parents=True)
    (work / "log.txt").write_text("")
    for aside in (store.lease_folder(fit.fit_id) / "1", store.log_file(fit.fit_id)):
        aside.parent.mkdir(parents=True)
        aside.write_text("")  # every run leaves these: nothing to tell
    audit = verify_store(store.root)
    assert audit.problems == []
    assert {note.file: note.what.partition(";")[0] for note in audit.notes} == {
        f"{fit.fit_id}/.tmp-77-fit-0.json": "left behind by a process that was killed",
        f"{fit.fit_id}/codes-0000000000000000.safetensors": "not named by any readable record",
        "notes.txt": "no part of a store",
        f".work/{fit.fit_id}": "checkpoints and log of a cell that has not finished",
    }


def test_a_record_written_anew_with_the_same_content_is_found(store: Store, only: Only) -> None:
    path = only(store, "latency-*.json")
    path.write_text(json.dumps(json.loads(path.read_bytes())))
    (problem,) = verify_store(store.root).problems
    assert "in another form" in problem.what


@pytest.mark.parametrize("value", ["NaN", "1e999", '"\\ud800"'])
def test_what_json_reads_but_cannot_write_is_a_problem_and_no_crash(
    store: Store, only: Only, value: str
) -> None:
    path = only(store, "evaluation-*.json")
    text = path.read_text()
    seconds = text.index('"seconds": ') + len('"seconds": ')
    path.write_text(text[:seconds] + value + text[text.index(",", seconds) :])
    assert [problem.file for problem in verify_store(store.root).problems] == [
        f"{path.parent.name}/{path.name}"
    ]


def test_metrics_are_checked_against_a_loop_over_pairs(store: Store, fit: FitRecord) -> None:
    """What verify calls sound is what a plain computation gives."""
    arrays = store.read_arrays(fit.fit_id, fit.artifacts["codes"])
    bits = {side: np.unpackbits(arrays[side], axis=1) for side in ("query", "database")}
    labels = {side: arrays[f"{side}_labels"] for side in ("query", "database")}
    values = []
    for query, label in zip(bits["query"], labels["query"], strict=True):
        near = (bits["database"] != query).sum(axis=1) <= 2
        relevant = ((labels["database"] & label) > 0).any(axis=1)
        values.append((near & relevant).sum() / near.sum() if near.any() else 0.0)
    (evaluation,) = (r for r in store.records(fit.fit_id) if isinstance(r, EvaluationRecord))
    assert evaluation.metrics["precision@r2/empty=zero"].value == pytest.approx(np.mean(values))


@pytest.mark.parametrize("way", list(Resampling))
def test_distances_to_a_resampled_database_are_counted_again_by_a_deep_look(
    fit: FitRecord, store: Store, way: Resampling
) -> None:
    encoded = load_codes(store, fit)
    assert isinstance(encoded.query, Codes)
    assert isinstance(encoded.database, Codes)
    drawn = resample(encoded.database, encoded.database_labels, 300, seed=4, redraw=0.5, way=way)
    far = (drawn.signs()[None] != encoded.query.signs()[:, None]).sum(axis=2)
    counts = np.bincount(far.ravel(), minlength=17)
    about = {"seed": "4", "redraw": "0.5", "resampling": way.value}
    for edited, expected in ((counts, []), (counts[::-1], ["distances to 300 codes differ "])):
        found = histogram_differences({"300": edited}, about, encoded, resampled=True)
        assert [what[:30] for what in found] == expected
        assert list(histogram_differences({"300": edited}, about, encoded, resampled=False)) == []
