"""Features that one cell computed are loaded by the next."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save

from hashbench.core.cell import DataChoice, Precision
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.methods.backbones.mlp import MLP
from hashbench.methods.building_blocks.features import BackboneFeatures
from hashbench.training.feature_cache import FeatureCache
from hashbench.training.images import DeviceImages
from hashbench.training.phases import PhaseClock

CPU = torch.device("cpu")
SIZE = 8


def images(seed=0, *, normalisation="unit", positions=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (20, SIZE, SIZE), dtype=np.uint8)
    choice = DataChoice("digits", 1, "digits@1", "", SIZE, normalisation)
    protocol = load_protocol("digits@1")
    return DeviceImages(pixels, positions=positions, choice=choice, protocol=protocol, device=CPU)


class Counted(MLP):
    passes = 0

    def forward(self, batch):
        type(self).passes += 1
        return super().forward(batch)


@pytest.fixture
def extractor(tmp_path):
    Counted.passes = 0

    def build(*, seed=0, about=None, precision=Precision.FP32):
        torch.manual_seed(seed)
        backbone = Counted(Counted.Params(), image_size=SIZE)
        memory = FeatureCache(tmp_path, about or {})
        return BackboneFeatures(backbone, CPU, precision=precision, memory=memory), memory

    return build


def test_a_second_cell_takes_the_features_bit_for_bit_and_passes_no_image(extractor):
    computed = extractor()[0](images())
    passes = Counted.passes
    taken = extractor()[0](images())
    assert Counted.passes == passes > 0
    assert torch.equal(computed, taken)
    assert computed.dtype == taken.dtype == torch.float32


def test_cells_at_once_wait_for_the_one_that_computes_them(extractor, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    extract = BackboneFeatures.extract

    def slow(self, stream):
        begun.set()
        assert go_on.wait(60)
        return extract(self, stream)

    monkeypatch.setattr(BackboneFeatures, "extract", slow)
    cells = [extractor() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(cell, images()) for cell, _ in cells]
        assert begun.wait(60)
        go_on.set()
        features = [each.result() for each in found]
    assert Counted.passes == 1
    assert all(torch.equal(each, features[0]) for each in features)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"about": {"backbone": "another"}},
        {"precision": Precision.BF16},
        {"stream": {"seed": 1}},
        {"stream": {"normalisation": "half"}},
        {"stream": {"positions": np.arange(19)}},
        {"stream": {"positions": np.arange(20)[::-1].copy()}},
    ],
    ids=str,
)
def test_whatever_features_depend_on_keeps_them_apart(extractor, changed):
    extractor()[0](images())
    passes = Counted.passes
    other = dict(changed)
    stream = images(**other.pop("stream", {}))
    found = extractor(**other)[0](stream)
    assert Counted.passes > passes
    assert torch.equal(found, extractor(**other)[0].extract(stream))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("torch.backends.cpu.get_cpu_capability", lambda: "another"),
        ("torch.get_deterministic_debug_mode", lambda: 9),
    ],
)
def test_features_of_another_arithmetic_are_not_loaded(extractor, monkeypatch, setting, value):
    extractor()[0](images())
    passes = Counted.passes
    monkeypatch.setattr(setting, value)
    extractor()[0](images())
    assert Counted.passes > passes


def test_what_was_spared_is_charged_once_and_to_the_phase_it_belongs_to(extractor, monkeypatch):
    now = iter([0.0, 10.0, 100.0, 101.0])  # ten seconds to compute, one to take
    monkeypatch.setattr("hashbench.training.feature_cache.time.perf_counter", lambda: next(now))
    extractor()[0](images())
    features, memory = extractor()
    features(images())
    clock = PhaseClock(CPU)
    for _ in range(2):
        memory.charge(clock, "features")
    assert clock.seconds == memory.spared == {"features": 9.0}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-5],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"",
        lambda _: save({"features": torch.zeros(20, 2)}),
    ],
    ids=["cut off", "one bit of a number", "empty", "another's file"],
)
def test_a_damaged_file_is_computed_anew_and_mended(damage, extractor, tmp_path):
    whole = extractor()[0](images())
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert torch.equal(extractor()[0](images()), whole)
    passes = Counted.passes
    extractor()[0](images())
    assert Counted.passes == passes


def test_a_place_that_cannot_be_written_to_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    memory = FeatureCache(tmp_path / "file" / "folder", {})
    backbone = Counted(Counted.Params(), image_size=SIZE)
    features = BackboneFeatures(backbone, CPU, precision=Precision.FP32, memory=memory)
    assert torch.equal(features(images()), features.extract(images()))


def test_what_was_not_used_for_longest_makes_room(tmp_path):
    backbone = Counted(Counted.Params(), image_size=SIZE)

    def features(seed, most):
        memory = FeatureCache(tmp_path, {}, most=most)
        BackboneFeatures(backbone, CPU, precision=Precision.FP32, memory=memory)(images(seed))
        return {path.name for path in tmp_path.iterdir()}

    (first,) = features(0, 1 << 30)
    size = (tmp_path / first).stat().st_size
    (second,) = features(1, 1 << 30) - {first}
    features(0, 1 << 30)  # used again
    third = features(2, 2 * size)
    assert len(third) == 2
    assert first in third
    assert second not in third
