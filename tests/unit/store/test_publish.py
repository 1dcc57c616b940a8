"""A record is in the store only if its cell was not taken over, whenever its writer sleeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core import files
from hashbench.core.errors import ExitCode, LeaseLostError, StoreError
from hashbench.core.record import FitRecord
from hashbench.store.lease import Lease, take
from hashbench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def leases(store: Store, fit_record: FitRecord) -> Path:
    return store.lease_folder(fit_record.fit_id)


def taken(leases: Path, above: int) -> Lease:
    lease = take(leases, above=above, period=5.0)
    assert lease is not None
    return lease


def once(what: Callable[[], object]) -> Callable[[], None]:
    """What happens the first time only."""
    left = [what]
    return lambda: left.pop()() and None if left else None


def names(store: Store, fit_id: str) -> list[str]:
    return [path.name for path in (store.root / fit_id).glob("*")]


def test_a_holder_writes_and_leaves_nothing_beside_its_lease(
    store: Store, leases: Path, fit_record: FitRecord
) -> None:
    sealed = store.write_record(fit_record, lease=taken(leases, above=0))
    assert list(store.records(fit_record.fit_id)) == [sealed]
    assert [path.name for path in leases.iterdir()] == ["00000001"]


def test_a_holder_that_slept_before_its_last_look_writes_nothing(
    store: Store, leases: Path, fit_record: FitRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(leases, above=0)
    sync = files.os.fsync
    over = once(lambda: taken(leases, above=1))
    monkeypatch.setattr(files.os, "fsync", lambda number: (sync(number), over()))

    with pytest.raises(LeaseLostError, match="another run took the cell over") as caught:
        store.write_record(fit_record, lease=first)
    assert caught.value.exit_code == ExitCode.INTERRUPTED
    assert names(store, fit_record.fit_id) == []
    assert [path.name for path in leases.iterdir()] == ["00000002"]


def test_a_holder_that_slept_between_its_last_look_and_the_rename_writes_nothing(
    store: Store, leases: Path, fit_record: FitRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(leases, above=0)
    rename = Path.replace
    made = []

    def taken_over_and_done_again() -> None:
        lease = taken(leases, above=1)
        again = fit_record.model_copy(update={"finished": "2030-01-01T00:00:00+00:00"})
        made.append(store.write_record(again, lease=lease))

    over = once(taken_over_and_done_again)
    monkeypatch.setattr(Path, "replace", lambda self, to: (over(), rename(self, to))[1])

    with pytest.raises(LeaseLostError):
        store.write_record(fit_record, lease=first)
    assert list(store.records(fit_record.fit_id)) == made


def test_who_takes_over_after_the_rename_finds_the_record(
    store: Store, leases: Path, fit_record: FitRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = taken(leases, above=0)
    rename = Path.replace
    seen = []

    def look_around() -> None:
        taken(leases, above=1)
        seen.extend(names(store, fit_record.fit_id))

    over = once(look_around)
    monkeypatch.setattr(Path, "replace", lambda self, to: (rename(self, to), over())[0])

    sealed = store.write_record(fit_record, lease=first)
    assert seen == [f"fit-{sealed.record_id}.json"]


def test_a_disk_that_cannot_be_written_is_told_as_such(
    store: Store, leases: Path, fit_record: FitRecord
) -> None:
    (store.root / fit_record.fit_id).write_text("in the way")
    with pytest.raises(StoreError, match="cannot write") as caught:
        store.write_record(fit_record, lease=taken(leases, above=0))
    assert not isinstance(caught.value, LeaseLostError)
    assert [path.name for path in leases.iterdir()] == ["00000001"]
