"""Collections as the page handles them: made, filled, searched, emptied."""

from __future__ import annotations

import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hashbench.serve.client import Client
from hashbench.store.store import Store
from hashbench.studio.context import Limits, StudioContext
from hashbench.studio.tabs.collections_panel import CollectionHandlers

Served = Callable[..., AbstractContextManager[Client]]
MARKUP = "<img src=x onerror=alert(1)>.png"


class Direct:
    """A link to a worker that is there."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(self, question: Any) -> Any:
        return question(self.client)


@pytest.fixture
def own(kept: Any, tmp_path: Path, served: Served) -> Iterator[tuple[CollectionHandlers, Client]]:
    store = Store.create(tmp_path / "own")
    shutil.copytree(kept.store.root / kept.lsh.fit_id, store.root / kept.lsh.fit_id)
    context = StudioContext(store.root, (tmp_path,), limits=Limits(files=6))
    with served(store) as client:
        link: Any = Direct(client)
        yield CollectionHandlers(context, link, lambda: [("lsh", kept.lsh.fit_id)]), client


@pytest.fixture
def photos(kept: Any, tmp_path: Path) -> Path:
    """Return a zip of three images, one of them named by a mischief, and a text."""
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(("a.png", "deep/b.png", MARKUP)):
            archive.writestr(name, kept.png(kept.data.split.query[number]))
        archive.writestr("notes.txt", "no image")
    return path


def last(steps: Iterator[str]) -> str:
    return list(steps)[-1]


def test_a_zip_is_added_and_what_is_no_image_in_it_is_told(
    own: tuple[CollectionHandlers, Client], kept: Any, photos: Path
) -> None:
    handlers, client = own
    update, said = handlers.create(" mine ", kept.lsh.fit_id, False)
    assert (update["choices"], update["value"]) == (["mine"], "mine")
    assert "made, 0 images" in said
    said = last(handlers.add("mine", [str(photos)]))
    assert "3 images added" in said
    assert "notes.txt: upload: no image that can be read" in said
    names = [each["name"] for each in client.get("collections/mine")["listed"]]
    assert names == ["a.png", "deep/b.png", MARKUP]


def test_its_images_are_shown_searched_and_taken_out(
    own: tuple[CollectionHandlers, Client], kept: Any, photos: Path, tmp_path: Path
) -> None:
    handlers, _ = own
    handlers.create("mine", kept.lsh.fit_id, False)
    last(handlers.add("mine", [str(photos)]))
    shown, page, _ = handlers.shown("mine", 1)
    assert [caption for _, caption in shown] == ["0: a.png", "1: deep/b.png", f"2: {MARKUP}"]
    assert "3 images" in page["label"]
    html, status = handlers.by_image("mine", 1, 3)
    assert status == ""
    assert html.count("<figure") == 3
    assert html.index("deep/b.png") < html.index("<br>a.png<br>") and "the query itself" in html
    assert MARKUP not in html and "&lt;img src=x onerror=alert(1)&gt;.png" in html
    assert html.count("data:image/png") == 4
    assert "2 are left" in handlers.remove("mine", 1)
    file = tmp_path / "again.png"
    file.write_bytes(kept.png(kept.data.split.query[1]))
    html, _ = handlers.by_upload("mine", str(file), 3)
    assert html.count("<figure") == 2 and "deep/b.png" not in html
    assert "has no image 1" in handlers.by_image("mine", 1, 3)[1]
    assert "has no image 1" in handlers.remove("mine", 1)


def test_what_was_sent_is_added_though_the_page_that_sent_it_is_gone(
    own: tuple[CollectionHandlers, Client],
    kept: Any,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers, client = own
    handlers.create("mine", kept.lsh.fit_id, False)
    may_go_on, post = threading.Event(), client.post

    def late(*words: Any, **named: Any) -> Any:
        assert may_go_on.wait(60)
        return post(*words, **named)

    monkeypatch.setattr(client, "post", late)
    page = handlers.add("mine", [str(photos)])
    assert "adding to mine: 0 so far" in next(page)
    page.close()
    assert "adding to mine" in handlers.opened("mine", None)[2]
    may_go_on.set()
    until = time.monotonic() + 60
    while handlers.opened("mine", None)[2] and time.monotonic() < until:
        time.sleep(0.05)
    assert client.get("collections/mine")["images"] == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_the_adding_is_told_with_what_was_added(
    own: tuple[CollectionHandlers, Client],
    kept: Any,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers, client = own
    handlers.create("mine", kept.lsh.fit_id, False)
    post, sent = client.post, list[str]()

    def fails(path: str, *words: Any, **named: Any) -> Any:
        sent.append(path)
        if len(sent) > 1:
            raise RuntimeError("a fault of ours")
        return post(path, *words, **named)

    monkeypatch.setattr(client, "post", fails)
    said = last(handlers.add("mine", [str(photos)]))
    assert "1 images added" in said
    assert "the others were not added: a fault of ours" in said


def test_more_files_than_the_limit_are_told_and_the_first_are_kept(
    own: tuple[CollectionHandlers, Client], kept: Any, photos: Path
) -> None:
    handlers, client = own
    handlers.create("mine", kept.lsh.fit_id, False)
    said = last(handlers.add("mine", [str(photos)] * 2))
    assert "more than 6 files; send the rest" in said
    assert client.get("collections/mine")["images"] == 5


def test_mistakes_are_told_in_one_line(own: tuple[CollectionHandlers, Client], kept: Any) -> None:
    handlers, _ = own
    assert "expected at most 64 letters" in handlers.create("../evil", kept.lsh.fit_id, False)[1]
    assert "no method yet" in handlers.create("mine", None, False)[1]
    assert "Choose a collection" in last(handlers.add(None, ["x.png"]))
    handlers.create("mine", kept.lsh.fit_id, False)
    assert "is there already" in handlers.create("mine", kept.lsh.fit_id, False)[1]
    assert "has no image 0" in handlers.by_image("mine", 0, 3)[1]
    assert "cannot be read" in last(handlers.add("mine", ["/gone/away.png"]))


def test_a_collection_can_begin_with_the_database_and_is_removed_for_good(
    own: tuple[CollectionHandlers, Client], kept: Any
) -> None:
    handlers, client = own
    _, said = handlers.create("all", kept.lsh.fit_id, True)
    assert "made, 300 images" in said
    update, _, status = handlers.opened("all", None)
    assert (update["value"], status) == ("all", "")
    update, said = handlers.delete("all")
    assert (update["choices"], update["value"]) == ([], None)
    assert "removed" in said
    assert client.get("collections")["collections"] == []
    assert "no collection yet" in handlers.opened("all", None)[2]
