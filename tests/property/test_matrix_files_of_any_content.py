"""Whatever a matrix file holds, it is read or refused in lines that name it; nothing else happens.

HASHBENCH_FUZZ_CASES sets how many files each test tries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hashbench.cli.loading import load
from hashbench.core.errors import ConfigError, NothingSelectedError

CASES = int(os.environ.get("HASHBENCH_FUZZ_CASES", "100"))
FUZZ = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MATRIX = """\
version: 1
name: every-block
datasets: [{name: digits, subset: {query: 20, database: 300, seed: 1}}, digit_mixtures]
methods:
  grid: {backbones: [mlp, {name: resnet_mini, params: {width: 4}}], losses: [hsc, classic4]}
  pairs: [{method: itq}, {method: {name: lsh}}]
bits: [16, 32]
seeds: 2
train: {epochs: 2, batch_size: 32, lr: 1e-3, schedule: {kind: step, factor: 0.1, milestones: [0.5]}}
exclude: [{loss: hsc, bits: 32, because: tried}]
evaluate: {metrics: [map, precision@r2], cutoffs: [10, all]}
latency: [{engine: exact, k: 5, batches: [1, 10], seconds: 0.1}]
execute: {device: cpu, threads: 1, timeout: 60}
"""
NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, 1e308, float("inf"), float("nan")]
WORDS = [
    *("", " ", "~", "all", "auto", "digits", "hsc", "itq", "map", "map@5000/ties=best", "map@-1"),
    *("timm/*", "timm/", "../..", "/", ".", "\0", "a\0b", "\n", "a\nb", "\u2028", "\ud800", "🦊"),
    *("é", "x" * 5000, "1e400", "%s{}", "[", "version", "__class__", "1" * 400),
]
FRAGMENTS = [
    *("a", "bits", ": ", ":", "\n", "\n  ", "- ", "? ", "&a ", "*a", "[", "]", "{", "}", ", ", "|"),
    *(">", "#", "---", "...", "%YAML 9.9\n", "\t", "~", "<<", "1e999", ".nan", "\x00", "🦊", "'"),
    *(
        '"',
        "\\ud800",
        '"\\ud800"',
        "0x",
        "1_0",
        "2024-01-01",
        "2024-13-99",
        "!!python/name:a.b",
    ),
    *("!!binary x", "!!set", "!!float x", "!", "\ufeff", "\u2028", "\x85", "\r", "9" * 4301, "0o9"),
    *("190:20:30", "=", "0b", "yes", "version: 1\n", "name: x\n", "datasets: [digits]\n"),
]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

values = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(WORDS), st.text(max_size=8)
)
trees = st.recursive(
    values,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of a tree."""
    yield path
    items: Any = tree.items() if isinstance(tree, dict) else ()
    for key, value in enumerate(tree) if isinstance(tree, list) else items:
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], change: str, new: Any) -> Any:
    """The tree with one place changed."""
    if not path:
        return new
    if len(path) > 1:
        tree[path[0]] = changed(tree[path[0]], path[1:], change, new)
    elif change == "remove":
        del tree[path[0]]
    elif change == "rename" and isinstance(tree, dict) and isinstance(new, str):
        tree[new] = tree.pop(path[0])
    elif change == "wrap":
        tree[path[0]] = [tree[path[0]], new]
    else:
        tree[path[0]] = new
    return tree


@st.composite
def edited_matrices(draw: st.DrawFn) -> str:
    """A valid matrix with some values, keys and items changed, as YAML."""
    tree = yaml.safe_load(MATRIX)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(tree))[1:] or [()]))
        change = draw(st.sampled_from(["replace", "remove", "rename", "wrap"]))
        tree = changed(tree, path, change, draw(trees))
        if not isinstance(tree, dict):
            break
    return yaml.safe_dump(tree, allow_unicode=draw(st.booleans()))


@st.composite
def edited_texts(draw: st.DrawFn) -> str:
    """The text of a valid matrix with pieces cut out and others put in."""
    text = MATRIX
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 12))
        text = text[:start] + draw(st.sampled_from(["", *FRAGMENTS])) + text[stop:]
    return text


def read(content: bytes, folder: Path) -> None:
    """Read a matrix file of such content as commands do."""
    file = folder / "matrix.yaml"
    file.write_bytes(content)
    try:
        load(file)
    except (ConfigError, NothingSelectedError) as error:
        for line in str(error).split("\n"):
            assert line.startswith(str(file)), line
            assert len(line.splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == ["matrix.yaml"]


def test_the_matrix_that_is_edited_below_is_valid(tmp_path: Path) -> None:
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    assert load(tmp_path / "matrix.yaml").cells


@FUZZ
@given(content=st.binary(max_size=80))
@example(content=b"\xef\xbb\xbfversion: 1")
@example(content=b"version: 1\n\0")
@example(content=b"\xff\xfev\0")
def test_bytes_of_any_kind_are_read_or_refused(content: bytes, tmp_path: Path) -> None:
    read(content, tmp_path)


@FUZZ
@given(pieces=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=25))
@example(pieces=[BOMB])
@example(pieces=["version: 1\nbits: ", "[" * 20_000])
@example(pieces=["version: 1\nbits: ", "{a: " * 2000])
@example(pieces=["- " * 3000])
@example(pieces=["a: &a {<<: *a}"])
@example(pieces=["version: 1\nversion: 1\nversion: 1"])
@example(pieces=["? " * 2000])
def test_pieces_of_yaml_in_any_order_are_read_or_refused(pieces: list[str], tmp_path: Path) -> None:
    read("".join(pieces).encode("utf-8", "surrogatepass"), tmp_path)


@FUZZ
@given(text=edited_texts())
def test_a_matrix_with_damaged_text_is_read_or_refused(text: str, tmp_path: Path) -> None:
    read(text.encode(), tmp_path)


@FUZZ
@given(text=edited_matrices())
def test_a_matrix_with_other_values_is_read_or_refused(text: str, tmp_path: Path) -> None:
    read(text.encode("utf-8", "surrogatepass"), tmp_path)
