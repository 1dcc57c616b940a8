"""The documentation's site: built strictly, complete, and in need of no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hashbench.cli import main
from hashbench.core.errors import ExitCode
from hashbench.core.registry import Kind, registry
from hashbench.matrix.schema import MatrixSpec


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors: pages out of the navigation, dead links, anchors."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text())


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loading = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?https?://""")
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if loading.search(page.read_text())] == []
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert re.findall(r"""url\(["']?https?://""", styles) == []


def test_no_place_for_a_table_is_left_empty(site: Path) -> None:
    left = [page.name for page in site.rglob("*.html") if "from the code:" in page.read_text()]
    assert left == []


def test_the_reference_has_every_command_exit_code_key_and_component(site: Path) -> None:
    reference = site / "reference"
    commands = text_of(reference / "commands.html")
    for name in main.list_commands(None):  # type: ignore[arg-type]  # it needs no context
        assert f"hashbench {name}" in commands
    codes = text_of(reference / "exit-codes.html")
    assert all(code.name.lower().replace("_", " ") in codes for code in ExitCode)
    keys = text_of(reference / "matrix.html")
    assert all(key in keys for key in MatrixSpec.model_fields)
    methods = text_of(reference / "methods.html")
    for kind in (Kind.LOSS, Kind.BACKBONE, Kind.METHOD, Kind.ENGINE):
        assert [name for name in registry().names(kind) if name not in methods] == []


def test_the_generators_are_no_part_of_the_site(site: Path) -> None:
    assert list(site.rglob("*.py")) == []
    assert not (site / "generate").exists()
