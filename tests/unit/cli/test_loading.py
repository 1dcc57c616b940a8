"""From the words of a command line to cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashbench.cli.loading import check_data, load
from hashbench.core.errors import DataError, NothingSelectedError
from hashbench.core.registry import Registry

MATRIX = """\
version: 1
name: test
datasets: [digits]
methods: {pairs: [{method: lsh}, {method: itq}, {method: cosine}]}
bits: [16, 32]
seeds: [0, 1]
execute: {threads: 1}
"""


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX)
    return file


def chosen(matrix: Path, *words: str) -> list[str]:
    return [str(cell).removeprefix("digits@1 | ") for cell in load(matrix, selections=words).cells]


def test_without_a_selection_all_cells_are_wanted(matrix: Path) -> None:
    assert len(chosen(matrix)) == 9


def test_all_selections_must_hold_and_values_are_alternatives(matrix: Path) -> None:
    assert chosen(matrix, "method=lsh,itq", "bits=32", "seed=1") == [
        "lsh on pixels | 32 bits | seed 1",
        "itq on pixels | 32 bits | seed 1",
    ]


def test_the_float_row_is_selected_by_its_word(matrix: Path) -> None:
    assert chosen(matrix, "bits=float", "backbone=pixels") == [
        "cosine on pixels | float bits | seed 0"
    ]


def test_a_cell_is_selected_by_the_start_of_its_id(matrix: Path) -> None:
    first, second, *_ = load(matrix).cells
    assert load(matrix, selections=(f"id={first.fit_id[:10]}",)).cells == (first,)
    both = load(matrix, selections=(f"id={first.fit_id[:10]},{second.fit_id}",)).cells
    assert both == (first, second)


def test_a_selection_that_holds_nothing_is_told_with_its_words(matrix: Path) -> None:
    with pytest.raises(NothingSelectedError, match="nothing selected: --select loss=hsc"):
        load(matrix, selections=("loss=hsc",))
    with pytest.raises(NothingSelectedError, match=r"; it has no method of lhs\. Did you mean"):
        load(matrix, selections=("bits=16", "method=lhs"))
    with pytest.raises(NothingSelectedError, match=r"--select method=cosine bits=16$"):
        load(matrix, selections=("method=cosine", "bits=16"))


def test_a_matrix_that_excludes_everything_is_told(matrix: Path) -> None:
    matrix.write_text(f"{MATRIX}exclude: [{{dataset: digits, because: slow}}]\n")
    with pytest.raises(NothingSelectedError, match="exclude leaves no cell"):
        load(matrix)


def test_plugins_of_the_command_line_and_of_the_matrix_are_each_named_once(
    matrix: Path, tmp_path: Path, components: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashbench.cli.loading.registry", lambda: components)
    plugin = tmp_path / "named_twice.py"
    plugin.write_text(
        "from hashbench.core.registry import Kind\n\n\nclass OfTheTest:\n    KIND = Kind.REPORTER\n"
    )
    matrix.write_text(f"{MATRIX}plugins: [named_twice.py]\n")
    monkeypatch.chdir(tmp_path)
    assert load(matrix, plugins=(Path("named_twice.py"),)).request.plugins == (plugin,)


def test_good_data_are_passed_over_in_silence(matrix: Path) -> None:
    check_data(load(matrix).cells, root=None)


def test_data_that_are_damaged_are_one_line_for_each_dataset(tmp_path: Path) -> None:
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX.replace("[digits]", "[digits, fashion_mnist]"))
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(b"not an IDX file")
    with pytest.raises(DataError, match="train-images-idx3-ubyte") as caught:
        check_data(load(file).cells, root=tmp_path)
    assert "\n" not in str(caught.value)
