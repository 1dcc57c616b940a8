"""``query`` returns the nearest items, and ``encode`` writes files that can be read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import ConfigError, DataError
from hashbench.worker.encoded_files import EncodedFiles
from hashbench.worker.retrieval import nearest_of

CODES = Codes.from_outputs(np.array([[1, 1, 1], [1, -1, -1], [1, 1, -1], [1, 1, 1]]))
FLOATS = Embeddings(np.array([[1, 0], [0, 2], [-3, 0], [1, 1], [0, 0]], dtype=np.float32))


def test_codes_are_told_by_hamming_distance_then_position() -> None:
    distances, positions = nearest_of(Codes(CODES.packed[:1], 3), CODES, 3)
    assert (distances.tolist(), positions.tolist()) == ([[0, 0, 1]], [[0, 3, 2]])


def test_embeddings_are_told_by_one_minus_their_cosine() -> None:
    distances, positions = nearest_of(Embeddings(FLOATS.values[:1] * 5), FLOATS, 9)
    assert positions.tolist() == [[0, 3, 1, 4, 2]]
    assert distances[0] == pytest.approx([0, 1 - 0.5**0.5, 1, 1, 2])


def test_codes_and_embeddings_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="codes cannot be compared with embeddings"):
        nearest_of(CODES, FLOATS, 1)
    with pytest.raises(ConfigError, match="k: must be at least 1"):
        nearest_of(CODES, CODES, 0)


@pytest.mark.parametrize("encoded", [CODES, FLOATS])
def test_encoded_files_come_back(encoded: Codes | Embeddings, tmp_path: Path) -> None:
    paths = [f"földer/{i}.png" for i in range(len(encoded))]
    EncodedFiles(encoded, paths, "f" * 16, "r" * 16).write(tmp_path / "codes.npz")
    back = EncodedFiles.read(tmp_path / "codes.npz")
    assert (back.paths, back.fit_id, back.fit_record) == (paths, "f" * 16, "r" * 16)
    if isinstance(encoded, Codes):
        assert isinstance(back.encoded, Codes)
        assert back.encoded.bits == 3
        np.testing.assert_array_equal(back.encoded.packed, encoded.packed)
    else:
        assert isinstance(back.encoded, Embeddings)
        np.testing.assert_array_equal(back.encoded.values, encoded.values)


def test_the_file_can_be_read_with_numpy_alone(tmp_path: Path) -> None:
    EncodedFiles(CODES, list("abcd"), "f", "r").write(tmp_path / "codes.npz")
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
        bits = np.unpackbits(arrays["codes"], axis=1, count=int(arrays["bits"]))
        assert bits.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
        assert arrays["paths"].tolist() == list("abcd")


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; hashbench encode makes one"):
        EncodedFiles.read(tmp_path / "gone.npz")
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.save(tmp_path / "one.npy", np.arange(3))
    for name in ("text.npz", "other.npz", "one.npy"):
        with pytest.raises(DataError, match="not a file that hashbench encode wrote"):
            EncodedFiles.read(tmp_path / name)
    EncodedFiles(CODES, ["a"], "f", "r").write(tmp_path / "short.npz")
    with pytest.raises(DataError, match="1 paths for 4 codes; encode again"):
        EncodedFiles.read(tmp_path / "short.npz")
