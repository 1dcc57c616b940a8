"""Read YAML with the position of every key; refuse duplicate keys, and too many or deep values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hashbench.core.errors import ConfigError

KeyPath = tuple[str | int, ...]
MAX_DEPTH = 40
MAX_NODES = 100_000
_BASE = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with the floats of 1.2: ``1e-4`` is a number."""


_Loader.add_implicit_resolver(
    f"{_BASE}float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass(frozen=True, slots=True)
class Positions:
    """Line and column of every key and list item of a file.

    Attributes:
        file: The file.
        marks: (line, column), from 1, by path from the root.
    """

    file: Path
    marks: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str) -> str:
        """Return ``file:line:column: key: message``, at the nearest place that exists."""
        place, written = self._nearest(path)
        return self.problem_at(self._mark(place), written, message)

    def problems(self, found: Iterable[tuple[KeyPath, str]]) -> list[str]:
        """Return one line for each mistake; one repeated by an alias counts once."""
        lines: dict[object, str] = {}
        for path, message in found:
            place, written = self._nearest(path)
            mark = self._mark(place)
            # An item of a list stands where its first key does, which has a name.
            key = place[-1] if place and isinstance(place[-1], str) else None
            line = self.problem_at(mark, written, message)
            lines.setdefault((mark, key, path[-1:], message), line)
        return list(lines.values())

    def _nearest(self, path: KeyPath) -> tuple[KeyPath, KeyPath]:
        """Return the nearest place that exists, and the path as written in the file."""
        place: KeyPath = ()
        written: KeyPath = ()
        for part in path:
            if (*place, part) in self.marks:
                place = (*place, part)
            elif part == 0:
                continue  # a single value where a list may stand: it has no number in the file
            written = (*written, part)
        return place, written

    def _mark(self, place: KeyPath) -> tuple[int, int]:
        return self.marks.get(place, (1, 1))

    def problem_at(self, mark: tuple[int, int], path: KeyPath, message: str) -> str:
        """Return the message for a known line and column."""
        key = ".".join(str(part) for part in path)
        line = f"{self.file}:{mark[0]}:{mark[1]}: {key + ': ' if key else ''}{message}"
        return " ".join(line.splitlines())  # keys and values may hold anything


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's content.

    Attributes:
        data: Plain data; of duplicate keys the first.
        positions: Line and column of every key.
        problems: One line for each key that cannot be used.
    """

    data: Any
    positions: Positions
    problems: tuple[str, ...]


def read_yaml(file: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: If the file is missing, no YAML, or too deep or large.
    """
    return _read(_read_text(file), file)


def read_value(text: str, *, option: str) -> Any:
    """Read a value typed on the command line as a matrix would read it.

    Args:
        text: The value.
        option: The option, for the message.

    Raises:
        ConfigError: If it is no YAML, or too deep or large.
    """
    document = _read(text, Path(option))
    if document.problems:
        raise ConfigError(*document.problems)
    return document.data


def _read(text: str, file: Path) -> Document:
    try:
        return _Builder(file).read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{file}{where}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not YAML: {' '.join(str(error).split())}") from None


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
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


class _Builder:
    """Builds plain data from YAML nodes and notes the position of each."""

    def __init__(self, file: Path) -> None:
        self.positions = Positions(file)
        self.problems: list[str] = []
        self.reported: set[tuple[tuple[int, int], str]] = set()
        self.nodes = 0

    def read(self, text: str) -> Document:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            data = None if node is None else self._build(loader, node, ())
        finally:
            loader.dispose()
        return Document(data, self.positions, tuple(self.problems))

    def _build(self, loader: _Loader, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if len(path) > MAX_DEPTH or self.nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_DEPTH} levels or {MAX_NODES:,} values",
                problem_mark=node.start_mark,
            )
        self.positions.marks.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_BASE}map":
            return self._mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_BASE}seq":
            return [self._build(loader, item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            _check_text(node)
            return loader.construct_object(node)
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag}", problem_mark=node.start_mark)

    def _mapping(self, loader: _Loader, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in result:
                first = self.positions.marks[here][0]
                self._complain(
                    key_node,
                    here,
                    f"duplicate key, first given in line {first}. Remove one of the two",
                )
                continue
            self.positions.marks[here] = _place(key_node)
            result[key] = self._build(loader, value_node, here)
        return result

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_BASE}str":
            _check_text(node)
            return str(node.value)
        if node.tag == f"{_BASE}merge":
            self._complain(node, path, "merge keys (<<) are not read; write the keys out")
        elif isinstance(node, yaml.ScalarNode):
            kind = node.tag.removeprefix(_BASE)
            self._complain(
                node, path, f"the key {node.value!r} is read as {kind}, not as text; quote it"
            )
        else:
            self._complain(node, path, "a key must be text")
        return None

    def _complain(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        mistake = _place(node), message
        if mistake not in self.reported:  # else an alias repeats it
            self.reported.add(mistake)
            self.problems.append(self.positions.problem_at(mistake[0], path, message))


def _check_text(node: yaml.ScalarNode) -> None:
    """Refuse half a character, which an escape can spell and no file can hold."""
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise yaml.MarkedYAMLError(problem="a lone surrogate", problem_mark=node.start_mark)


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
