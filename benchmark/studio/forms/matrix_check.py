"""Checks a matrix as ``hashbench check`` does, and that it reads nothing it must not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.registry import registry
from hashbench.datasets.roots import look_in
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.lookup import DOWNLOADS, NO_WEIGHTS
from hashbench.matrix.positions import read_yaml
from hashbench.matrix.request import build_request
from hashbench.studio.context import StudioContext
from hashbench.studio.forms.matrix_form import dump

FILE: Final = "matrix.yaml"


@dataclass(frozen=True, slots=True)
class Checked:
    """A matrix without mistakes.

    Attributes:
        text: What to write into the file that is run.
        name: Its name.
        cells: Its cells.
        warning: What its author should know; empty if nothing.
    """

    text: str
    name: str
    cells: tuple[Cell, ...]
    warning: str = ""


def check(text: str, context: StudioContext) -> Checked:
    """Read a matrix from a page's text.

    Models are kept whatever it says, since the page is there to search with them.

    Args:
        text: The YAML.
        context: What the page was started with.

    Returns:
        The matrix to run, and its cells.

    Raises:
        ConfigError: With one line for each mistake, ``matrix.yaml:line:column: key: what``; also
            if it names plugins, or a file outside the data roots.
    """
    if len(text.encode("utf-8", "replace")) > context.limits.matrix_bytes:
        raise ConfigError(f"{FILE}: is longer than {context.limits.matrix_bytes:,} bytes")
    for root in reversed(context.data_roots):
        look_in(root)
    with tempfile.TemporaryDirectory(prefix="hashbench-studio-") as folder:
        file = Path(folder) / FILE
        file.write_text(text, encoding="utf-8", errors="replace")
        try:
            return _checked(file, text, context)
        except ConfigError as error:
            plain = (line.replace(f"{file}", FILE) for line in error.problems)
            raise ConfigError(*plain) from None


def _checked(file: Path, text: str, context: StudioContext) -> Checked:
    data = read_yaml(file).data
    if isinstance(data, dict):
        _refuse_reaching_out(data, context)
    matrix = load_matrix(file, registry())
    expansion = expand(matrix, registry())
    build_request(matrix, expansion)
    if not expansion.cells:
        raise ConfigError(f"{FILE}: exclude leaves no cell")
    name, cells = matrix.spec.name, expansion.cells
    if matrix.spec.execute.keep_model:
        return Checked(text, name, cells)
    execute = {**(data.get("execute") or {}), "keep_model": True}
    warning = "execute.keep_model: true was added, so that the results can be searched"
    return Checked(dump({**data, "execute": execute}), name, cells, warning)


def _refuse_reaching_out(data: dict[str, Any], context: StudioContext) -> None:
    """Refuse what would have files read, or run, that the page may not show."""
    if data.get("plugins"):
        raise ConfigError(
            f"{FILE}: plugins: code is not taken from a page; start the studio with --plugin"
        )
    execute = data.get("execute")
    root = execute.get("data_root") if isinstance(execute, dict) else None
    for key, name in [("execute.data_root", root), *(("weights", w) for w in _weights(data))]:
        if not isinstance(name, str) or name == NO_WEIGHTS or name.startswith(DOWNLOADS):
            continue
        if not Path(name).expanduser().is_absolute():
            raise ConfigError(f"{FILE}: {key}: {name!r:.100}: give the whole path, from /")
        try:
            context.inside(name)
        except ConfigError as error:
            raise ConfigError(f"{FILE}: {key}: {error}") from None


def _weights(value: Any) -> Iterator[Any]:
    """Whatever stands behind a key ``weights``, at any depth."""
    if isinstance(value, dict):
        yield from (item for key, item in value.items() if key == "weights")
        for item in value.values():
            yield from _weights(item)
    elif isinstance(value, list):
        for item in value:
            yield from _weights(item)
