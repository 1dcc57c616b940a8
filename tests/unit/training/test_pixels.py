"""Images give the same bytes however they are held, and a file is never read as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.cell import DataChoice
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.training import images as images_module
from hashbench.training.determinism import generator
from hashbench.training.images import DeviceImages
from hashbench.training.pixels import MappedPixels, Pixels, ResidentPixels, cut, fits, hold
from hashbench.training.prefetch import Prefetcher

CPU = torch.device("cpu")
COUNT, SIDE = 23, 16
POSITIONS = np.array([5, 0, 22, 7, 7, 11, 3, 19, 1, 2])
ORDER = torch.tensor([3, 9, 0, 1, 6, 2])


@pytest.fixture
def mapped(tmp_path: Path) -> NDArray[np.uint8]:
    """Return colour images mapped from a file, to be read only."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8))
    return np.load(tmp_path / "images.npy", mmap_mode="r")


def ways(images: NDArray[np.uint8]) -> list[Pixels]:
    return [
        ResidentPixels(images, POSITIONS, device=CPU),
        MappedPixels(images, POSITIONS, device=CPU, ahead=0),
        MappedPixels(images, POSITIONS, device=CPU, ahead=2),
    ]


def test_taken_images_are_those_at_the_positions(mapped: NDArray[np.uint8]) -> None:
    for pixels in ways(mapped):
        assert pixels.shape == (len(POSITIONS), SIDE, SIDE, 3)
        np.testing.assert_array_equal(pixels.take(ORDER).numpy(), mapped[POSITIONS[ORDER.numpy()]])


def test_windows_are_slices_of_each_image(mapped: NDArray[np.uint8]) -> None:
    tops, lefts = torch.tensor([0, 4, 2, 1, 4, 0]), torch.tensor([4, 0, 2, 3, 4, 0])
    expected = [
        mapped[POSITIONS[index], top : top + 12, left : left + 12]
        for index, top, left in zip(ORDER, tops, lefts, strict=True)
    ]

    for pixels in ways(mapped):
        found = pixels.windows(ORDER, tops, lefts, size=12)
        np.testing.assert_array_equal(found.numpy(), np.stack(expected))


def test_a_window_as_large_as_the_image_is_the_image() -> None:
    images = torch.arange(2 * 4 * 4 * 3, dtype=torch.uint8).reshape(2, 4, 4, 3)
    nothing = torch.zeros(2, dtype=torch.int64)

    assert torch.equal(cut(images, torch.tensor([1, 0]), nothing, nothing, size=4), images.flip(0))


def test_on_a_cpu_images_stay_in_their_file(mapped: NDArray[np.uint8]) -> None:
    pixels = hold(mapped, POSITIONS, device=CPU)

    assert isinstance(pixels, MappedPixels)
    assert np.shares_memory(pixels._images, mapped)


def test_a_stream_over_a_file_reads_only_what_its_batches_need(
    mapped: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    take = MappedPixels.take

    def counting(self: MappedPixels, indices: torch.Tensor) -> torch.Tensor:
        read.append(len(indices))
        return take(self, indices)

    monkeypatch.setattr(MappedPixels, "take", counting)
    stream = _stream(mapped)
    assert read == []

    stream.batch(torch.arange(3))
    assert read == [3]


@pytest.mark.parametrize("rule", ["none", "crop_flip", "resized_crop_jitter", "noise", "cibhash"])
@pytest.mark.parametrize("size", [8, 14, 16, 20])
def test_batches_are_equal_to_the_bit_however_images_are_held(
    mapped: NDArray[np.uint8], rule: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    for pixels in ways(mapped):
        monkeypatch.setattr(images_module, "hold", lambda *_, held=pixels, **__: held)
        stream = _stream(mapped, rule=rule, size=size)
        stream.prefetch([ORDER], [ORDER])
        batches.append((stream.batch(ORDER), stream.batch(ORDER, generator(1))))

    for plain, augmented in batches[1:]:
        assert torch.equal(plain, batches[0][0])
        assert torch.equal(augmented, batches[0][1])


def _stream(
    images: NDArray[np.uint8], *, rule: str = "none", size: int = SIDE, channels_last: bool = False
) -> DeviceImages:
    return DeviceImages(
        images,
        positions=POSITIONS,
        choice=DataChoice("x", 1, "x@1", "0" * 64, image_size=size, normalisation="imagenet"),
        protocol=load_protocol("digits@1"),
        augmentation=rule,
        device=CPU,
        channels_last=channels_last,
    )


def test_blocks_fetched_ahead_are_all_images_in_order(mapped: NDArray[np.uint8]) -> None:
    pixels = MappedPixels(mapped, POSITIONS, device=CPU, ahead=1)
    batches = list(torch.split(torch.arange(len(POSITIONS)), 4))
    pixels.prefetch(batches, batches)

    found = torch.cat([pixels.take(batch) for batch in batches])

    np.testing.assert_array_equal(found.numpy(), mapped[POSITIONS])


def _prefetch(images: NDArray[np.uint8], batches: list[torch.Tensor]) -> Prefetcher:
    rows = [batch.numpy() for batch in batches]
    return Prefetcher(images, batches, rows, device=CPU, ahead=2)


def test_the_same_batch_again_is_not_fetched_again(mapped: NDArray[np.uint8]) -> None:
    batches = [torch.tensor([1, 2]), torch.tensor([3])]
    coming = _prefetch(mapped, batches)

    first, again = coming.take(batches[0]), coming.take(batches[0])
    second = coming.take(batches[1])

    assert first is again
    assert second is not None and np.array_equal(second.numpy(), mapped[[3]])


def test_a_batch_that_is_not_the_next_is_not_given(mapped: NDArray[np.uint8]) -> None:
    batches = [torch.tensor([1, 2]), torch.tensor([3])]
    coming = _prefetch(mapped, batches)

    assert coming.take(torch.tensor([1, 2])) is None  # equal numbers, another tensor
    assert coming.take(batches[1]) is None  # not its turn
    assert coming.take(batches[0]) is not None
    coming.stop()


def test_buffers_used_again_do_not_change_what_was_given(mapped: NDArray[np.uint8]) -> None:
    batches = [torch.tensor([number]) for number in range(COUNT)]
    coming = _prefetch(mapped, batches)

    found = [coming.take(batch) for batch in batches]

    for number, images in enumerate(found):
        assert images is not None and np.array_equal(images.numpy()[0], mapped[number])


def test_a_thread_that_cannot_read_tells_the_one_who_waits() -> None:
    class Unreadable(np.ndarray):
        def take(self, *_: object, **__: object) -> NDArray[np.uint8]:
            raise OSError("the disk is gone")

    images = np.zeros((2, 4, 4, 3), np.uint8).view(Unreadable)
    batches = [torch.tensor([0])]

    with pytest.raises(OSError, match="the disk is gone"):
        _prefetch(images, batches).take(batches[0])


def test_stopping_ends_a_thread_that_has_more_to_give(mapped: NDArray[np.uint8]) -> None:
    coming = _prefetch(mapped, [torch.tensor([number]) for number in range(COUNT)])

    coming.stop()

    assert not any(thread.is_alive() for thread in coming._thread._threads)


@pytest.mark.parametrize(
    ("wanted", "free", "fitting"),
    [(60, 100, True), (61, 100, False), (1, 40, False), (9, 50, True)],
)
def test_images_are_uploaded_if_two_fifths_of_the_card_stay_free(
    wanted: int, free: int, fitting: bool
) -> None:
    assert fits(wanted, free=free, total=100) is fitting
