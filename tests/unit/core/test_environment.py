"""The commit in a record says whether the code was what was committed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashbench.core import environment

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a checkout of which the module under test believes to be part."""
    core = tmp_path / "benchmark" / "core"
    core.mkdir(parents=True)
    (tmp_path / "benchmark" / "version.py").write_text("VERSION = '1'\n")
    (core / "environment.py").write_text("")
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "one.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True, env={**os.environ, "HOME": "/"})
    monkeypatch.setattr(environment, "__file__", str(core / "environment.py"))
    environment.commit.cache_clear()
    yield tmp_path
    environment.commit.cache_clear()


def dirty() -> str | None:
    environment.commit.cache_clear()
    return environment.commit()[1]


def test_a_clean_checkout_has_its_commit_and_no_digest(checkout: Path) -> None:
    head = subprocess.run(
        [*GIT, "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True
    )

    assert environment.commit() == (head.stdout.strip(), None)


def test_a_changed_file_and_a_file_never_added_both_count(checkout: Path) -> None:
    (checkout / "methods" / "one.py").write_text("x = 2\n")
    changed = dirty()
    (checkout / "methods" / "two.py").write_text("y = 1\n")
    added = dirty()
    (checkout / "methods" / "two.py").write_text("y = 2\n")
    added_other = dirty()

    assert len({None, changed, added, added_other}) == 4


@pytest.mark.parametrize("name", ["notes.txt", "methods/one.pyc", "matrices/x.yaml"])
def test_what_is_not_code_of_the_packages_does_not_count(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("x")

    assert dirty() is None


def test_outside_a_checkout_the_commit_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    monkeypatch.setenv("HASHBENCH_COMMIT", "abc")

    assert dirty() is None
    assert environment.commit() == ("abc", None)
    environment.commit.cache_clear()


def test_what_is_captured_is_what_is_there() -> None:
    found = environment.capture(device="cpu", threads=3)

    assert found.threads == 3
    assert found.device.kind == "cpu"
    assert found.device.memory_bytes > 2**20
    assert "torch" in found.libraries


def test_an_environment_is_told_in_words() -> None:
    found = environment.capture(device="cpu", threads=3).model_copy(
        update={
            **{"cpu": "Chip", "cpu_count": 4, "load_average": 0.5, "python": "3.11.7"},
            **{"hashbench": "0.1", "commit": "abc", "libraries": {"numpy": "2.0", "torch": "2.11"}},
        }
    )
    clean = found.model_copy(update={"dirty_sha256": None})
    changed = found.model_copy(update={"dirty_sha256": "0" * 64, "commit": None})

    assert clean.machine == "Chip, 4 processors, 3 threads, load 0.50"
    assert clean.software == "hashbench 0.1, commit abc; python 3.11.7; numpy 2.0, torch 2.11"
    assert changed.software.startswith("hashbench 0.1, commit unknown with uncommitted changes; ")


@pytest.mark.parametrize(
    ("facts", "computes"),
    [
        ({"flags": "avx2 avx512f avx512_bf16"}, True),
        ({"flags": "avx2 amx_bf16"}, True),
        ({"Features": "fp asimd bf16"}, True),
        ({"model name": "with amx_bf16 in it", "flags": "fpu avx2 avx512f"}, False),
        ({"model name": "no flags"}, None),
    ],
)
def test_whether_a_processor_computes_bf16_is_read_from_its_flags(
    facts: dict[str, str], computes: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "first_processor", lambda: facts)
    assert environment.cpu_computes_bf16() is computes
