"""The matrices that come with hashbench."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from hashbench.core.registry import Registry
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix

FOLDER = Path(__file__).resolve().parents[3] / "matrices"
MATRICES = sorted(FOLDER.glob("*.yaml"))
# The one that is not here is on images that a user imports.
ON_OFFICIAL_IMAGES = sorted(FOLDER.glob("real/cifar10-*.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrices, and something in the place of the weights that a user provides."""
    copy = tmp_path_factory.mktemp("ready") / "matrices"
    shutil.copytree(FOLDER, copy)
    copy.joinpath("real", "vit_tiny_patch16_224.safetensors").write_bytes(b"weights")
    return copy


@pytest.mark.parametrize("file", [*MATRICES, *ON_OFFICIAL_IMAGES], ids=lambda file: file.stem)
def test_a_ready_matrix_has_no_mistake_and_is_named_as_its_file(
    file: Path, folder: Path, components: Registry
) -> None:
    matrix = load_matrix(folder / file.relative_to(FOLDER), components)
    assert matrix.spec.name == file.stem
    assert expand(matrix, components).cells


def test_the_matrices_on_toys_are_trained_as_the_values_they_are_compared_with() -> None:
    by_name = {file.stem: yaml.safe_load(file.read_text()) for file in MATRICES}
    settings = by_name["digits"]["train"]
    assert settings.pop("prepass") == "pixels"  # nothing else in these matrices has a pre-pass
    for name in ("digits", "digits-variants", "digits-hsc", "digits-hsc-sweeps"):
        assert by_name[name]["train"] == settings
        assert by_name[name]["methods"]["grid"]["last_layer"] == "linear_uniform"
