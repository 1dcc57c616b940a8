"""A studio on an empty store, with a data root of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashbench.store.store import Store
from hashbench.studio.context import StudioContext


@pytest.fixture
def context(tmp_path: Path) -> StudioContext:
    (tmp_path / "data").mkdir()
    store = Store.create(tmp_path / "store")
    return StudioContext(store.root, (tmp_path / "data",), device="cpu")
