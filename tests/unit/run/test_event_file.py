"""What a node writes of its cell, and who follows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hashbench.run.event_file import EventReader, EventWriter
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults


def test_a_reader_hears_in_order_what_was_written_since_it_last_asked(
    tmp_path: Path, planned: Callable[[], Planned]
) -> None:
    file, item = tmp_path / "cell.jsonl", planned()
    reader = EventReader(file)
    assert reader.new() == []
    with EventWriter(file, "abc") as writer:
        writer.started(item, 1, 1)
        writer.heard({"event": "phase", "phase": "fit"})
        assert reader.new() == [
            {"cell": "abc", "event": "started"},
            {"cell": "abc", "event": "phase", "phase": "fit"},
        ]
        writer.put_off(item, "waits")
        writer.finished(item, CellResults("abc"), 2.5)
    assert reader.new() == [
        {"cell": "abc", "event": "put-off", "why": "waits"},
        {"cell": "abc", "event": "finished", "seconds": 2.5},
    ]
    assert reader.new() == []


def test_a_second_node_goes_on_below_what_the_first_left(
    tmp_path: Path, planned: Callable[[], Planned]
) -> None:
    file = tmp_path / "cell.jsonl"
    for _ in range(2):
        with EventWriter(file, "abc") as writer:
            writer.started(planned(), 1, 1)
    assert [event["event"] for event in EventReader(file).new()] == ["started", "started"]


def test_half_a_line_is_left_for_later_and_one_that_never_ended_is_passed_over(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cell.jsonl"
    reader = EventReader(file)
    file.write_bytes(b'{"event": "phase", "phase"')
    assert reader.new() == []
    with file.open("ab") as opened:  # its writer died; another goes on
        opened.write(b'{"event": "started"}\n{"event": "started"}\n')
    assert reader.new() == [{"event": "started"}]
