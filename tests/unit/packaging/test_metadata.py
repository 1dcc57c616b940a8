"""What the project says about itself: version, citation, changelog, licence, pinned versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import hashbench

CONSTRAINT = re.compile(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*(?: ; .+)?")

# Citation File Format 1.2.0: the keys of a file and of an author, who is a person or a body.
CITATION_REQUIRED = {"cff-version", "message", "title", "authors"}
CITATION_KEYS = {
    *CITATION_REQUIRED,
    *("abstract", "commit", "contact", "contributors", "date-released", "doi", "identifiers"),
    *("keywords", "license", "license-url", "preferred-citation", "references", "repository"),
    *("repository-artifact", "repository-code", "type", "url", "version"),
}
ADDRESS_KEYS = {
    *("address", "alias", "city", "country", "email", "fax", "orcid", "post-code", "region"),
    *("tel", "website"),
}
PERSON_KEYS = {
    *ADDRESS_KEYS,
    *("affiliation", "family-names", "given-names", "name-particle", "name-suffix"),
}
ENTITY_KEYS = {*ADDRESS_KEYS, "date-end", "date-start", "location", "name"}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    """Return the project table of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def citation(root: Path) -> dict[str, Any]:
    """Return CITATION.cff as data; dates stay text."""
    return yaml.load((root / "CITATION.cff").read_text(), Loader=yaml.BaseLoader)


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, Version]:
    """Return the pinned version of each package."""
    lines = (root / "constraints.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith("#")]
    return {
        canonicalize_name(entry.name): Version(str(entry.specifier).removeprefix("=="))
        for entry in pinned
        if entry.marker is None or entry.marker.evaluate()
    }


def test_the_installed_distribution_has_the_version_of_the_tree() -> None:
    assert metadata.version("hashbench") == hashbench.__version__


def test_the_citation_has_the_required_keys_and_no_unknown_ones(
    citation: dict[str, Any],
) -> None:
    assert citation["cff-version"] == "1.2.0"
    assert CITATION_REQUIRED <= set(citation) <= CITATION_KEYS
    texts = ["message", "title", "abstract", "version", "license"]
    assert all(isinstance(citation[key], str) and citation[key] for key in texts)
    assert citation["type"] in {"software", "dataset"}


def test_every_author_of_the_citation_is_a_person_or_a_body(citation: dict[str, Any]) -> None:
    assert citation["authors"]
    for author in citation["authors"]:
        assert set(author) <= (ENTITY_KEYS if "name" in author else PERSON_KEYS)
        assert {"name", "family-names", "given-names", "alias"} & set(author)


def test_the_keywords_of_the_citation_are_distinct(citation: dict[str, Any]) -> None:
    assert all(isinstance(word, str) and word for word in citation["keywords"])
    assert len(set(citation["keywords"])) == len(citation["keywords"]) > 0


def test_the_citation_names_the_version_and_licence_of_the_package(
    citation: dict[str, Any], project: dict[str, Any]
) -> None:
    assert citation["version"] == hashbench.__version__
    assert citation["license"] == project["license"] == "Apache-2.0"


def test_the_changelog_has_a_dated_section_for_the_version_and_one_for_what_is_coming(
    root: Path,
) -> None:
    headings = re.findall(r"^## (.+)$", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    dated = [re.fullmatch(r"\[([0-9.]+)\] - \d{4}-\d\d-\d\d", text) for text in headings[1:]]
    assert all(dated)
    assert dated[0] is not None
    assert dated[0][1] == hashbench.__version__


def test_the_licence_text_is_the_whole_apache_licence(root: Path) -> None:
    text = (root / "LICENSE").read_text()
    assert "Apache License\n" in text
    assert "Version 2.0, January 2004" in text
    assert all(f"\n   {number}. " in text for number in range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text


def test_constraints_hold_exact_versions_only(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert pinned
    assert [line for line in pinned if not CONSTRAINT.fullmatch(line)] == []


def _requirements(project: dict[str, Any]) -> Iterator[Requirement]:
    extras = project["optional-dependencies"].values()
    for line in (*project["dependencies"], *(line for extra in extras for line in extra)):
        yield Requirement(line)


def test_constraints_fit_the_ranges_of_every_direct_requirement(
    project: dict[str, Any], pins: dict[str, Version]
) -> None:
    unfit = [
        str(wanted)
        for wanted in _requirements(project)
        if wanted.name != "hashbench"
        and not wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), Version("0")))
    ]
    assert unfit == []


def _needed_by(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in metadata.requires(name) or []:
        wanted = Requirement(line)
        choices = [{"extra": extra} for extra in ("", *extras)]
        if wanted.marker is None or any(wanted.marker.evaluate(choice) for choice in choices):
            yield wanted


def test_constraints_pin_every_package_that_is_needed_however_deep(
    pins: dict[str, Version],
) -> None:
    reached: set[tuple[str, frozenset[str]]] = set()
    waiting = [("hashbench", frozenset({"test"}))]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in reached:
            continue
        reached.add((name, extras))
        for wanted in _needed_by(name, extras):
            waiting.append((canonicalize_name(wanted.name), frozenset(wanted.extras)))
    assert {name for name, _ in reached} - {"hashbench"} - set(pins) == set()
