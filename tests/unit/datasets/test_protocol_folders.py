"""A dataset of a plugin file or another package brings protocols in a folder beside its file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.plugins import load_plugin
from hashbench.core.registry import Entry, Kind, registry
from hashbench.datasets.protocols.protocol import (
    FOLDER,
    load_protocol,
    protocol_names,
    protocols_of,
)

PLUGIN = '''
from hashbench.datasets.interface import Dataset

class Mine(Dataset):
    """Mine."""

    def load(self, root):
        raise NotImplementedError
'''
Plug = Callable[[str], Path]


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Return what loads a plugin dataset from a folder of its own into the process's registry."""
    monkeypatch.setattr(registry(), "_entries", dict(registry()._entries))

    def load(name: str) -> Path:
        folder = tmp_path / name
        (folder / "protocols").mkdir(parents=True)
        (folder / f"{name}.py").write_text(PLUGIN.replace("Mine(", f"{name.capitalize()}("))
        load_plugin(folder / f"{name}.py", registry())
        return folder / "protocols"

    return load


def put(folder: Path, name: str, dataset: str) -> None:
    """Write a protocol of a dataset, made from one of ours."""
    text = (FOLDER / "digits@1.toml").read_text()
    text = text.replace('dataset = "digits"', f'dataset = "{dataset}"')
    text = text.replace('name = "digits"', f'name = "{name}"')
    (folder / f"{name}@1.toml").write_text(text)


def test_it_is_listed_and_loaded_like_ours(plug: Plug) -> None:
    before = protocol_names()
    put(plug("mine"), "mine-cut", "mine")

    assert protocol_names() == sorted([*before, "mine-cut@1"])
    assert load_protocol("mine-cut@1").dataset == "mine"
    assert protocols_of("mine") == ["mine-cut@1"]


def test_a_name_that_two_folders_give_is_an_error_that_shows_both(plug: Plug) -> None:
    one, other = plug("one"), plug("other")
    for folder in (one, other):
        put(folder, "same", folder.parent.name)

    with pytest.raises(ConfigError, match="two protocols are named 'same@1'") as caught:
        load_protocol("same@1")
    assert str(one / "same@1.toml") in str(caught.value)
    assert str(other / "same@1.toml") in str(caught.value)


def test_a_plugin_cannot_take_the_name_of_one_of_ours(plug: Plug) -> None:
    shutil.copy(FOLDER / "digits@1.toml", plug("thief"))
    with pytest.raises(ConfigError, match="two protocols are named 'digits@1'"):
        load_protocol("digits@1")


def test_a_dataset_that_is_gone_hides_no_protocol_of_another(plug: Plug) -> None:
    put(plug("lasting"), "lasting-cut", "lasting")
    registry().add(Entry(Kind.DATASET, "gone", "no_such_package.data:Gone", "gone 1.0"))
    assert load_protocol("lasting-cut@1").dataset == "lasting"
    assert "digits@1" in protocol_names()
