"""What a visitor names is inside the data roots, or it is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext


def test_a_path_is_found_below_the_first_root_or_by_its_whole_name(
    context: StudioContext, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    (context.data_root / "photos").mkdir()
    wider = replace(context, data_roots=(*context.data_roots, tmp_path / "other"))

    assert wider.inside(" photos ") == context.data_root / "photos"
    assert wider.inside(str(tmp_path / "other" / "x")) == tmp_path / "other" / "x"


@pytest.mark.parametrize("name", ["..", "../secret", "/etc/passwd", "photos/../../secret", "link"])
def test_what_is_outside_is_refused_by_whatever_way(
    context: StudioContext, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text("x")
    (context.data_root / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(ConfigError, match="outside the data roots"):
        context.inside(name)


@pytest.mark.parametrize("name", ["nothing", "a\0b", "~nobody-of-that-name/x"])
def test_what_is_not_there_is_told_in_a_line(context: StudioContext, name: str) -> None:
    with pytest.raises(ConfigError, match=r"is no path|no such file or folder|outside") as told:
        context.inside(name)
    assert "\n" not in str(told.value)
