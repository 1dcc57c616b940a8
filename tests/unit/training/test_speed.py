"""The speed measurement compares like with like and computes what it prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import training_speed as speed
from field_loop import FieldLoop, Photos, decode_squares, write_photos
from PIL import Image
from training_speed import LOSSES, grid_lines, print_training, shortest
from training_speed_subjects import (
    FAST_FP32,
    FIELD,
    ResidentBatch,
    Turn,
    build_subject,
    image_stream,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return four JPEG files."""
    return write_photos(tmp_path_factory.mktemp("photos"), 4)


def test_photos_have_the_size_and_weight_that_the_field_decodes(photos: list[Path]) -> None:
    assert {Image.open(path).size for path in photos} == {(500, 375)}
    assert all(60_000 < path.stat().st_size < 120_000 for path in photos)


def test_both_loops_see_the_same_pictures(photos: list[Path], tmp_path: Path) -> None:
    squares = decode_squares(photos, tmp_path / "squares.npy")
    files = Photos(photos, 4, training=False)

    stream = image_stream(squares, FIELD, length=4, device=CPU)

    theirs = torch.stack([files[index][0] for index in range(4)])
    torch.testing.assert_close(stream.batch(torch.arange(4)), theirs, atol=2e-6, rtol=0)


def test_each_loop_trains_and_encodes_every_image_once(photos: list[Path], tmp_path: Path) -> None:
    squares = decode_squares(photos, tmp_path / "squares.npy")
    field, ours = (
        build_subject("resnet_mini", mode, length=6, batch_size=2, device=CPU)
        for mode in (FIELD, FAST_FP32)
    )
    published = FieldLoop(field, Photos(photos, 6, training=True), training=True)
    before = [tensor.clone() for tensor in field.network.parameters()]

    turns = [
        published.train(),
        published.encode(),
        ours.train(image_stream(squares, FAST_FP32, length=6, device=CPU)),
        ours.train(ResidentBatch(torch.zeros(2, 3, 224, 224), 6)),
    ]

    assert [turn.images for turn in turns] == [6, 6, 6, 6]
    assert all(0 <= turn.data_share < 1 for turn in turns)
    after = field.network.parameters()
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_fastest_of_turns_taken_in_turns_counts() -> None:
    order: list[str] = []
    seconds = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 6.0, 4.0])}

    def work(name: str) -> Turn:
        order.append(name)
        return Turn(10, next(seconds[name]), 0.0)

    found = shortest({name: lambda name=name: work(name) for name in "ab"}, 3)

    assert order == list("ababab")
    assert (found["a"].rate, found["b"].rate) == (10.0, 2.5)


def test_a_row_has_the_ratios_to_the_field_and_to_the_resident_batch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    turns = {"field": Turn(10, 10, 2), "fp32": Turn(10, 5, 0.5), "fp32 fed": Turn(10, 4, 0)}
    print_training("AlexNet fp32", turns, "fp32", wanted=1.35)
    assert capsys.readouterr().out == (
        "| AlexNet fp32 | 1.0 | 2.0 | 2.00 | 1.35 | 2.5 | 0.800 | 10.0% |\n"
    )


def test_the_grid_and_the_cell_are_extrapolated_by_their_rates() -> None:
    cell, grid = grid_lines(10.0, 50.0, 100.0, 2.0)
    # 150 x 5,000 / 10 + 10 x 55,000 / 50 = 86,000 s = 23.9 h
    assert "23.9 h, extrapolated" in cell
    # 60,000 / 100 = 600 s, and 4 lengths x 150 epochs x 2 s = 1,200 s: 0.5 h, 47.8 times less
    assert "0.50 h, extrapolated (0.17 h features, 0.33 h heads), 47.8 times less" in grid
    assert len(LOSSES) == len(set(LOSSES)) == 10


def test_the_heads_of_all_losses_train(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setattr(speed, "TRAINED", 128)
    try:
        assert speed.head_seconds(16) > 0
    finally:
        torch.set_num_threads(threads)


def test_a_wrong_option_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        speed.main(["--fast"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: --fast" in capsys.readouterr().err


def test_photos_are_the_same_at_every_call(photos: list[Path], tmp_path: Path) -> None:
    again = write_photos(tmp_path, 4)
    assert all(
        np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))
        for one, other in zip(photos, again, strict=True)
    )
