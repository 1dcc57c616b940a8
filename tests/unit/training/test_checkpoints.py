"""Checkpoints are whole or absent; the newest two are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hashbench.core.errors import StoreError
from hashbench.training.checkpoint import Checkpoints


def state(epoch: int) -> dict[str, object]:
    return {"epoch": epoch, "network": {"w": torch.full((2,), float(epoch))}, "history": [{"a": 1}]}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_of_two_kept_checkpoints_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3):
        checkpoints.save(epoch, state(epoch))

    found = checkpoints.load()

    assert names(tmp_path) == ["epoch-000002.pt", "epoch-000003.pt"]
    assert found is not None
    assert found["epoch"] == 3
    assert torch.equal(found["network"]["w"], torch.tensor([3.0, 3.0]))


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_torn_file_is_passed_over_for_the_one_before(tmp_path: Path, kept: int) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    checkpoints.save(2, state(2))
    newest = tmp_path / "epoch-000002.pt"
    newest.write_bytes(newest.read_bytes()[:kept])

    found = checkpoints.load()

    assert found is not None
    assert found["epoch"] == 1


def test_a_checkpoint_that_would_run_code_is_not_read(tmp_path: Path) -> None:
    torch.save({"epoch": Path("anything")}, tmp_path / "epoch-000001.pt")

    assert Checkpoints(tmp_path).load() is None


def test_a_failed_write_leaves_the_checkpoints_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(StoreError, match="No space left"):
        patched.setattr("os.fsync", full)
        checkpoints.save(2, state(2))

    assert names(tmp_path) == ["epoch-000001.pt"]
    found = checkpoints.load()
    assert found is not None and found["epoch"] == 1


def test_clear_removes_checkpoints_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("kept")
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))

    checkpoints.clear()

    assert names(tmp_path) == ["log.txt"]
    assert checkpoints.load() is None


def test_without_a_folder_nothing_is_kept() -> None:
    checkpoints = Checkpoints(None)
    checkpoints.save(1, state(1))

    assert checkpoints.load() is None
