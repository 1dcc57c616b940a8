"""The registry of components."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hashbench.core.canonical import digest_bytes
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Entry, Kind, Registry, registry


def entry(name: str = "thing", target: str = "there:Thing", origin: str = "here 1.0") -> Entry:
    return Entry(Kind.LOSS, name, target, origin)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the name ``made_up`` on the import path, not imported."""
    file = tmp_path / "made_up.py"
    file.write_text(
        '"""Of the module."""\nclass Thing:\n    """First line.\n\n    More.\n    """\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "made_up", raising=False)
    return file


def test_a_name_is_found_under_its_kind_alone() -> None:
    found = Registry()
    found.add(entry())
    assert found.get(Kind.LOSS, "thing") == entry()
    assert found.names(Kind.BACKBONE) == []


def test_names_are_sorted_and_match_wildcards() -> None:
    found = Registry()
    for name in ("zeta", "ae_vit", "ae_vit_mini"):
        found.add(entry(name))
    assert found.names(Kind.LOSS) == ["ae_vit", "ae_vit_mini", "zeta"]
    assert found.names(Kind.LOSS, "ae_*") == ["ae_vit", "ae_vit_mini"]


def test_a_name_taken_twice_is_an_error_that_shows_both_origins() -> None:
    found = Registry()
    found.add(entry(origin="one 1.0"))
    with pytest.raises(ConfigError) as caught:
        found.add(entry(target="elsewhere:Thing", origin="two 2.0"))
    message = str(caught.value)
    for part in ("'thing'", "there:Thing", "one 1.0", "elsewhere:Thing", "two 2.0"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("kinds", [(Kind.LOSS, Kind.LOSS_GROUP), (Kind.LOSS_GROUP, Kind.LOSS)])
def test_a_loss_and_a_group_of_losses_cannot_share_a_name(kinds: tuple[Kind, Kind]) -> None:
    found = Registry()
    found.add(Entry(kinds[0], "thing", "there:Thing", "one 1.0"))
    with pytest.raises(ConfigError, match=r"the name 'thing' is taken twice: .*\(one 1\.0\)"):
        found.add(Entry(kinds[1], "thing", "elsewhere:Thing", "two 2.0"))
    with pytest.raises(ConfigError, match="taken twice"):
        found.add(Entry(kinds[1], "thing", "there:Thing", "one 1.0"))


def test_other_kinds_may_share_a_name() -> None:
    found = Registry()
    for kind in (Kind.LOSS, Kind.METHOD, Kind.REPORTER):
        found.add(Entry(kind, "thing", f"{kind}:Thing", "one 1.0"))
    assert found.get(Kind.METHOD, "thing").target == "methods:Thing"


def test_the_same_entry_may_come_twice() -> None:
    found = Registry()
    found.add(entry())
    found.add(entry())
    assert found.names(Kind.LOSS) == ["thing"]


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    found = Registry()
    found.add(entry())
    with pytest.raises(
        ConfigError, match=r"unknown name 'thin' in losses\. Did you mean 'thing'\?"
    ):
        found.get(Kind.LOSS, "thin")


def test_a_component_is_described_without_importing_it(module: Path) -> None:
    found = entry(target="made_up:Thing")
    assert found.summary() == "First line."
    assert found.source() == module
    assert found.source_sha256() == digest_bytes(module.read_bytes())
    assert "made_up" not in sys.modules


@pytest.mark.parametrize("text", ["class Thing:\n    pass\n", "x = 1\n"])
def test_a_component_without_a_docstring_has_an_empty_summary(text: str, module: Path) -> None:
    module.write_text(text)
    assert entry(target="made_up:Thing").summary() == ""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import not_installed_anywhere", "ModuleNotFoundError"),
        ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two"),
        ("Other = 1", "AttributeError"),
    ],
)
def test_a_component_that_cannot_be_imported_is_one_line_with_the_cause(
    text: str, cause: str, module: Path
) -> None:
    module.write_text(text)
    with pytest.raises(ConfigError, match=cause) as caught:
        entry(target="made_up:Thing").load()
    assert "'thing' (made_up:Thing, from here 1.0)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["not_there:Thing", "not_there.deeper:Thing"])
def test_a_component_without_a_module_is_an_error(target: str) -> None:
    with pytest.raises(ConfigError, match="no such module"):
        entry(target=target).source()


def test_the_installed_components_include_our_own() -> None:
    assert {"hsc", "csq", "dpn", "dsh", "greedyhash", "hashnet"} <= {*registry().names(Kind.LOSS)}
    assert registry().get(Kind.METHOD, "lsh").origin.startswith("hashbench ")


def test_every_installed_component_has_a_summary() -> None:
    entries = [registry().get(kind, name) for kind in Kind for name in registry().names(kind)]
    assert [found.name for found in entries if not found.summary()] == []
