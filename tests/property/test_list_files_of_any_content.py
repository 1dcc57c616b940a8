"""Whatever an image list holds, it is read or refused in a line that names it.

HASHBENCH_FUZZ_CASES sets how many files each test tries.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hashbench.core.errors import DataError
from hashbench.datasets.reading.list_file import read_list

CASES = int(os.environ.get("HASHBENCH_FUZZ_CASES", "100"))
FUZZ = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FRAGMENTS = [
    *(
        "a.jpg",
        "deep/b c.png",
        "../x",
        "/etc/passwd",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "0",
        "1",
    ),
    *("2", "-1", "65535", "65536", "9" * 5000, "1.0", "1e5", "+1", "٣", "²", "\ufeff", "\u2028"),
    *("\x85", "\x0b", "\x00", "\x1c", "🦊", "é", "#", ",", '"', "-", "--", "x" * 3000, "0 1 0\n"),
]


def read(content: bytes, folder: Path) -> None:
    file = folder / "list.txt"
    file.write_bytes(content)
    try:
        found = read_list(file)
    except DataError as error:
        assert str(error).startswith(f"{file}:")
        assert len(str(error).splitlines()) == 1, str(error)
    else:
        assert len(found.names) == len(set(found.names)) == len(found.labels) > 0
        assert set(np.unique(found.labels)) <= {0, 1}
    assert list(folder.iterdir()) == [file]


@FUZZ
@given(content=st.binary(max_size=60))
@example(content=b"")
@example(content=b"a.jpg 1\n\xff 1\n")
@example(content=b"\xff\xfea\0 \x001\0")
def test_bytes_of_any_kind_are_a_list_or_refused(content: bytes, tmp_path: Path) -> None:
    read(content, tmp_path)


@FUZZ
@given(pieces=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=20))
@example(pieces=["a.jpg 0 1\n", "b.jpg 0\n"])
@example(pieces=["a.jpg 3\n", "a.jpg 4\n"])
@example(pieces=["a\u2028b.jpg\n"])
@example(pieces=["a\u2028b.jpg 1\n", "a\u2028b.jpg 1\n"])
def test_pieces_of_lists_in_any_order_are_a_list_or_refused(
    pieces: list[str], tmp_path: Path
) -> None:
    read("".join(pieces).encode(), tmp_path)
