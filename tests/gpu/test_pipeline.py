"""On a CUDA device batches are the same however they are held, and no step waits for the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from training_speed_subjects import FAST_BF16, build_subject, choice, protocol

from hashbench.core.cell import Determinism, Precision
from hashbench.training import utilisation
from hashbench.training.determinism import configure, generator
from hashbench.training.images import DeviceImages
from hashbench.training.phases import StepClock
from hashbench.training.pixels import MappedPixels, ResidentPixels, hold
from hashbench.training.utilisation import matrix_rate

pytestmark = pytest.mark.gpu

COUNT, SIDE, SIZE = 64, 64, 56
RULES = [
    *("none", "flip", "crop_flip", "crop_flip_jitter", "resized_crop", "resized_crop_jitter"),
    *("cibhash", "dhd"),
]


@pytest.fixture
def mapped(tmp_path: Path) -> NDArray[np.uint8]:
    """Return colour images mapped from a file."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what a test sets for its whole process."""
    mode = torch.get_deterministic_debug_mode()
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    yield
    torch.set_deterministic_debug_mode(mode)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def stream(
    images: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    *,
    rule: str,
    device: torch.device,
    resident: bool,
) -> DeviceImages:
    """A stream that holds its images as told."""
    monkeypatch.setattr("hashbench.training.pixels.fits", lambda *_, **__: resident)
    return DeviceImages(
        images,
        choice=choice(SIZE),
        protocol=protocol(),
        augmentation=rule,
        device=device,
        channels_last=True,
    )


@pytest.mark.parametrize("rule", RULES)
def test_batches_are_equal_however_images_are_held(
    mapped: NDArray[np.uint8], rule: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    for resident in (True, False):
        images = stream(mapped, monkeypatch, rule=rule, device=device, resident=resident)
        positions = list(torch.split(torch.randperm(COUNT, generator=generator(0)), 7))
        there = [part.to(device) for part in positions]
        images.prefetch(there, positions)
        draw = generator(1)
        batches.append([images.batch(part, draw) for part in there])

    for one, other in zip(*batches, strict=True):
        assert one.device.type == device.type
        assert torch.equal(one, other)


@pytest.mark.parametrize("rule", RULES)
def test_batches_agree_with_those_of_the_cpu(
    mapped: NDArray[np.uint8], rule: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        stream(mapped, monkeypatch, rule=rule, device=where, resident=True).batch(
            torch.arange(COUNT), generator(2)
        )
        for where in (torch.device("cpu"), device)
    ]
    torch.testing.assert_close(found[1].cpu(), found[0], atol=1e-3, rtol=1e-3)


def test_images_that_leave_room_are_uploaded_and_others_are_not(
    mapped: NDArray[np.uint8], device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device.type != "cuda":
        pytest.skip("no CUDA device")
    positions = np.arange(COUNT)
    assert isinstance(hold(mapped, positions, device=device), ResidentPixels)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**6, 10**7))
    assert isinstance(hold(mapped, positions, device=device), MappedPixels)


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_no_step_waits_for_the_device(
    mapped: NDArray[np.uint8],
    rule: str,
    resident: bool,
    device: torch.device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if device.type != "cuda":
        pytest.skip("no CUDA device")
    configure(Determinism.FAST, threads=1)
    images = stream(mapped, monkeypatch, rule=rule, device=device, resident=resident)
    subject = build_subject(
        "resnet_mini", FAST_BF16, length=COUNT, batch_size=16, device=device, side=SIZE
    )
    subject.train(images)  # what happens once only, such as choosing kernels
    positions = list(torch.split(torch.arange(COUNT), 16))
    there = [part.to(device) for part in positions]
    images.prefetch(there, positions)
    draw, clock = generator(3), StepClock(device)
    labels = torch.eye(10, device=device)
    torch.cuda.synchronize(device)

    torch.cuda.set_sync_debug_mode("error")
    try:
        for part in there:
            clock.start()
            batch = images.batch(part, draw)
            clock.lap("data")
            outputs, _ = subject.network(batch)
            (outputs.mean() * labels[part % 10].mean()).backward()
            clock.lap("backward")
            subject.optimiser.step()
            clock.lap("step")
    finally:
        torch.cuda.set_sync_debug_mode("default")

    seconds = clock.read()
    assert seconds.keys() == {"data", "backward", "step"}
    assert all(value > 0 for value in seconds.values())


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_fused_optimisers_step_on_the_device(optimiser: str, device: torch.device) -> None:
    from hashbench.training.optimisation import build_optimiser

    plain, fused = (torch.nn.Parameter(torch.ones(8, device=device)) for _ in range(2))
    subject = build_subject(
        "resnet_mini", FAST_BF16, length=4, batch_size=2, device=device, side=32
    )
    for parameter, asked in ((plain, False), (fused, True)):
        settings = replace(subject.settings, optimiser=optimiser, fused=asked, lr=1e-2)
        built = build_optimiser(settings, new=[parameter], backbone=[])
        for _ in range(3):
            parameter.grad = torch.linspace(-1, 1, 8, device=device)
            built.step()
    torch.testing.assert_close(fused, plain, atol=1e-5, rtol=1e-5)


def test_tf32_rounds_products_and_fp32_does_not(device: torch.device) -> None:
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0):
        pytest.skip("no CUDA device with TF32")
    left = torch.randn(512, 512, device=device, generator=torch.Generator(device).manual_seed(0))
    exact = left.double() @ left.double()
    errors = {}
    for precision in (Precision.FP32, Precision.TF32):
        configure(Determinism.STRICT, threads=1, precision=precision)
        errors[precision] = float((left @ left - exact).abs().max())
    assert errors[Precision.TF32] > 10 * errors[Precision.FP32]


def test_a_matrix_rate_is_plausible(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    # torch's word, which also heeds the instruction sets that a process is held to.
    computed = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if not computed:
        monkeypatch.setitem(utilisation._SIDE, device.type, 512)  # seconds a product otherwise
    full, half = (matrix_rate(device, each, threads=1) for each in (Precision.FP32, Precision.BF16))
    assert 1e9 < full < 1e16
    if computed:
        assert 1e9 < half < 1e16
    else:  # bfloat16 is emulated: how slowly is the library's affair, but never faster than fp32
        assert 1e6 < half < full
