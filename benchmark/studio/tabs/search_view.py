"""What a search found, as HTML: groups of equal distance, right and wrong, codes as bits.

Every word that comes from data is escaped here; pictures are small and stand in the page itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

_BYTE: Final = 8
_MOST_LINES: Final = 30
_ASKED: Final = {
    "query": "Query",
    "database": "Query: image of the database",
    "image": "Query: image",
    "upload": "Query: the image sent",
}
_STEPS: Final = ("decode", "encode", "search")
_VERDICTS: Final = {
    True: ("right", "✓ right"),
    False: ("wrong", "✗ wrong"),
    None: ("open", ""),
}

Pictures = Mapping[str, bytes]
"""PNG files by the address that the worker names; an image without one has no picture here."""


def style() -> str:
    """The style that everything in ``class="hb"`` follows."""
    css = files("hashbench.studio.tabs").joinpath("search.css").read_text(encoding="utf-8")
    return f"<style>{css}</style>"


def problem(text: str) -> str:
    """One line that says what went wrong; empty for none."""
    return _line("hb-problem", "alert", text)


def problems(lines: Sequence[str]) -> str:
    """Several such lines; of many the first, and how many more there are."""
    more = len(lines) - _MOST_LINES
    shown = [*lines[:_MOST_LINES], *([f"and {more:,} more"] if more > 0 else [])]
    items = "".join(f'<li class="hb-problem">{escape(line)}</li>' for line in shown)
    return f'<div class="hb"><ul role="alert">{items}</ul></div>' if items else ""


def refused(error: Exception) -> str:
    """The first line of what an error says."""
    return problem(str(error).split("\n", maxsplit=1)[0])


def done(text: str) -> str:
    """One line that says what was done; empty for none."""
    return _line("hb-done", "status", text)


def _line(name: str, role: str, text: str) -> str:
    if not text:
        return ""
    return f'<div class="hb"><p class="{name}" role="{role}">{escape(text)}</p></div>'


def found_html(said: Mapping[str, Any], pictures: Pictures) -> str:
    """What one method or a collection found.

    Args:
        said: The worker's answer to a search.
        pictures: Those of the query and the results, as far as they are at hand.
    """
    return f'<div class="hb">{_answer(said, pictures, shared=frozenset())}</div>'


def compared_html(said: Mapping[str, Any], pictures: Pictures) -> str:
    """What two methods found for one query, side by side.

    Args:
        said: The worker's answer to a comparison.
        pictures: As for one.
    """
    both = said["shared"]
    shared = frozenset(both["positions"]) if both else frozenset()
    counted = "Their databases are of two datasets."
    if both:
        counted = f"{both['images']} of the images below were found by both."
    halves = "".join(f"<div>{_answer(a, pictures, shared=shared)}</div>" for a in said["answers"])
    return f'<div class="hb"><p>{counted}</p><div class="hb-two">{halves}</div></div>'


def pictures_of(said: Mapping[str, Any]) -> list[str]:
    """The addresses of all pictures that an answer names, each once."""
    answers = said.get("answers", [said])
    named = [each.get("thumbnail") for a in answers for each in (a.get("query", {}), *a["results"])]
    return list(dict.fromkeys(name for name in named if name))


def _answer(said: Mapping[str, Any], pictures: Pictures, *, shared: frozenset[int]) -> str:
    query, groups = said["query"], said["ties"]
    by_tie = {tie: list(found) for tie, found in groupby(said["results"], key=lambda r: r["tie"])}
    ties = "\n".join(
        _tie(group, by_tie[group["tie"]], pictures, code=query["code"], shared=shared)
        for group in groups
    )
    return (
        f'<section aria-label="Results of {escape(_title(said))}"><h3>{escape(_title(said))}</h3>'
        f'<p class="hb-faint">{escape(_facts(said))}</p>{_query(query, pictures)}'
        f'<div class="hb-ties">{ties}</div></section>'
    )


def _title(said: Mapping[str, Any]) -> str:
    if "collection" in said:
        return f"collection {said['collection']['name']}"
    return str(said["method"]["name"])


def _facts(said: Mapping[str, Any]) -> str:
    took = said["milliseconds"]
    steps = ", ".join(f"{name} {took[name]:.3g} ms" for name in _STEPS if took[name] is not None)
    searched = said.get("database", said.get("collection", {}).get("images"))
    facts = [f"engine {said['engine']}", f"this query: {steps}", f"{searched:,} images searched"]
    if said.get("right") is not None:
        facts.append(
            f"{said['right']} of {len(said['results'])} right ({said['relevant']:,} are there)"
        )
    return "; ".join(facts)


def _query(query: Mapping[str, Any], pictures: Pictures) -> str:
    labels = query.get("labels")
    number = query.get("index", query.get("id"))
    words = _ASKED[query["kind"]] + ("" if number is None else f" {number}")
    known = f": {escape(', '.join(labels) or 'no label')}" if labels is not None else ""
    bits = _bits(query["code"]) if query["code"] else "an embedding, compared by cosine"
    picture = _picture(pictures, query.get("thumbnail"), alt=words)
    count = f"Code, {len(query['code'])} bits" if query["code"] else "Code"
    return (
        f'<div class="hb-query">{picture}<div><p>{escape(words)}{known}</p>'
        f'<p class="hb-faint">{count}</p><code class="hb-bits query-code">{bits}</code></div></div>'
    )


def _tie(
    group: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    pictures: Pictures,
    *,
    code: str | None,
    shared: frozenset[int],
) -> str:
    distance = (
        f"Hamming distance {group['distance']}"
        if code
        else (f"cosine distance {group['distance']:.4f}")
    )
    note = ""
    if group["in_results"] > 1 or (group["in_database"] or 0) > group["in_results"]:
        there = f" of {group['in_database']:,}" if group["in_database"] is not None else ""
        note = f" <small>{group['in_results']}{there} at this distance; order within means nothing"
        note += "</small>"
    cards = "".join(_card(result, pictures, code=code, shared=shared) for result in results)
    return (
        f'<div class="hb-tie" role="group" aria-label="{distance}"><p><strong>{distance}</strong>'
        f'{note}</p><div class="hb-cards">{cards}</div></div>'
    )


def _card(
    result: Mapping[str, Any], pictures: Pictures, *, code: str | None, shared: frozenset[int]
) -> str:
    kind, verdict = _VERDICTS[result.get("right")]
    labels = result.get("labels")
    lines = [f"rank {result['rank']}, distance {result['distance']}"]
    lines += [f'<span class="verdict">{verdict}</span>'] if verdict else []
    lines += [escape(result["name"])] if result.get("name") else []
    lines += [escape(", ".join(labels) or "no label")] if labels is not None else []
    lines += ["the query itself"] if result.get("itself") else []
    lines += ["found by both"] if result.get("position") in shared else []
    alt = f"rank {result['rank']}" + (f", {', '.join(labels)}" if labels else "")
    if result["code"] and code:
        lines.append(
            f"<details><summary>code</summary>"
            f'<code class="hb-bits">{_bits(result["code"], against=code)}</code></details>'
        )
    picture = _picture(pictures, result.get("thumbnail"), alt=alt)
    return f'<figure class="{kind}">{picture}<figcaption>{"<br>".join(lines)}</figcaption></figure>'


def _picture(pictures: Pictures, name: str | None, *, alt: str) -> str:
    data = pictures.get(name or "")
    if data is None:
        return '<span class="hb-nothing">no picture</span>'
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img src="data:image/png;base64,{encoded}" alt="{escape(alt)}">'


def _bits(code: str, *, against: str | None = None) -> str:
    """A code in groups of eight; bits that are another in the query's are marked."""
    marked = [
        bit if against is None or bit == other else f"<mark>{bit}</mark>"
        for bit, other in zip(code, against or code, strict=True)
    ]
    return " ".join("".join(marked[at : at + _BYTE]) for at in range(0, len(marked), _BYTE))
