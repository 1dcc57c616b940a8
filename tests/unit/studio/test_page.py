"""The page as it is built: its parts, their names, and the command that serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hashbench.cli import main, studio
from hashbench.cli.studio import PASSWORD_VARIABLE, is_loopback
from hashbench.core.errors import ConfigError
from hashbench.store.store import Store
from hashbench.studio.context import StudioContext

ENTERED = {"textbox", "dropdown", "checkbox", "checkboxgroup", "file", "number", "radio", "slider"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    from hashbench.studio.app import build

    folder = tmp_path_factory.mktemp("studio")
    context = StudioContext(Store.create(folder / "store").root, (folder,), device="cpu")
    return list(build(context).get_config_file()["components"])


def test_every_control_has_a_label_and_an_id_of_its_own(parts: list[dict[str, Any]]) -> None:
    own = [
        part["props"]
        for part in parts
        if part["type"] in ENTERED | {"button", "downloadbutton", "dataframe", "gallery", "plot"}
        and (part["props"].get("elem_id") or "").startswith(("data-", "train-", "runs-", "matrix-"))
    ]
    ids = [props["elem_id"] for props in own]

    assert len(ids) > 60
    assert len(set(ids)) == len(ids)
    assert [
        props["elem_id"] for props in own if not (props.get("label") or props.get("value"))
    ] == []


def test_there_is_a_tab_for_each_step(parts: list[dict[str, Any]]) -> None:
    tabs = {part["props"].get("elem_id") for part in parts if part["type"] == "tabitem"}

    assert {"tab-data", "tab-train", "tab-runs"} <= tabs


def test_only_the_first_tab_reads_the_disk_at_first(parts: list[dict[str, Any]]) -> None:
    timers = [part["props"]["active"] for part in parts if part["type"] == "timer"]

    assert timers[0] is True
    assert timers[1:].count(True) == 0


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_only_what_nobody_else_can_reach(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], f"give --password or set {PASSWORD_VARIABLE}"),
        (["--data-root", "nothing/here"], "--data-root nothing/here: there is no such folder"),
        (["--plugin", "none.py"], "none.py"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line_and_makes_no_store(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = CliRunner().invoke(main, ["studio", str(tmp_path / "store"), *words])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_folder_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    done = CliRunner().invoke(main, ["studio", str(tmp_path)])

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "neither empty nor a store" in done.stderr


def test_without_gradio_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(main, ["studio"])

    assert done.exit_code == 2
    assert "pip install 'hashbench[studio]'" in done.stderr


def test_a_handler_that_fails_warns_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from hashbench.studio import page_errors

    shown: list[str] = []
    monkeypatch.setattr(page_errors.gr, "Warning", lambda text, title: shown.append(text))

    def refuse() -> None:
        raise ConfigError("label <b>x</b>: no")

    def break_down() -> None:
        raise ZeroDivisionError("by <i>0</i>")

    for handler in (refuse, break_down):
        page_errors.guarded(handler)()

    assert shown[0] == "label &lt;b&gt;x&lt;/b&gt;: no"
    assert shown[1].startswith("internal error: ZeroDivisionError: by &lt;i&gt;0")
