"""Every command is run once for real: the installed command, on a store that `run` made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from hashbench.cli import main
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

COMMAND = str(Path(sys.executable).with_name("hashbench"))
MATRIX = """\
version: 1
name: real
datasets: [{name: digits, subset: {train: 100, query: 20, database: 300}}]
methods: {pairs: [{method: itq}, {backbone: mlp, loss: csq}]}
bits: [16]
train: {epochs: 2, batch_size: 50}
execute: {device: cpu, threads: 1, keep_model: true}
"""
CLAIM = """\
version: 1
claims:
  - name: itq-above-csq
    says: ITQ has a higher mAP than CSQ after two epochs.
    source: this test
    better: {method: itq}
    than: [{loss: csq}]
    matching: loss
    quantities: map@all
    direction: higher
    controls: {same: [], seeds: 2}
"""
RUNS = {  # words, with a fit id and a second one in the place of ITQ and CSQ; part of the answer
    "doctor": ("doctor", "torch"),
    "check": ("check real.yaml", "no mistakes, 2 cells"),
    "run": ("run real.yaml", "2 cells: 2 done"),
    "status": ("status", "2 done"),
    "logs": ("logs CSQ", "fit"),
    "report": ("report", "mlp + csq"),
    "compare": ("compare itq csq", "mlp + csq"),
    "evaluate": ("evaluate hashbench-store --metric map@50", "map@50"),
    "latency": ("latency ITQ -k 5 --batch 1 --samples 5 --seconds 0.1s", "latency record"),
    "verify": ("verify hashbench-store", "nothing wrong"),
    "reproduce": ("reproduce ITQ", "bit-equal"),
    "explain-diff": ("explain-diff ITQ CSQ", "cell.method"),
    "gate": ("gate baseline --store hashbench-store", "gate: passed"),
    "claims": ("claims claim.yaml", "itq-above-csq: "),
    "export": ("export hashbench-store -o all.zip", "all.zip"),
    "import": ("import made.zip --store imported", "imported"),
    "merge": ("merge hashbench-store --into merged", "merged"),
    "encode": ("encode ITQ one.png -o one.npz", "codes of 16 bits for 1 image"),
    "query": ("query ITQ one.png -k 3", "the 3 nearest"),
    "shards": ("shards make ITQ shards --shard 200", "shards"),
    "data": ("data import photos --name photos --side 8 --data-root data", "photos"),
    "protocols": ("protocols", "digits@1"),
    "list": ("list losses", "csq"),
    "describe": ("describe csq", "csq (losses, hashbench "),
    "cite": ("cite csq", "@inproceedings"),
    "new": ("new loss mine", "mine.py"),
    "check-method": ("check-method itq", "itq (methods): "),
}
ELSEWHERE = {"serve", "studio"}  # test_serve.py and studio/test_journey.py start them


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store that the installed command made, and files for the others."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "real.yaml").write_text(MATRIX)
    (folder / "claim.yaml").write_text(CLAIM)
    generator = np.random.default_rng(0)
    for name in [f"photos/{kind}/{n}.png" for kind in ("a", "b") for n in range(20)] + ["one.png"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / name)
    for words in ("run real.yaml", "export hashbench-store -o made.zip"):
        done = call(folder, *words.split())
        assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "hashbench-store", folder / "baseline")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder."""
    return Path(shutil.copytree(made, tmp_path / "place"))


@pytest.mark.parametrize("command", RUNS)
def test_the_installed_command_does_its_work(command: str, place: Path) -> None:
    words, answer = RUNS[command]
    fits = [each.fit for each in read_all(Store.open(place / "hashbench-store")) if each.fit]
    (itq,) = [fit.fit_id for fit in fits if fit.cell.method]
    (csq,) = [fit.fit_id for fit in fits if fit.cell.loss]

    done = call(place, *({"ITQ": itq, "CSQ": csq}.get(word, word) for word in words.split()))

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr
    assert answer in done.stdout


def test_no_command_is_left_out() -> None:
    assert {*RUNS, *ELSEWHERE} == {*main.list_commands(click.Context(main))}
