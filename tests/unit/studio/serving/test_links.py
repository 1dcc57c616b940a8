"""Links in a folder that is to be imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext


@pytest.fixture
def context(tmp_path: Path) -> StudioContext:
    for name in ("store", "data/photos/cats", "more", "outside"):
        (tmp_path / name).mkdir(parents=True)
    return StudioContext(tmp_path / "store", (tmp_path / "data", tmp_path / "more"))


def test_a_link_that_stays_in_the_data_roots_may_be_followed(context: StudioContext) -> None:
    root, more = context.data_roots
    (more / "one.jpg").write_bytes(b"x")
    (root / "photos" / "cats" / "one.jpg").symlink_to(more / "one.jpg")
    assert context.inside("photos") == root / "photos"


@pytest.mark.parametrize("target", ["secret.jpg", ".", "none"])
def test_a_folder_with_a_link_that_leads_out_is_refused(
    context: StudioContext, target: str
) -> None:
    outside = context.store.parent / "outside"
    (outside / "secret.jpg").write_bytes(b"x")
    (context.data_root / "photos" / "cats" / "one.jpg").symlink_to(outside / target)
    with pytest.raises(ConfigError, match=r"one\.jpg: a link that leads out"):
        context.inside("photos")
