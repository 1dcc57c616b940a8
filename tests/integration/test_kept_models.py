"""A fit that kept its model encodes an image file as it encoded the dataset's images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hashbench.core.canonical import digest_file
from hashbench.core.cell import BackboneMode, Cell, Component, Weights
from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.core.plugins import load_plugin
from hashbench.core.record import Status
from hashbench.core.registry import Registry
from hashbench.datasets.loading import load_data
from hashbench.methods.backbones.resnet import ResNetMini
from hashbench.store.codes import load_codes
from hashbench.store.model import load_model
from hashbench.worker.building import restore_method
from hashbench.worker.encoder import Encoder

CPU = torch.device("cpu")


def shallow(cell: Cell, name: str, *, features: bool = False, bits: int | None = 16) -> Cell:
    """The cell's data with a shallow method."""
    params: dict[str, Any] = {"itq": {"iterations": 5}, "lsh": {"centre": True}}.get(name, {})
    return replace(
        cell,
        bits=bits,
        backbone=cell.backbone if features else None,
        head=None,
        loss=None,
        train=None,
        method=Component(name, 1, params or ({"centre": True} if name == "cosine" else {})),
    )


def frozen(cell: Cell) -> Cell:
    assert cell.train
    train = replace(cell.train, backbone=BackboneMode.FROZEN, epochs=2, augmentation="none")
    return replace(cell, train=train, loss=Component("hsc", 1))


CELLS: dict[str, Callable[[Cell], Cell]] = {
    "lsh": lambda cell: shallow(cell, "lsh"),
    "itq": lambda cell: shallow(cell, "itq"),
    "pcah": lambda cell: shallow(cell, "pcah"),
    "sh": lambda cell: shallow(cell, "sh"),
    "sh on a network": lambda cell: shallow(cell, "sh", features=True),
    "cosine": lambda cell: shallow(cell, "cosine", bits=None),
    "deep, learned codes": lambda cell: replace(cell, bits=24),
    "deep, bits of no whole byte": lambda cell: replace(cell, bits=12),
    "deep, frozen": frozen,
}


@pytest.mark.parametrize("name", CELLS)
def test_an_image_file_gets_the_code_that_its_dataset_image_has_in_the_record(
    name: str, bench: Callable[[str], Any], cell: Cell, tmp_path: Path
) -> None:
    kept = bench("store")
    fit = kept.run(CELLS[name](cell), keep_model=True, metrics=())
    assert fit.status is Status.OK, fit.error
    assert fit.data is not None and not [w for w in fit.data.warnings if "kept model" in w]
    data = load_data("digits", "digits@1", subset=fit.cell.data.subset)
    files = []
    for position in data.split.query:
        files.append(tmp_path / f"{position}.png")
        Image.fromarray(data.data.images[position]).save(files[-1])

    encoder = Encoder(kept.store, fit, kept.components, device=CPU)
    encoded = encoder.encode_files(files)

    stored = load_codes(kept.store, fit).query
    if isinstance(encoded, Codes):
        assert isinstance(stored, Codes)
        assert encoded.bits == stored.bits == fit.cell.bits
        assert len({row.tobytes() for row in stored.packed}) > 3
        np.testing.assert_array_equal(encoded.packed, stored.packed)
    else:
        assert not isinstance(stored, Codes)
        np.testing.assert_array_equal(encoded.values, stored.values)
    assert encoder.classes == data.data.classes
    np.testing.assert_array_equal(encoder.database, data.split.database)


def test_keeping_the_model_changes_neither_the_fit_id_nor_the_codes(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    kept, plain = bench("kept"), bench("plain")
    with_model = kept.run(cell, keep_model=True, metrics=())
    without = plain.run(cell, metrics=())
    assert with_model.fit_id == without.fit_id
    assert set(with_model.artifacts) == {"codes", "model"}
    assert set(without.artifacts) == {"codes"}
    assert kept.code_bytes(with_model) == plain.code_bytes(without)
    with pytest.raises(DataError, match=r"no model kept; re-run with execute: {keep_model: true}"):
        Encoder(plain.store, without, plain.components, device=CPU)


def test_first_weights_from_a_file_are_in_the_model_and_the_file_is_not_needed_again(
    bench: Callable[[str], Any], cell: Cell, tmp_path: Path
) -> None:
    trunk = ResNetMini(ResNetMini.Params(width=4), image_size=8)
    file = tmp_path / "weights.pt"
    torch.save(trunk.state_dict(), file)
    pretrained = replace(
        shallow(cell, "lsh", features=True), weights=Weights("file", digest_file(file))
    )
    kept = bench("store")
    fit = kept.run(pretrained, keep_model=True, metrics=(), weights=file)
    assert fit.status is Status.OK, fit.error
    file.unlink()

    data = load_data("digits", "digits@1", subset=fit.cell.data.subset)
    encoder = Encoder(kept.store, fit, kept.components, device=CPU)
    encoded = encoder.encode(data.data.images[data.split.query])

    assert isinstance(encoded, Codes)
    stored = load_codes(kept.store, fit).query
    assert isinstance(stored, Codes)
    np.testing.assert_array_equal(encoded.packed, stored.packed)


def test_a_model_of_another_network_is_refused_in_one_line(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    kept = bench("store")
    fit = kept.run(shallow(cell, "sh", features=True), keep_model=True, metrics=())
    wider = replace(fit.cell, backbone=Component("resnet_mini", 1, {"width": 8}))
    with pytest.raises(DataError, match="does not fit the present code") as caught:
        restore_method(wider, load_model(kept.store, fit).state, kept.components, device=CPU)
    assert "\n" not in str(caught.value)


UNKEEPABLE = """
import numpy as np
from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.methods.interface import FitReport, Method

class Constant(Method):
    info = ComponentInfo(title="Constant")
    def __init__(self, params, *, bits, features):
        self.bits = bits
    def fit(self, data, ctx):
        raise AssertionError("trained although it cannot be kept")
    def encode(self, images, role):
        return Codes.from_outputs(np.ones((len(images), self.bits)))
"""


def test_a_method_that_does_not_say_what_encoding_needs_is_refused_before_training(
    bench: Callable[[str], Any], cell: Cell, components: Registry, tmp_path: Path
) -> None:
    (tmp_path / "constant.py").write_text(UNKEEPABLE)
    load_plugin(tmp_path / "constant.py", components)
    fit = bench("store").run(shallow(cell, "constant"), keep_model=True, metrics=())
    assert fit.status is Status.FAILED
    assert fit.error is not None
    assert "Constant is no KeepableMethod, so its model cannot be stored" in fit.error.message
    assert "drop execute: {keep_model: true}" in fit.error.message
