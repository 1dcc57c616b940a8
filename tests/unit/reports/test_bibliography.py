"""The shipped bibliography: an entry for every key, well formed, honest about reconstructions."""

from __future__ import annotations

import re

import pytest

from hashbench.core.info import ComponentInfo
from hashbench.core.registry import Entry, Kind, registry
from hashbench.reports.bibliography import FILE, bibtex, entries

CARDS = [
    registry().get(kind, name)
    for kind in Kind
    if kind is not Kind.REPORTER
    for name in registry().names(kind)
]
FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$")


def fields(key: str) -> dict[str, str]:
    """The fields of an entry."""
    lines = entries()[key].splitlines()[1:-1]
    found = [FIELD.fullmatch(line) for line in lines]
    return {match[1]: match[2] for match in found if match is not None}


@pytest.mark.parametrize("entry", CARDS, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_citation_key_has_an_entry_that_names_the_years_of_its_card(entry: Entry) -> None:
    info: ComponentInfo = entry.load().info
    if info.citation:
        assert info.citation in entries(), f"add {info.citation} to {FILE.name}"
        text = entries()[info.citation]
        years = re.findall(r"\b(?:19|20)\d\d\b(?!\.\d)", info.paper)
        assert not years or any(year in text for year in years)


@pytest.mark.parametrize("entry", CARDS, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_entry_of_a_reconstruction_says_that_it_is_one(entry: Entry) -> None:
    info: ComponentInfo = entry.load().info
    if info.reconstruction and info.citation:
        assert "reconstruction" in fields(info.citation)["note"]


@pytest.mark.parametrize("key", sorted(entries()))
def test_every_entry_is_well_formed(key: str) -> None:
    text = entries()[key]
    first, *inner, last = text.splitlines()
    assert re.fullmatch(r"@(article|inproceedings|mastersthesis|misc)\{\w+,", first)
    assert last == "}"
    assert all(FIELD.fullmatch(line) for line in inner)
    assert all(line.endswith(",") for line in inner[:-1])
    assert not inner[-1].endswith(",")
    assert text.count("{") == text.count("}")
    assert first.startswith("@mastersthesis") == ("thesis" in fields(key).get("note", ""))


@pytest.mark.parametrize("key", sorted(entries()))
def test_every_entry_names_its_authors_its_title_and_its_year(key: str) -> None:
    found = fields(key)
    assert found["title"]
    assert re.fullmatch(r"(19|20)\d\d", found["year"])
    if key == "dshsd2019":  # no source that we have names its authors
        assert "author" not in found
        assert "authors are not known" in found["note"]
        return
    authors = found["author"].split(" and ")
    assert "others" not in authors
    assert all(re.match(r"[A-Zv]", author) for author in authors)


@pytest.mark.parametrize("key", [key for key in entries() if "@masters" in entries()[key]])
def test_a_thesis_names_its_school_or_says_that_it_is_a_thesis_of_an_unknown_one(key: str) -> None:
    found = fields(key)
    assert "school" in found or "Master's thesis; its school is not known" in found["note"]


def test_the_thesis_of_ud2h_and_dfadh_is_cited_by_author_title_and_year() -> None:
    for key in ("ud2h_thesis", "dfadh_thesis"):
        found = fields(key)
        assert (found["author"], found["year"]) == ("Ni, Z. Y.", "2022")
        assert found["title"] == "Research On Large-scale Image Retrieval Based On Deep Hashing"


def test_entries_are_sorted_and_there_once_and_none_is_overlooked() -> None:
    keys = re.findall(r"@\w+\{([^,]+)", FILE.read_text())
    assert keys == sorted(set(keys)) == list(entries())


def test_a_key_of_another_package_gets_an_entry_made_of_its_card() -> None:
    info = ComponentInfo("A & B", paper="50 % of us, 2030", citation="us2030")
    assert bibtex(info) == "@misc{us2030,\n  title = {A \\& B},\n  note = {50 \\% of us, 2030}\n}"
    assert bibtex(ComponentInfo("Untitled")) is None
