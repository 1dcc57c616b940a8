"""What the page makes of a worker's answers, and what it says where there is none."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from hashbench.serve.client import Client
from hashbench.store.store import Store
from hashbench.studio.context import StudioContext
from hashbench.studio.tabs.search_tab import PAGE, SearchHandlers


class Direct:
    """A link to a worker that is there."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(self, question: Any) -> Any:
        return question(self.client)


class Page(HTMLParser):
    """The text of HTML, and how often each element stands in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.figures: list[str] = []
        self.pictures: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "figure":
            self.figures.append(str(known["class"]))
        if tag == "img":
            self.pictures.append(str(known["src"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def handlers(kept: Any, client: Client, tmp_path: Path) -> SearchHandlers:
    made = SearchHandlers(StudioContext(kept.store.root, (tmp_path,)))
    made.link = Direct(client)  # type: ignore[assignment] # asks as a link does
    return made


def nearest(kept: Any, fit: Any, query: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of one query to the whole database, and which images share a label with it."""
    arrays = kept.store.read_arrays(fit.fit_id, fit.artifacts["codes"])
    bits = {role: np.unpackbits(arrays[role], axis=1) for role in ("query", "database")}
    labels = kept.data.data.labels
    split = kept.data.split
    right = (labels[split.database] & labels[split.query[query]]).any(axis=1)
    return (bits["database"] != bits["query"][query]).sum(axis=1), right


def test_methods_are_offered_with_what_tells_them_apart(handlers: SearchHandlers) -> None:
    method, other, engine, status = handlers.opened(None, "gone")
    titles = [title for title, _ in method["choices"]]
    assert len(titles) == len(set(titles)) == 4
    assert all("mAP 0." in title and "digits@1" in title for title in titles)
    assert method["value"] == method["choices"][0][1]
    assert (other["choices"][0], other["value"]) == (("no other", ""), "")
    assert "exact" in engine["choices"]
    assert status == ""


def test_a_store_without_methods_says_what_to_do(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "empty")
    *_, status = SearchHandlers(StudioContext(store.root, (tmp_path,))).opened(None, None)
    assert "no method to search with yet" in Page(status).text


def test_the_query_list_is_shown_page_by_page(handlers: SearchHandlers, kept: Any) -> None:
    shown, page, _ = handlers.queries(kept.lsh.fit_id, 1)
    classes = [int(row.argmax()) for row in kept.data.data.labels[kept.data.split.query]]
    assert [caption for _, caption in shown] == [f"{n}: {c}" for n, c in enumerate(classes)]
    np.testing.assert_array_equal(
        np.array(shown[3][0].convert("L")), kept.data.data.images[kept.data.split.query[3]]
    )
    assert len(classes) < PAGE
    assert page["maximum"] == 1
    beyond, page, _ = handlers.queries(kept.lsh.fit_id, 7)
    assert (len(beyond), page["value"]) == (20, 1)


def test_a_query_finds_its_nearest_in_groups_of_equal_distance(
    handlers: SearchHandlers, kept: Any
) -> None:
    html, status, last = handlers.by_query(kept.lsh.fit_id, 4, 12, "exact", "")
    assert (status, last) == ("", "query")
    page = Page(html)
    far, right = nearest(kept, kept.lsh, 4)
    order = np.argsort(far, kind="stable")[:12]
    shown = [int(d) for d in re.findall(r"rank \d+, distance (\d+)", page.text)]
    assert shown == far[order].tolist()
    assert page.figures == ["right" if each else "wrong" for each in right[order]]
    assert page.text.count("✓ right") == right[order].sum()
    assert page.text.count("✗ wrong") == 12 - right[order].sum()
    groups = [int(d) for d in re.findall(r"Hamming distance (\d+)", page.text)]
    assert groups == sorted(set(far[order].tolist()))
    nearer = groups[0]
    counted = f"{(far[order] == nearer).sum()} of {(far == nearer).sum()} at this distance"
    assert counted in page.text or (far == nearer).sum() == 1
    arrays = kept.store.read_arrays(kept.lsh.fit_id, kept.lsh.artifacts["codes"])
    code = "".join(map(str, np.unpackbits(arrays["query"][4])))
    assert f"{code[:8]} {code[8:]}" in page.text
    assert re.search(r"engine exact; this query: search [\d.e-]+ ms; 300 images", page.text)
    assert len(page.pictures) == 13
    assert all(src.startswith("data:image/png;base64,") for src in page.pictures)


def test_two_methods_answer_the_same_query_side_by_side(
    handlers: SearchHandlers, kept: Any
) -> None:
    html, status, _ = handlers.by_query(kept.lsh.fit_id, 2, 5, "exact", kept.itq.fit_id)
    assert status == ""
    page = Page(html)
    assert len(page.figures) == 10
    assert "Code, 16 bits" in page.text and "Code, 12 bits" in page.text
    both = int(re.findall(r"(\d+) of the images below were found by both", page.text)[0])
    assert page.text.count(" found by both code") == 2 * both


def test_an_image_that_is_sent_is_searched_and_shown(
    handlers: SearchHandlers, kept: Any, tmp_path: Path
) -> None:
    file = tmp_path / "mine.png"
    file.write_bytes(kept.png(kept.data.split.query[4]))
    html, status, last = handlers.by_upload(kept.lsh.fit_id, str(file), 12, "exact", "")
    assert (status, last) == ("", "upload")
    sent, stored = Page(html), Page(handlers.by_query(kept.lsh.fit_id, 4, 12, "exact", "")[0])
    distances = [re.findall(r"rank \d+, distance (\d+)", page.text) for page in (sent, stored)]
    assert distances[0] == distances[1]
    assert "the image sent" in sent.text and "decode" in sent.text and "encode" in sent.text
    assert set(sent.figures) == {"open"}  # nobody knows its label
    assert len(sent.pictures) == 13


def test_an_embedding_has_cosine_distances_and_no_bits(handlers: SearchHandlers, kept: Any) -> None:
    html, _, _ = handlers.by_query(kept.cosine.fit_id, 0, 3, "exact", "")
    text = Page(html).text
    assert "cosine distance 0." in text and "an embedding, compared by cosine" in text
    assert "Hamming" not in text


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"text", "no image that can be read"),
        (b"", "the request's body is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "no image that can be read"),
        (b"\0" * (20 * 2**20 + 1), "more than 20 MiB"),
    ],
)
def test_what_is_no_image_is_told_in_one_line(
    handlers: SearchHandlers, kept: Any, tmp_path: Path, data: bytes, why: str
) -> None:
    file = tmp_path / "it.png"
    file.write_bytes(data)
    html, status, _ = handlers.by_upload(kept.lsh.fit_id, str(file), 3, "exact", "")
    assert html == ""
    assert why in Page(status).text
    assert "\n" not in status


def test_what_is_missing_is_told(handlers: SearchHandlers, kept: Any) -> None:
    def told(said: tuple[str, str, str]) -> str:
        return Page(said[1]).text

    assert "choose an image first" in told(handlers.by_upload(kept.lsh.fit_id, None, 3, "", ""))
    gone = handlers.by_upload(kept.lsh.fit_id, "/gone/away.png", 3, "", "")
    assert "is gone; send it again" in told(gone)
    assert "Choose a method first" in told(handlers.by_query("", 0, 3, "", ""))
    assert "query=99" in told(handlers.by_query(kept.lsh.fit_id, 99, 3, "", ""))
    other = handlers.by_query(kept.lsh.fit_id, 0, 3, "", kept.other.fit_id)
    assert "an index means two images" in told(other)


def test_a_changed_setting_before_any_search_leaves_what_is_shown(
    handlers: SearchHandlers, kept: Any
) -> None:
    said = handlers.again("", kept.lsh.fit_id, 0, None, 3, "exact", "")
    assert said == (gr.skip(), gr.skip(), gr.skip())
