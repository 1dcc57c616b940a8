"""YAML with positions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.matrix.positions import MAX_DEPTH, Positions, read_value, read_yaml

Write = Callable[[str], Path]


def test_keys_and_items_are_marked_with_line_and_column_from_one(write: Write) -> None:
    found = read_yaml(write("a: 1\nb:\n  - x\n  - {c: 2, d: [3]}\n"))
    assert found.data == {"a": 1, "b": ["x", {"c": 2, "d": [3]}]}
    assert found.positions.marks == {
        (): (1, 1),
        ("a",): (1, 1),
        ("b",): (2, 1),
        ("b", 0): (3, 5),
        ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 6),
        ("b", 1, "d"): (4, 12),
        ("b", 1, "d", 0): (4, 16),
    }


def test_a_problem_is_told_at_the_nearest_place_that_exists(write: Write) -> None:
    file = write("a:\n  b: 1\n")
    positions = read_yaml(file).positions
    assert positions.problem(("a", "b"), "is bad") == f"{file}:2:3: a.b: is bad"
    assert positions.problem(("a", "gone", 3), "is bad") == f"{file}:1:1: a.gone.3: is bad"
    assert positions.problem((), "is bad") == f"{file}:1:1: is bad"


def test_a_single_value_where_a_list_may_stand_has_no_number(write: Write) -> None:
    file = write("x: 1\nbits: 0\ndatasets: {name: a, subset: {test: 1}}\n")
    positions = read_yaml(file).positions
    assert positions.problem(("bits", 0), "is bad") == f"{file}:2:1: bits: is bad"
    path = ("datasets", 0, "subset", "test")
    assert positions.problem(path, "is bad") == f"{file}:3:30: datasets.subset.test: is bad"


def test_every_duplicate_key_is_told_and_the_first_value_kept(write: Write) -> None:
    file = write("a: 1\nb:\n  c: 2\n  c: 3\na: 4\na: 5\n")
    found = read_yaml(file)
    assert found.data == {"a": 1, "b": {"c": 2}}
    assert found.problems == (
        f"{file}:4:3: b.c: duplicate key, first given in line 3. Remove one of the two",
        f"{file}:5:1: a: duplicate key, first given in line 1. Remove one of the two",
        f"{file}:6:1: a: duplicate key, first given in line 1. Remove one of the two",
    )


def test_a_key_spelt_with_and_without_quotes_is_one_key(write: Write) -> None:
    assert len(read_yaml(write("a: 1\n'a': 2\n")).problems) == 1


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("16", "the key '16' is read as int, not as text; quote it"),
        ("true", "the key 'true' is read as bool, not as text; quote it"),
        ("~", "the key '~' is read as null, not as text; quote it"),
        ("[a, b]", "a key must be text"),
        ("? {a: b}\n", "a key must be text"),
        ("<<", "merge keys (<<) are not read; write the keys out"),
    ],
)
def test_a_key_that_is_not_text_is_told(key: str, message: str, write: Write) -> None:
    file = write(f"{key}: {{x: 1}}\n")
    (problem,) = read_yaml(file).problems
    assert problem.startswith(f"{file}:1:")
    assert problem.endswith(message)


def test_an_alias_stands_for_what_its_anchor_holds(write: Write) -> None:
    found = read_yaml(write("a: &x {b: [1, 2]}\nc: *x\nd:\n  - *x\n"))
    assert found.data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}]}
    assert found.positions.marks["c",] == (2, 1)
    assert found.positions.marks["c", "b"] == (1, 8)


def test_what_an_alias_repeats_is_one_mistake(write: Write) -> None:
    file = write("a: &x {b: 1}\nc: *x\n")
    found = [(("a", "b"), "is wrong"), (("c", "b"), "is wrong"), (("c", "b"), "is odd")]
    assert read_yaml(file).positions.problems(found) == [
        f"{file}:1:8: a.b: is wrong",
        f"{file}:1:8: c.b: is odd",
    ]


def test_a_key_given_twice_behind_an_alias_is_told_once(write: Write) -> None:
    file = write("a: &x {b: 1, b: 2}\nc: *x\n")
    (problem,) = read_yaml(file).problems
    assert problem.startswith(f"{file}:1:14: a.b: duplicate key")


def test_equal_mistakes_of_two_keys_are_two(write: Write) -> None:
    file = write("l:\n- b:\n    c: 1\n")
    paths = [("l", 0, "p"), ("l", 0, "q"), ("l", 0, "b", "p")]
    assert read_yaml(file).positions.problems((path, "is missing") for path in paths) == [
        f"{file}:2:3: l.0.p: is missing",
        f"{file}:2:3: l.0.q: is missing",
        f"{file}:2:3: l.0.b.p: is missing",
    ]


@pytest.mark.parametrize("text", ["1e-4", "1.0e5", "1.e+5", "-2E3", "0.5", ".5"])
def test_every_usual_spelling_of_a_float_is_one(text: str, write: Write) -> None:
    value = read_yaml(write(f"lr: {text}")).data["lr"]
    assert isinstance(value, float)
    assert value == float(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 2",
        "a: 'open",
        "a:\n\t- 1",
        "a: b: c",
        "a: 1\n--- \nb: 2",
        "a: *nowhere",
        "@",
        "a: !!python/object/apply:os.system ['true']",
        "a: !mine {b: 1}",
        "a: !!set {b, c}",
        "a: \x07",
        "a: 2024-99-99",
        "a: " + "9" * 5000,
    ],
)
def test_what_is_no_yaml_is_one_line_that_names_the_file(text: str, write: Write) -> None:
    file = write(text)
    with pytest.raises(ConfigError, match="not YAML") as caught:
        read_yaml(file)
    assert str(caught.value).startswith(f"{file}:")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        "[" * 5000 + "]" * 5000,
        "a: &a [*a]",
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n"
            for p, c in zip("abcde", "bcdef", strict=True)
        ),
    ],
    ids=["deep", "too deep for the parser", "recursive", "explosive"],
)
def test_a_file_that_would_explode_is_refused(text: str, write: Write) -> None:
    with pytest.raises(ConfigError, match="not YAML") as caught:
        read_yaml(write(text))
    assert "\n" not in str(caught.value)


def test_an_empty_file_holds_nothing(write: Write) -> None:
    assert read_yaml(write("# only a comment\n")).data is None


def test_a_missing_file_a_folder_and_bytes_are_errors(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"a: \xff\xfe")
    for name, message in [
        ("gone", "gone: no such file"),
        (".", "is a folder, not a matrix file"),
        ("bytes", "not UTF-8 text"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read_yaml(tmp_path / name)


@pytest.mark.parametrize("text", ['a: "x\\ud800"', '"\\udfff": 1', '[{b: "\\ud83d"}]'])
def test_half_a_character_is_refused_where_it_is_read(text: str, write: Write) -> None:
    with pytest.raises(ConfigError, match="not YAML: a lone surrogate"):
        read_yaml(write(text))


@pytest.mark.parametrize("value", ["a\nb", "a\u2028b", "a\r\nb"])
def test_a_problem_is_one_line_whatever_is_in_the_value(value: str) -> None:
    told = Positions(Path("m.yaml"), {("a",): (1, 1)}).problem(("a",), f"is {value}")
    assert told == "m.yaml:1:1: a: is a b"


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("16", 16), ("a", "a"), ("[1, 2]", [1, 2]), ("", None)]
)
def test_a_value_of_the_command_line_is_read_as_in_a_matrix(text: str, value: object) -> None:
    assert read_value(text, option="--param a") == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "--param a:1:2: not YAML: expected the node content, but found '<stream end>'"),
        ("[" * 3000, "--param a: not YAML: maximum recursion depth exceeded"),
        ("{b: 1, b: 2}", "--param a:1:8: b: duplicate key, first given in line 1"),
        ("!x 1", "--param a:1:1: not YAML: "),
    ],
)
def test_a_value_that_is_no_yaml_names_its_option(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_value(text, option="--param a")
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)
