"""Writing the manifest of existing files of packed codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hashbench.core.codes import MAX_BITS
from hashbench.core.errors import DataError, StoreError
from hashbench.evaluation.sharded.arrays import (
    CODES,
    LABELS,
    NPY,
    SAFETENSORS,
    ArrayFile,
    check_codes_form,
    check_labels_form,
)
from hashbench.evaluation.sharded.manifest import NAME, FileEntry, Manifest, ShardEntry

Progress = Callable[[int, int], None]


def adopt(
    root: Path,
    *,
    bits: int,
    classes: int | None = None,
    order_seed: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write the manifest of a folder; each file is read once, for its checksum.

    Shards are the files ``codes*.npy``, with labels in ``labels*.npy`` of the same ending, and the
    files ``*.safetensors`` with the tensors ``codes`` and ``labels``, in the order of their names.

    Args:
        root: The folder.
        bits: Code length.
        classes: Number of classes; None where there are no labels.
        order_seed: The seed of the order that the items stand in, if they do; see `Manifest`.
        progress: Called with files read and in all.

    Raises:
        DataError: If there is no such file, or one is not what it should be.
        StoreError: If there is a manifest already, or it cannot be written.
    """
    if not 1 <= bits <= MAX_BITS:
        raise DataError(f"codes: bits must be between 1 and {MAX_BITS}, got {bits}")
    if (root / NAME).exists():
        raise StoreError(f"{root / NAME}: already exists; remove it to write it anew")
    found = _shard_files(root, labelled=classes is not None)
    if not found:
        raise DataError(f"{root}: has neither {CODES}*{NPY} nor *{SAFETENSORS}")
    sizes = [_items(*files, bits=bits, classes=classes) for files in found]
    shards = []
    for done, ((codes, labels), items) in enumerate(zip(found, sizes, strict=True), 1):
        entry = _entry(codes.path)
        same = labels is not None and labels.path == codes.path
        beside = None if labels is None else entry if same else _entry(labels.path)
        shards.append(ShardEntry(items=items, codes=entry, labels=beside))
        if progress:
            progress(done, len(found))
    manifest = Manifest(bits=bits, classes=classes, order_seed=order_seed, shards=shards)
    manifest.write(root)
    return manifest


def _shard_files(root: Path, *, labelled: bool) -> list[tuple[ArrayFile, ArrayFile | None]]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    paths = [*root.glob(f"{CODES}*{NPY}"), *root.glob(f"*{SAFETENSORS}")]
    found = []
    for path in sorted(path for path in paths if not path.name.startswith(".")):
        beside = path
        if path.suffix == NPY:
            beside = path.with_name(LABELS + path.name.removeprefix(CODES))
        labels = ArrayFile(beside, LABELS) if labelled else None
        if labels and not labels.path.exists():
            raise DataError(f"{path}: its labels are missing; they belong in {labels.path.name}")
        found.append((ArrayFile(path, CODES), labels))
    return found


def _items(codes: ArrayFile, labels: ArrayFile | None, *, bits: int, classes: int | None) -> int:
    """Check the arrays of a shard, and count its items."""
    with codes.errors_named():
        dtype, shape = codes.header()
        if not shape or not shape[0]:
            raise DataError("has no codes; leave it out")
        check_codes_form(dtype, shape, items=shape[0], bits=bits)
    if labels is not None and classes is not None:
        with labels.errors_named():
            check_labels_form(*labels.header(), items=shape[0], classes=classes)
    return shape[0]


def _entry(path: Path) -> FileEntry:
    try:
        return FileEntry.of(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
