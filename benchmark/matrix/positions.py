"""YAML that remembers where every key stands, refuses duplicate keys, and cannot explode."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hashbench.core.errors import ConfigError

Path_ = tuple[str | int, ...]
MAX_DEPTH = 40
MAX_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Positions:
    """Line and column of every key and list item of a file.

    Attributes:
        file: The file.
        marks: (line, column), from 1, by path from the root.
    """

    file: Path
    marks: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: Path_, message: str) -> str:
        """One line: ``file:line:column: key: message``, at the nearest place that exists."""
        place = path
        while place and place not in self.marks:
            place = place[:-1]
        line, column = self.marks.get(place, (1, 1))
        key = ".".join(str(part) for part in path)
        return f"{self.file}:{line}:{column}: {key + ': ' if key else ''}{message}"


def read_yaml(file: Path) -> tuple[Any, Positions]:
    """Read a YAML file.

    Returns:
        The plain data and the positions.

    Raises:
        ConfigError: If the file is missing, no YAML, too deep or large, or has duplicate keys.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a folder, not a matrix file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: not UTF-8 text ({error.reason} at byte {error.start})"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        return _Builder(file).read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{file}{where}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not YAML: {' '.join(str(error).split())}") from None


class _Builder:
    """Builds plain data from YAML nodes and notes where each one stood."""

    def __init__(self, file: Path) -> None:
        self.positions = Positions(file)
        self.problems: list[str] = []
        self.nodes = 0

    def read(self, text: str) -> tuple[Any, Positions]:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            data = None if node is None else self._build(loader, node, ())
        finally:
            loader.dispose()
        if self.problems:
            raise ConfigError(*self.problems)
        return data, self.positions

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path_) -> Any:
        self.nodes += 1
        if len(path) > MAX_DEPTH or self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_DEPTH} levels or {MAX_NODES:,} values",
                problem_mark=node.start_mark,
            )
        self.positions.marks.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(loader, item, (*path, i)) for i, item in enumerate(node.value)]
        return loader.construct_object(node, deep=True)

    def _mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path_) -> Any:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            here = (*path, key)
            if key in result:
                first = self.positions.marks[here][0]
                line, column = _place(key_node)
                self.problems.append(
                    f"{self.positions.file}:{line}:{column}: {'.'.join(map(str, here))}: "
                    f"duplicate key, first given in line {first}. Remove one of the two"
                )
                continue
            self.positions.marks[here] = _place(key_node)
            result[key] = self._build(loader, value_node, here)
        return result


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
