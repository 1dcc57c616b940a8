"""Images are added to a collection and taken out; what was answered is kept, come what may."""

from __future__ import annotations

import errno
import io
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hashbench.core.codes import Codes
from hashbench.core.errors import DamagedStoreError, DataError, StoreError
from hashbench.serve import collection as module
from hashbench.serve.client import AnswerError, Client
from hashbench.serve.collection import JOURNAL, About, Collection
from hashbench.serve.refusal import Refusal
from hashbench.store.store import Store

ABOUT = About("mine", "f" * 16, "e" * 16, 12, "2026-01-01T00:00:00+00:00")
Served = Callable[..., AbstractContextManager[Client]]


def codes(*values: int) -> Codes:
    """Codes of 12 bits, each a number."""
    bits = [[(value >> (11 - bit)) & 1 for bit in range(12)] for value in values]
    return Codes(np.packbits(np.array(bits, dtype=np.uint8), axis=1), 12)


def found(collection: Collection, value: int, k: int = 3) -> list[tuple[str, float]]:
    """Names and distances of the nearest to a number."""
    index, items = collection.index()
    near = index.search(codes(value), k)
    return [(items[at].name, far) for at, far in zip(near.ids, near.distances, strict=True)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def three(folder: Path) -> Collection:
    """Return a collection of three images, added one by one."""
    made = Collection.create(folder, ABOUT)
    for name, value in (("a", 0b000), ("b", 0b001), ("c", 0b111)):
        made.add(codes(value), [name], thumbnail=name.encode())
    return made


def test_what_was_added_is_found_nearest_first_and_after_a_restart(
    three: Collection, folder: Path
) -> None:
    expected = [("c", 0.0), ("b", 2.0), ("a", 3.0)]
    assert found(three, 0b111) == expected
    assert found(Collection(folder), 0b111) == expected
    assert Collection(folder).about == ABOUT


def test_what_was_removed_is_gone_and_its_number_never_comes_again(
    three: Collection, folder: Path
) -> None:
    three.remove(2)
    for collection in (three, Collection(folder)):
        assert found(collection, 0b111) == [("b", 2.0), ("a", 3.0)]
        with pytest.raises(Refusal, match="has no image 2"):
            collection.item(2)
    assert Collection(folder).add(codes(5), ["d"]) == [3]
    assert not (folder / "thumbnails" / "2.png").exists()


def test_half_a_line_that_a_crash_left_does_not_count_and_is_overwritten(
    three: Collection, folder: Path
) -> None:
    journal = folder / JOURNAL
    whole = journal.read_bytes()
    three.add(codes(5), ["lost"])
    line = journal.read_bytes()[len(whole) :]
    for cut in range(len(line)):
        journal.write_bytes(whole + line[:cut])
        opened = Collection(folder)
        assert [item.name for item in opened.items()] == ["a", "b", "c"]
        assert opened.add(codes(6), ["d"]) == [3]
        assert [item.name for item in Collection(folder).items()] == ["a", "b", "c", "d"]


def test_any_changed_byte_of_the_journal_is_told(three: Collection, folder: Path) -> None:
    journal = folder / JOURNAL
    whole = journal.read_bytes()
    for at in range(whole.rindex(b"\n", 0, -1)):
        journal.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedStoreError, match=r"line \d is damaged"):
            Collection(folder)


@pytest.mark.parametrize("written", [0, 7])
def test_a_full_disk_leaves_the_collection_as_it_was(
    three: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    real, room = os.write, iter([written])

    def full(descriptor: int, data: memoryview) -> int:
        part = next(room, 0)
        if not part:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:part])

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", full)
        with pytest.raises(StoreError, match="No space left on device; the collection is as it"):
            three.add(codes(9), ["d"])
    for collection in (three, Collection(folder)):
        assert [item.name for item in collection.items()] == ["a", "b", "c"]
    assert three.add(codes(9), ["d"]) == [3]
    assert len(Collection(folder)) == 4


def test_several_are_added_whole_or_not_at_all(three: Collection, folder: Path) -> None:
    assert three.add(codes(1, 2, 3), ["x", "y", "z"]) == [3, 4, 5]
    with pytest.raises(DataError, match="not of its own fit"):
        three.add(codes(1, 2), ["only one name"])
    with pytest.raises(DataError, match="not of its own fit"):
        three.add(Codes(np.zeros((1, 2), dtype=np.uint8), 16), ["other bits"])
    assert len(Collection(folder)) == 6


def test_a_journal_of_many_removals_is_written_anew_with_the_same_content(folder: Path) -> None:
    made = Collection.create(folder, ABOUT)
    made.add(codes(*range(200)), [f"image {i}" for i in range(200)])
    for number in range(110):
        made.remove(number)
    assert (folder / JOURNAL).read_bytes().count(b"\n") < 20
    again = Collection(folder)
    assert list(again.items()) == list(made.items())
    assert [item.id for item in again.items()] == list(range(110, 200))
    assert b'"image 50"' not in (folder / JOURNAL).read_bytes()
    assert again.add(codes(1), ["new"]) == [200]


def test_a_journal_of_rows_as_it_was_first_written_is_read(folder: Path) -> None:
    Collection.create(folder, ABOUT)
    lines = [
        b'{"add":[[0,"a","0000",null],[1,"b","0010",7]]}',
        b'{"remove":[0]}',
        b'{"next":5,"add":[[4,"c","0070",null]]}',
    ]
    written = [b"%08x %s\n" % (zlib.crc32(line), line) for line in lines]
    (folder / JOURNAL).write_bytes(b"".join(written))
    opened = Collection(folder)
    assert [(i.id, i.name, i.database) for i in opened.items()] == [(1, "b", 7), (4, "c", None)]
    assert found(opened, 0b111) == [("c", 0.0), ("b", 2.0)]
    assert opened.add(codes(0), ["d"]) == [5]


def test_a_journal_of_many_lines_is_written_anew_when_it_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Collection.create(folder, ABOUT)
    for number in range(12):
        made.add(codes(number), [f"image {number}"])
    made.remove(11)
    monkeypatch.setattr(module, "_MANY_LINES", 10)
    assert list(Collection(folder).items()) == list(made.items())
    assert (folder / JOURNAL).read_bytes().count(b"\n") == 1
    again = Collection(folder)
    assert list(again.items()) == list(made.items())
    assert again.add(codes(1), ["new"]) == [12]


def test_what_was_listed_before_a_change_stays_what_it_was(three: Collection) -> None:
    before = three.items()
    three.remove(1)
    three.add(codes(*range(200)), [f"{i}" for i in range(200)])
    assert [(item.id, item.name) for item in before] == [(0, "a"), (1, "b"), (2, "c")]
    assert [item.id for item in three.items()[:3]] == [0, 2, 3]
    assert [three.items().position(number) for number in (0, 1, 2, 202, 203)] == [
        0,
        None,
        1,
        201,
        None,
    ]


def test_many_threads_add_and_remove_at_once_and_nothing_is_lost(folder: Path) -> None:
    made = Collection.create(folder, ABOUT)

    def work(i: int) -> int:
        (number,) = made.add(codes(i), [f"{i}"])
        if i % 3 == 0:
            made.remove(number)
        made.items()
        return number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(work, range(1, 61)))
    assert sorted(numbers) == list(range(60))
    expected = {f"{i}" for i in range(1, 61) if i % 3}
    for collection in (made, Collection(folder)):
        assert {item.name for item in collection.items()} == expected


@pytest.fixture
def own(kept: Any, tmp_path: Path, served: Served) -> Iterator[tuple[Client, Store]]:
    """Return a client and the store that it is served, of a test's own."""
    store = Store.create(tmp_path / "own")
    shutil.copytree(kept.store.root / kept.lsh.fit_id, store.root / kept.lsh.fit_id)
    with served(store) as client:
        yield client, store


def refused(client: Client, verb: str, path: str, body: bytes = b"", **words: Any) -> int:
    with pytest.raises(AnswerError) as told:
        client.raw(verb, path, body, **words)
    return told.value.status


def test_images_are_added_and_searched_and_deleted_over_http(
    own: tuple[Client, Store], kept: Any, served: Served
) -> None:
    client, store = own
    made = client.post("collections", name="photos", method=kept.lsh.fit_id)
    assert (made["images"], made["bits"]) == (0, 16)
    assert refused(client, "GET", "collections/photos/search", image=0) == 404
    assert refused(client, "POST", "collections/photos/search", kept.png(0)) == 409
    positions = kept.data.split.query[:6]
    for number, position in enumerate(positions):
        said = client.post("collections/photos/images", kept.png(position), name=f"p{position}")
        assert (said["id"], said["images"]) == (number, number + 1)

    arrays = kept.store.read_arrays(kept.lsh.fit_id, kept.lsh.artifacts["codes"])
    query = np.unpackbits(arrays["query"][:6], axis=1)
    far = (query != query[3]).sum(axis=1)
    order = np.argsort(far, kind="stable")
    said = client.post("collections/photos/search", kept.png(positions[3]), k=50)
    assert [r["id"] for r in said["results"]] == order.tolist()
    assert [r["distance"] for r in said["results"]] == far[order].tolist()
    assert [r["name"] for r in said["results"]] == [f"p{positions[i]}" for i in order]
    by_id = client.get("collections/photos/search", image=3, k=50)
    assert [r["id"] for r in by_id["results"]] == order.tolist()
    assert [r["id"] for r in by_id["results"] if r["itself"]] == [3]
    with Image.open(io.BytesIO(client.raw("GET", "collections/photos/images/3"))) as image:
        np.testing.assert_array_equal(
            np.array(image.convert("L")), kept.data.data.images[positions[3]]
        )

    assert client.delete("collections/photos/images/3")["images"] == 5
    with served(store) as again:
        for each in (client, again):
            left = each.post("collections/photos/search", kept.png(positions[3]), k=50)
            assert [r["id"] for r in left["results"]] == [i for i in order if i != 3]
            assert refused(each, "GET", "collections/photos/images/3") == 404
            assert refused(each, "DELETE", "collections/photos/images/3") == 404


def test_a_collection_can_start_as_the_records_database(
    own: tuple[Client, Store], kept: Any
) -> None:
    client, _ = own
    made = client.post("collections", name="all", method=kept.lsh.fit_id, start="database")
    assert made["images"] == 300
    known = client.get(f"methods/{kept.lsh.fit_id}/search", query=2, k=40)
    image = kept.png(kept.data.split.query[2])
    said = client.post("collections/all/search", image, k=40)
    for key in ("distance", "labels", "code", "tie"):
        assert [r[key] for r in said["results"]] == [r[key] for r in known["results"]]
    assert said["ties"] == known["ties"]
    first = said["results"][0]
    assert first["name"] == f"digits[{known['results'][0]['position']}]"
    with Image.open(io.BytesIO(client.raw("GET", f"collections/all/images/{first['id']}"))) as got:
        np.testing.assert_array_equal(
            np.array(got), kept.data.data.images[known["results"][0]["position"]]
        )
    client.post("collections/all/images", image, name="mine")
    near = client.post("collections/all/search", image, k=300)["results"]
    assert ("mine", 0) in [(r["name"], r["distance"]) for r in near]


def test_collections_are_listed_and_removed(own: tuple[Client, Store], kept: Any) -> None:
    client, store = own
    for name in ("one", "two"):
        client.post("collections", name=name, method=kept.lsh.fit_id)
    assert [c["name"] for c in client.get("collections")["collections"]] == ["one", "two"]
    client.delete("collections/one")
    assert [c["name"] for c in client.get("collections")["collections"]] == ["two"]
    assert [p.name for p in (store.root / ".collections").iterdir()] == ["two"]
    assert refused(client, "GET", "collections/one") == 404
    assert client.post("collections", name="one", method=kept.lsh.fit_id)["images"] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"name": "../evil"}, 400),
        ({"name": ".hidden"}, 400),
        ({"name": "a" * 65}, 400),
        ({"name": "fine", "start": "full"}, 400),
        ({"name": "fine", "method": "f" * 16}, 404),
        ({}, 400),
        ({"name": "taken"}, 409),
    ],
)
def test_a_collection_that_cannot_be_is_refused_and_nothing_is_written(
    own: tuple[Client, Store], kept: Any, words: dict[str, str], status: int
) -> None:
    client, store = own
    client.post("collections", name="taken", method=kept.lsh.fit_id)
    assert refused(client, "POST", "collections", **{"method": kept.lsh.fit_id, **words}) == status
    assert [p.name for p in (store.root / ".collections").iterdir()] == ["taken"]


@pytest.mark.parametrize("name", ["line\nbreak", "n" * 201])
def test_a_name_that_cannot_be_printed_is_refused(
    own: tuple[Client, Store], kept: Any, name: str
) -> None:
    client, _ = own
    client.post("collections", name="c", method=kept.lsh.fit_id)
    assert refused(client, "POST", "collections/c/images", kept.png(0), name=name) == 400
    assert refused(client, "POST", "collections/c/images", b"no image") == 415
    assert client.get("collections/c")["images"] == 0


def test_names_with_markup_come_back_as_they_are(own: tuple[Client, Store], kept: Any) -> None:
    client, _ = own
    client.post("collections", name="c", method=kept.lsh.fit_id)
    name = "<b onclick='x()'>né \"q\" & ../x</b>"
    client.post("collections/c/images", kept.png(0), name=name)
    assert [row["name"] for row in client.get("collections/c")["listed"]] == [name]


def test_a_collection_whose_fit_is_gone_says_so_and_is_kept(
    own: tuple[Client, Store], kept: Any
) -> None:
    client, store = own
    client.post("collections", name="c", method=kept.lsh.fit_id, start="database")
    shutil.rmtree(store.root / kept.lsh.fit_id)
    assert refused(client, "POST", "collections/c/search", kept.png(0)) == 409
    assert client.get("collections/c")["images"] == 300
