"""The script that measures counting on a device; seen at tiny size on the CPU."""

from __future__ import annotations

import re

import device_evaluation_speed as device_speed
import pytest
import torch
from evaluation_speed import CASES, made


def test_it_prints_a_row_for_every_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert device_speed.main(["0.0001"]) == 0
    rows = re.findall(r"^\| (\d+) x (\d+) \| ", capsys.readouterr().out, re.M)
    assert [int(queries) for queries, _ in rows] == [1_000, 2_100, 5_000, 16, 16]
    assert [int(items) for _, items in rows] == [5, 19, 12, 1_000, 10_000]


def test_a_larger_database_holds_the_codes_of_the_smaller_with_their_labels() -> None:
    query, database, _, labels = sides = made(CASES[0])
    found = device_speed.enlarged(sides, 70_000)
    assert found[0] is query
    known = {
        (code.tobytes(), label.tobytes())
        for code, label in zip(database.packed, labels, strict=True)
    }
    drawn = zip(found[1].packed, found[3], strict=True)
    assert len(found[1]) == len(found[3]) == 70_000
    assert all((code.tobytes(), label.tobytes()) in known for code, label in drawn)


def test_rates_are_operations_and_bytes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_speed, "_shortest", lambda work, device: 0.5)
    cpu = torch.device("cpu")
    assert device_speed.matrix_rate(cpu, 1 / 64) == 2 * 128**3 / 0.5
    assert device_speed.copy_rate(cpu, 1 / 1024) == 2 * 2**20 / 0.5
