"""Answers as HTML: whatever data say, they say it as text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hashbench.studio.tabs.search_view import (
    compared_html,
    done,
    found_html,
    pictures_of,
    problem,
    problems,
    refused,
    style,
)

MARKUP = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def result(rank: int, distance: int, **more: Any) -> dict[str, Any]:
    return {
        "rank": rank,
        "position": 10 * rank,
        "distance": distance,
        "tie": distance + 1,
        "labels": [MARKUP],
        "right": rank == 1,
        "itself": False,
        "code": "1111000010",
        "thumbnail": f"/v1/t/{rank}",
        **more,
    }


def answer(name: str = MARKUP, **more: Any) -> dict[str, Any]:
    return {
        "method": {"id": "a", "record": "b", "name": name},
        "query": {
            "kind": "query",
            "index": 3,
            "labels": [MARKUP],
            "code": "1111000011",
            "thumbnail": "/v1/t/q",
        },
        "k": 3,
        "database": 1_000_000,
        "engine": "exact",
        "milliseconds": {"decode": None, "encode": None, "search": 3.14159},
        "right": 1,
        "relevant": 70,
        "ties": [
            {"tie": 1, "distance": 0, "ranks": [1, 1], "in_database": 1, "in_results": 1},
            {"tie": 2, "distance": 1, "ranks": [2, 3], "in_database": 50, "in_results": 2},
        ],
        "results": [result(1, 0), result(2, 1), result(3, 1)],
        **more,
    }


def test_markup_in_labels_and_names_is_text() -> None:
    both = {"answers": [answer(), answer()], "shared": {"images": 1, "positions": [20]}}
    own = answer(
        collection={"name": MARKUP, "images": 3}, results=[result(1, 0, name=MARKUP)], ties=[]
    )
    own["ties"] = [answer()["ties"][0]]
    for html in (
        found_html(answer(), {}),
        compared_html(both, {}),
        found_html(own, {}),
        problem(MARKUP),
        done(MARKUP),
        problems([MARKUP]),
    ):
        assert "<script" not in html and "<img src=x" not in html
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in html


def test_an_answer_says_engine_time_of_this_query_and_how_many_are_right() -> None:
    html = found_html(answer(), {})
    assert "engine exact; this query: search 3.14 ms; 1,000,000 images searched" in html
    assert "1 of 3 right (70 are there)" in html
    timed = answer(milliseconds={"decode": 1.5, "encode": 20.25, "search": 0.01234})
    assert "this query: decode 1.5 ms, encode 20.2 ms, search 0.0123 ms" in found_html(timed, {})


def test_equal_distances_stand_in_one_group_that_says_so() -> None:
    html = found_html(answer(), {})
    one, two = html.split('<div class="hb-tie"')[1:]
    assert (one.count("<figure"), two.count("<figure")) == (1, 2)
    assert "at this distance" not in one
    assert "2 of 50 at this distance; order within means nothing" in two


def test_bits_that_differ_from_the_query_are_marked() -> None:
    html = found_html(answer(), {})
    assert '<code class="hb-bits query-code">11110000 11</code>' in html
    assert html.count("11110000 1<mark>0</mark>") == 3


def test_right_and_wrong_are_told_by_words_and_frames_and_unknown_by_neither() -> None:
    results = [result(1, 0), result(2, 1), result(3, 1, right=None)]
    html = found_html(answer(results=results), {})
    assert re.findall(r'<figure class="(\w+)">', html) == ["right", "wrong", "open"]
    assert (html.count("✓ right"), html.count("✗ wrong")) == (1, 1)


def test_pictures_are_inline_and_a_missing_one_is_told() -> None:
    both = {"answers": [answer(), answer()], "shared": None}
    assert pictures_of(both) == ["/v1/t/q", "/v1/t/1", "/v1/t/2", "/v1/t/3"]
    html = found_html(answer(), {"/v1/t/q": b"png", "/v1/t/2": b"png"})
    assert html.count('src="data:image/png;base64,cG5n"') == 2
    assert html.count("no picture") == 2
    assert "two datasets" in compared_html(both, {})


def test_only_the_first_line_of_an_error_is_shown() -> None:
    assert ">one<" in refused(ValueError("one\ntwo")) and "two" not in refused(ValueError("a\ntwo"))
    assert problem("") == done("") == problems([]) == ""
    assert problems([str(n) for n in range(100)]).count("<li") == 31
    assert "and 70 more" in problems([str(n) for n in range(100)])


@pytest.mark.parametrize("name", [".hb-tie", ".wrong", "border-style: dashed"])
def test_the_style_comes_with_the_package(name: str) -> None:
    assert style().startswith("<style>") and name in style()
