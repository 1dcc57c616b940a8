"""Property: whatever byte of a record or artifact is changed, `verify` says which file it is in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashbench.audit.verify import verify_store


@pytest.fixture(scope="module")
def files(template: Path) -> list[Path]:
    found = sorted(path for path in template.rglob("*") if path.is_file())
    assert {path.name.partition("-")[0] for path in found} == {
        *("store.json", "fit", "evaluation", "latency", "codes", "per", "distances"),
    }
    return found


def told_of(template: Path, path: Path, data: bytes) -> set[str]:
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        return {problem.file for problem in verify_store(template).problems}
    finally:
        path.write_bytes(before)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_byte_changed_anywhere_is_found(
    template: Path, files: list[Path], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert str(path.relative_to(template)) in told_of(template, path, bytes(content))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_digit_changed_anywhere_is_found(
    template: Path, files: list[Path], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from([each for each in files if each.suffix == ".json"]))
    content = path.read_text()
    places = [place for place, letter in enumerate(content) if letter.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != content[place]]))
    edited = content[:place] + digit + content[place + 1 :]
    assert str(path.relative_to(template)) in told_of(template, path, edited.encode())


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_file_cut_short_anywhere_is_found(
    template: Path, files: list[Path], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    assert str(path.relative_to(template)) in told_of(template, path, content[:kept])
