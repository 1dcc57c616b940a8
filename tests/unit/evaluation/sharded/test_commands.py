"""``hashbench shards``: what each command says, and what it refuses in one line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import sharded_cost_curve as cost_curve
from click.testing import CliRunner

from hashbench.cli import main
from hashbench.core.codes import Codes, Embeddings
from hashbench.core.record import Artifact
from hashbench.evaluation.entries import evaluate_entries, order_seed
from hashbench.evaluation.sharded.folder import ShardFolder
from hashbench.store.codes import EncodedSplit, save_codes
from hashbench.store.store import Store
from hashbench.worker.encoded_files import EncodedFiles


def call(*words):
    return CliRunner().invoke(main, ["shards", *(str(word) for word in words)])


def said(*words):
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(*words):
    result = call(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    told = [line for line in result.stderr.splitlines() if " of " not in line or "error" in line]
    (line,) = told
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.fixture
def made(tmp_path):
    """A small synthetic database with its queries."""
    assert "3,000 codes of 20 bits in 10 classes, 0.000 GB, and 9 queries" in said(
        *("synthesise", tmp_path / "x", "--codes", "3e3", "--bits", 20, "--queries", 9),
        *("--shard", "1e3"),
    )
    return tmp_path / "x"


def test_a_record_as_shards_has_every_metric_to_the_last_bit(tmp_path, fit_record, retrieval):
    data = retrieval(bits=16, items=150)
    store = Store.create(tmp_path / "store")
    cell = replace(fit_record.cell, bits=16)
    split = EncodedSplit(data.query, data.database, data.query_labels, data.labels)
    artifact = save_codes(store, cell.fit_id, split)
    facts = fit_record.data.model_copy(update={"sizes": {"classes": 5}})
    update = {"cell": cell, "fit_id": cell.fit_id, "artifacts": {"codes": artifact}, "data": facts}
    store.write_record(fit_record.model_copy(update=update))
    names = ["map@all", "map@50/ties=stable", "ndcg@50/ties=stable", "pr@radii"]
    expected = evaluate_entries(
        *(data.query, data.database, data.query_labels, data.labels, names),
        protocol_sha256=cell.data.protocol_sha256,
    ).metrics

    text = said("make", cell.fit_id[:8], tmp_path / "x", "--store", store.root, "--shard", 60)
    assert f"150 codes of 16 bits in database, 23 in queries, of {cell}" in text
    folder = ShardFolder.open(tmp_path / "x" / "database")
    assert folder.manifest.order_seed == order_seed(cell.data.protocol_sha256)
    assert len(folder.manifest.shards) == 3
    words = [word for name in names for word in ("--metric", name)]
    sides = (tmp_path / "x" / "database", tmp_path / "x" / "queries")
    said("evaluate", *sides, *words, "--processes", 1, "-o", tmp_path / "values.json")

    found = json.loads((tmp_path / "values.json").read_text())
    assert found["manifest_sha256"] == folder.manifest.sha256
    assert {n: v["value"] for n, v in found["metrics"].items()} == {
        n: entry.value for n, entry in expected.items()
    }
    assert len(found["metrics"]["pr@radii/empty=zero"]["recall"]) == 17


def test_embeddings_make_no_shards(tmp_path, fit_record, retrieval):
    data = retrieval(items=20, queries=3)
    store = Store.create(tmp_path / "store")
    cell = replace(fit_record.cell, bits=None)
    sides = [Embeddings(np.ones((count, 4), np.float32)) for count in (3, 20)]
    artifact = save_codes(store, cell.fit_id, EncodedSplit(*sides, data.query_labels, data.labels))
    assert isinstance(artifact, Artifact)
    facts = fit_record.data.model_copy(update={"sizes": {"classes": 5}})
    update = {"cell": cell, "fit_id": cell.fit_id, "artifacts": {"codes": artifact}, "data": facts}
    store.write_record(fit_record.model_copy(update=update))
    line = refused("make", cell.fit_id, tmp_path / "x", "--store", store.root)
    assert "has embeddings; shards hold binary codes" in line
    assert not (tmp_path / "x").exists()


def test_files_of_codes_are_adopted_checked_and_evaluated(tmp_path, made):
    database = made / "database"
    (database / "manifest.json").unlink()
    assert "is not a folder of shards" in refused("evaluate", database, made / "queries")
    text = said("adopt", database, "--bits", 20, "--classes", 10)
    assert "3,000 codes of 20 bits in 3 shards, manifest " in text
    assert "3,000 codes of 20 bits in 6 files as the manifest " in said("check", database)
    table = said("evaluate", database, made / "queries", "--processes", 1).splitlines()
    assert table[0].startswith("9 queries in 3,000 codes of 20 bits, manifest ")
    assert [line.split()[0].partition("/")[0] for line in table[1:]] == [
        *("map@all", "map@1000", "precision@100", "recall@100", "precision@r2", "recall@r2")
    ]


def test_a_changed_file_fails_the_check(made):
    path = made / "database" / "codes-00001.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    line = refused("check", made / "database")
    assert line.startswith(f"{path}: has SHA-256 ")


def test_a_search_prints_ids_with_distances_or_writes_them(tmp_path, made):
    sides = (made / "database", made / "queries")
    few = ("-k", 3, "--first", 2, "--processes", 1)
    text = said("search", *sides, *few).splitlines()
    said("search", *sides, *few, "-o", tmp_path / "found.npz")
    with np.load(tmp_path / "found.npz") as found:
        ids, distances = found["ids"], found["distances"]
    assert ids.shape == distances.shape == (2, 3)
    assert text == ["the 3 nearest of 3,000 codes"] + [
        f"query {q}, id:distance  " + "  ".join(map("{}:{}".format, ids[q], distances[q]))
        for q in range(2)
    ]


def test_a_search_takes_what_encode_wrote(tmp_path, made):
    folder = ShardFolder.open(made / "database")
    codes = folder.codes(next(folder.blocks()))
    EncodedFiles(Codes(codes.packed[:2], 20), ["a", "b"], "f", "r").write(tmp_path / "q.npz")
    text = said("search", made / "database", tmp_path / "q.npz", "-k", 1, "--processes", 1)
    assert text.count(":0\n") == 2
    floats = Embeddings(np.ones((1, 4), np.float32))
    EncodedFiles(floats, ["a"], "f", "r").write(tmp_path / "floats.npz")
    line = refused("search", made / "database", tmp_path / "floats.npz")
    assert "holds embeddings; shards are searched by binary codes" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "DATABASE", "nowhere"), "nowhere: is not a folder of shards"),
        (("evaluate", "DATABASE", "QUERIES", "--metric", "mop"), "metric 'mop': unknown metric"),
        (("evaluate", "DATABASE", "QUERIES", "--metric", "map/ties=stable"), "names no order seed"),
        (("search", "DATABASE", "nowhere.npz"), "nowhere.npz: no such file; hashbench encode"),
        (("adopt", "nowhere", "--bits", 20), "nowhere: no such folder"),
        (("adopt", "PLACE", "--bits", 1025), "bits must be between 1 and 1024, got 1025"),
        (("adopt", "DATABASE", "--bits", 20), "already exists; remove it to write it anew"),
        (("synthesise", "PLACE", "--codes", 10), "already exists; name a new folder"),
    ],
)
def test_wrong_input_is_refused_in_one_line(made, words, message):
    places = {"DATABASE": made / "database", "QUERIES": made / "queries", "PLACE": made}
    assert message in refused(*(places.get(word, word) for word in words))


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", "1e30", "inf", "nan"])
def test_numbers_of_codes_are_whole(tmp_path, number):
    result = call("synthesise", tmp_path / "x", f"--codes={number}")
    assert result.exit_code == 2
    assert "is not a whole number of at least 1, such as 1e6" in result.stderr


def test_the_cost_curve_has_a_row_a_size_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost_curve, "SMALLEST", 100)
    words = ["cost_curve", str(tmp_path), "--largest", "1e3", "--queries", "12", "--processes", "1"]
    monkeypatch.setattr("sys.argv", words)
    assert cost_curve.main() == 0
    first, headings, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("12 queries, 1 processes")
    assert headings.split()[0] == "codes"
    assert [row.split()[0] for row in rows] == ["100", "1,000"]
    assert list(tmp_path.iterdir()) == []


def test_a_cost_curve_that_the_disk_has_no_room_for_ends_with_one_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(cost_curve, "SMALLEST", 10**15)
    monkeypatch.setattr("sys.argv", ["cost_curve", str(tmp_path), "--largest", "1e15"])
    assert cost_curve.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "GiB are to be written" in line
