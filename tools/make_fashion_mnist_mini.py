"""Makes the embedded part of Fashion-MNIST from the original IDX files.

``python tools/make_fashion_mnist_mini.py [IDX_FOLDER] [--out DIR] [--check]``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError, HashbenchError
from hashbench.datasets.interface import ImageData
from hashbench.datasets.protocols.checks import identical_queries
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.datasets.protocols.sampling import ROLES, PerClass
from hashbench.datasets.reading.index_list import read_index_list, write_index_list
from hashbench.datasets.roots import data_root
from hashbench.datasets.sources.embedded_images import EmbeddedImages, read_embedded, write_embedded
from hashbench.datasets.sources.fashion_mnist import SIDE, find_folder, read_fashion_mnist

SET = "fashion_mnist_mini"
PROTOCOL = "fashion-mnist-mini@1"
PACKAGE = Path(__file__).parents[1] / "datasets"


@dataclass(frozen=True, slots=True, eq=False)
class Mini:
    """What is embedded: the images, and each role's positions among them."""

    content: EmbeddedImages
    lists: Mapping[str, NDArray[np.int64]]


def draw_mini(data: ImageData, rule: PerClass) -> Mini:
    """Draw the embedded part.

    Args:
        data: The whole dataset.
        rule: Which images become queries, training images and database.

    Returns:
        The images in the order of the whole dataset, and the lists of positions among them.

    Raises:
        DataError: If a query has a pixel-identical image among the others.
    """
    split = rule.split(data.labels)
    for warning in identical_queries(data, split):
        raise DataError(f"{SET}: {warning}; draw with another seed")
    sources = np.unique(np.concatenate([split.query, split.train, split.database]))
    numbers = data.labels[sources].argmax(axis=1)
    content = EmbeddedImages(data.images[sources], numbers.astype(np.int64), sources)
    lists = {role: np.searchsorted(sources, getattr(split, role)) for role in ROLES}
    return Mini(content, lists)


def write_mini(mini: Mini, out: Path) -> None:
    """Write ``embedded/`` and the index lists in ``protocols/`` below a folder."""
    for folder in ("embedded", "protocols"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_embedded(out / "embedded", SET, mini.content)
    for role, positions in mini.lists.items():
        comment = f"{PROTOCOL}: positions of the {role} images in {SET}"
        write_index_list(_list_path(out, role), positions, comment=comment)


def read_mini(folder: Path) -> Mini:
    """Read what `write_mini` wrote below a folder."""
    content = read_embedded(folder / "embedded", SET, size=(SIDE, SIDE))
    return Mini(content, {role: read_index_list(_list_path(folder, role)) for role in ROLES})


def differences(expected: Mini, found: Mini) -> list[str]:
    """Name the parts in which two minis differ.

    Args:
        expected: One of them.
        found: The other.

    Returns:
        Some of ``images``, ``numbers``, ``sources``, ``query``, ``train``, ``database``.
    """
    parts = {
        name: (getattr(expected.content, name), getattr(found.content, name))
        for name in ("images", "numbers", "sources")
    }
    parts |= {role: (expected.lists[role], found.lists[role]) for role in ROLES}
    return [name for name, (one, other) in parts.items() if not np.array_equal(one, other)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: The command line; None takes the process's own.

    Returns:
        0, or 1 if ``--check`` found a difference, or 2 for unusable files.
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options.idx_folder, out=options.out, check=options.check)
    except HashbenchError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)


def _run(idx_folder: Path | None, *, out: Path, check: bool) -> int:
    origin = load_protocol(PROTOCOL).origin
    if origin is None:
        raise DataError(f"protocol {PROTOCOL}: expected an [origin] table, found none")
    folder = idx_folder or find_folder(data_root(None))
    mini = draw_mini(read_fashion_mnist(folder, train=None, test=None), origin.sampling)
    if not check:
        write_mini(mini, out)
        print(f"wrote {len(mini.content.images)} images of {folder} to {out}")
        return 0
    differing = differences(mini, read_mini(out))
    print(
        f"{out}: differs from {folder} in {', '.join(differing)}"
        if differing
        else f"{out}: the same images, labels, sources and lists as drawn from {folder}"
    )
    return 1 if differing else 0


def _list_path(folder: Path, role: str) -> Path:
    return folder / "protocols" / f"{PROTOCOL}.{role}.txt"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tools/make_fashion_mnist_mini.py",
        description="Make the embedded part of Fashion-MNIST from the original IDX files.",
    )
    parser.add_argument(
        "idx_folder",
        nargs="?",
        type=Path,
        metavar="IDX_FOLDER",
        help="where the IDX files are (default: as the dataset fashion_mnist finds them)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=PACKAGE,
        metavar="DIR",
        help="folder of embedded/ and protocols/ (default: the package's own)",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare with what is in DIR"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
