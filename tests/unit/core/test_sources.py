"""Source digests follow the code that makes a cell's codes, and no other component's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core import sources
from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.core.registry import Entry, Kind, Registry

LOSSES = {"one.py": "a = 1", "two.py": "b = 1", "shared.py": "c = 1", "__init__.py": ""}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a package of two components and a module that both may use."""
    for name, text in LOSSES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def digest(package: Path, monkeypatch: pytest.MonkeyPatch, *, without: str = "") -> str:
    class Spec:
        submodule_search_locations = [str(package)]  # noqa: RUF012 - a stand-in for one call

    sources.package_sha256.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda _: Spec)
        found = sources.package_sha256("x", without=frozenset({package / without}))
    sources.package_sha256.cache_clear()
    return found


@pytest.mark.parametrize("name", ["one.py", "shared.py"])
def test_a_package_digest_sees_every_file_but_those_left_out(
    package: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = digest(package, monkeypatch, without="two.py")

    (package / "two.py").write_text("b = 2")
    unchanged = digest(package, monkeypatch, without="two.py")
    (package / name).write_text("z = 2")
    changed = digest(package, monkeypatch, without="two.py")

    assert before == unchanged != changed


def test_a_renamed_file_is_a_change(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(package, monkeypatch)

    shutil.move(package / "one.py", package / "uno.py")

    assert digest(package, monkeypatch) != before


def component(kind: Kind, name: str, module: str) -> Entry:
    return Entry(kind, name, f"hashbench.{module}:X", "test")


@pytest.fixture
def digests() -> Callable[..., dict[str, str]]:
    """Return the digests of a cell made of the components that are named."""
    found = Registry()
    found.add(component(Kind.DATASET, "digits", "datasets.digits"))
    found.add(component(Kind.BACKBONE, "ae_vit", "methods.backbones.ae_vit"))
    found.add(component(Kind.LOSS, "csq", "methods.losses.csq"))
    found.add(component(Kind.METHOD, "lsh", "methods.shallow.lsh"))
    data = DataChoice("digits", 1, "digits@1", "0" * 64, image_size=8)

    def of(**parts: str) -> dict[str, str]:
        components = {key: Component(name, 1) for key, name in parts.items()}
        return sources.source_digests(Cell(data, 8, 0, **components), found)  # type: ignore[arg-type]  # keys are a cell's

    return of


def test_a_cell_has_a_digest_of_each_component_and_of_what_they_share(
    digests: Callable[..., dict[str, str]],
) -> None:
    deep, shallow = digests(backbone="ae_vit", loss="csq"), digests(method="lsh")

    own = {"datasets/digits", "backbones/ae_vit", "losses/csq"}
    shared = {"training", "methods", "methods.backbones", "methods.building_blocks"}
    shared |= {"methods.losses", "datasets", "datasets.protocols", "datasets.reading"}
    assert set(deep) == own | shared
    assert "methods.shallow" in shallow and "methods.backbones" not in shallow
    assert all(len(sha) == 64 for sha in (deep | shallow).values())
