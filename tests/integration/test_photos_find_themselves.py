"""A photo of the database, given as a file, is encoded as the database encoded it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hashbench.cli import main
from hashbench.core.codes import Codes
from hashbench.core.registry import Kind, registry
from hashbench.datasets import roots
from hashbench.store.catalogue import read_all
from hashbench.store.codes import load_codes
from hashbench.store.store import Store
from hashbench.worker.encoded_files import EncodedFiles
from hashbench.worker.encoder import open_encoder

MATRIX = """
version: 1
name: photos
datasets: [imported/mine]
methods: {pairs: [{method: lsh}]}
bits: [64]
seeds: [0]
evaluate: {metrics: [map]}
execute: {device: cpu, threads: 1, keep_model: true}
"""
DRAW = np.random.default_rng(0)


def smooth(height: int, width: int, *, channels: int = 3) -> np.ndarray[Any, Any]:
    """A picture with gradients, in which another crop or filter is another picture."""
    coarse = DRAW.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    planes = [
        Image.fromarray(coarse[..., plane]).resize((width, height), Image.Resampling.BICUBIC)
        for plane in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def save_every_kind(folder: Path) -> None:
    """One file of each kind of image that cameras, phones and editors write."""
    folder.mkdir(parents=True)
    Image.fromarray(smooth(120, 200)).save(folder / "wide.jpg")
    Image.fromarray(smooth(200, 120)).save(folder / "high.png")
    Image.fromarray(smooth(90, 90, channels=4)).save(folder / "alpha.png")
    wide = smooth(70, 80, channels=1)[..., 0].astype(np.uint16) << 8
    Image.fromarray(wide).save(folder / "sixteen-bits.png")
    Image.fromarray(smooth(80, 120)).convert("CMYK").save(folder / "cmyk.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(smooth(80, 130)).save(folder / "turned.jpg", exif=turned)
    frames = [Image.fromarray(smooth(60, 90)) for _ in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(smooth(60, 90)).convert("P").save(folder / "palette.png")
    Image.fromarray(smooth(2500, 3100)).save(folder / "huge.jpg")
    Image.fromarray(smooth(32, 32)).save(folder / "of-the-datasets-size.bmp")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(roots, "_named", [])
    monkeypatch.setenv(roots.DATA_ROOT_VARIABLE, str(tmp_path / "data"))
    for name in ("one", "two"):
        save_every_kind(tmp_path / "photos" / name)
    return tmp_path / "photos"


def call(*words: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_database_photo_has_the_code_and_finds_itself_at_distance_0(
    photos: Path, tmp_path: Path
) -> None:
    call("data", "import", photos, "--name", "mine", "--side", "32")
    matrix, store = tmp_path / "matrix.yaml", tmp_path / "store"
    matrix.write_text(MATRIX)
    call("run", matrix, "--store", store)
    (results,) = read_all(Store.open(store))
    fit = results.fit
    assert fit is not None
    encoded = load_codes(Store.open(store), fit)
    assert isinstance(encoded.database, Codes)
    dataset = registry().load(Kind.DATASET, "imported/mine")()
    names = dataset.names(None)

    call("encode", fit.fit_id, photos, "-o", tmp_path / "codes.npz", "--store", store)
    again = EncodedFiles.read(tmp_path / "codes.npz")
    assert isinstance(again.encoded, Codes)
    codes = dict(zip(again.paths, again.encoded.packed, strict=True))
    positions = open_encoder(store, fit.fit_id, device="cpu", plugins=()).database
    for position, packed in zip(positions, encoded.database.packed, strict=True):
        assert (codes[str(photos / names[position])] == packed).all(), names[position]

    wanted = names[positions[0]]
    lines = call("query", fit.fit_id, photos / wanted, "-k", 1, "--store", store).splitlines()
    assert lines[2].split()[:3] == ["1", "0", wanted]
