"""How fast a CUDA device trains, against the same training without images to fetch.

``python tools/device_training_speed.py [SCALE]`` trains ResNet-50 and ViT-B/16 at 224 pixels in
bfloat16, on squares held on the device and on one resident batch, in turns, and sets their
operations against those of a matrix product in the same run. Wanted: within 10 % of the resident
batch, and half of the matrix rate with ViT-B/16. Then it trains a small cell in one process and in
several at a time that share the device, and adds up their images a second. SCALE multiplies the
batch and the times (to try it on a CPU).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from training_speed_subjects import (
    FAST_BF16,
    HELD_SIDE,
    SIDE,
    Mode,
    ResidentBatch,
    Subject,
    Turn,
    build_subject,
    image_stream,
)

from hashbench.core.cell import Determinism, Precision
from hashbench.core.errors import ExitCode
from hashbench.training.determinism import configure
from hashbench.training.utilisation import matrix_rate, training_flops

_BATCH, _HELD, _STEPS, _TURNS = 128, 2048, 16, 3
_SLOTS: Final = (1, 2, 4, 8)
_SMALL_BATCH, _SMALL_SECONDS, _START_SECONDS = 64, 5.0, 20.0


def main(arguments: Sequence[str]) -> ExitCode:
    """Measure and print; see the module."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if arguments[:1] == ["--slot"]:
        print(_small_cell(device, *map(float, arguments[1:])))
        return ExitCode.OK
    scale = float(arguments[0]) if arguments else 1.0
    configure(Determinism.FAST, threads=torch.get_num_threads())
    precision = _mode(device).precision
    rate = matrix_rate(device, precision, threads=torch.get_num_threads())
    print(f"{device.type}: {precision} matrix products {rate / 1e12:.1f} TFLOP/s\n")
    print("| backbone | images/s | resident | ours / resident | data | of the matrix rate |")
    print("| --- | --- | --- | --- | --- | --- |")
    for backbone in ("resnet50", "vit"):
        print(_row(backbone, device, rate, scale), flush=True)
    print("\n| cells at a time | images/s in all | times one |\n| --- | --- | --- |")
    for line in _slot_rows(scale):
        print(line, flush=True)
    return ExitCode.OK


def _mode(device: torch.device) -> Mode:
    """Return fast mode in bfloat16, or in float32 on a processor that would emulate bfloat16."""
    if device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return FAST_BF16
    return replace(FAST_BF16, precision=Precision.FP32)


def _row(backbone: str, device: torch.device, rate: float, scale: float) -> str:
    batch = max(2, round(_BATCH * scale))
    length = batch * max(1, round(_STEPS * min(scale, 1)))
    held = np.random.default_rng(0).integers(
        0, 256, (max(2, round(_HELD * scale)), HELD_SIDE, HELD_SIDE, 3), dtype=np.uint8
    )
    subject = build_subject(backbone, _mode(device), length=length, batch_size=batch, device=device)
    stream = image_stream(held, _mode(device), length=length, device=device)
    fixed = torch.randn(batch, 3, SIDE, SIDE, device=device)
    fixed = fixed.contiguous(memory_format=torch.channels_last)
    fed = ResidentBatch(fixed, length)
    subject.train(fed)  # warms up, and lets cuDNN choose its kernels
    turns = [(subject.train(stream), subject.train(fed)) for _ in range(_TURNS)]
    ours, resident = (max(each, key=_rate) for each in zip(*turns, strict=True))
    share = ours.rate * training_flops(subject.network, fixed[:1]) / rate
    return (
        f"| {backbone} | {ours.rate:.0f} | {resident.rate:.0f} | {ours.rate / resident.rate:.3f} | "
        f"{ours.data_share:.1%} | {share:.1%} |"
    )


def _rate(turn: Turn) -> float:
    return turn.rate


def _slot_rows(scale: float) -> Sequence[str]:
    """Images a second of small cells, several at a time, each in a process of its own."""
    lines, alone = [], 0.0
    seconds, start = _SMALL_SECONDS * min(scale, 1), _START_SECONDS if scale == 1 else 8.0
    for slots in _SLOTS if scale == 1 else _SLOTS[:2]:
        begin = time.time() + start
        command = [sys.executable, __file__, "--slot", str(begin), str(seconds)]
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this program
            for _ in range(slots)
        ]
        # The window is the same for all: what each did in it adds up.
        total = sum(float(process.communicate()[0] or 0) for process in started)
        alone = alone or total
        lines.append(f"| {slots} | {total:.0f} | {total / alone:.2f} |")
    return lines


def _small_cell(device: torch.device, begin: float, seconds: float) -> float:
    """Images a second of a small training between two moments.

    Args:
        device: Shared with others.
        begin: Seconds since the epoch at which to begin, warmed up.
        seconds: How long.
    """
    configure(Determinism.FAST, threads=1)
    length = 8 * _SMALL_BATCH
    held = np.random.default_rng(0).integers(0, 256, (256, 36, 36, 3), dtype=np.uint8)
    subject: Subject = build_subject(
        "resnet_mini", _mode(device), length=length, batch_size=_SMALL_BATCH, device=device, side=32
    )
    stream = image_stream(held, _mode(device), length=length, device=device, side=32)
    subject.train(stream)
    time.sleep(max(0.0, begin - time.time()))
    images, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        images += subject.train(stream).images
    return images / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
