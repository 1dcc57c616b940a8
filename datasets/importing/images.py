"""Importing images: decode once, look at what is there, split, and keep it whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.canonical import digest_array
from hashbench.core.errors import ConfigError, DataError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX, write_atomically
from hashbench.datasets.importing.image_source import ImageSource
from hashbench.datasets.importing.labelled_files import LabelledFiles
from hashbench.datasets.importing.plan import ImportPlan
from hashbench.datasets.importing.report import (
    ImportReport,
    equal_images,
    label_pairs,
    shared_content,
)
from hashbench.datasets.importing.split import (
    ProtocolText,
    draw_split,
    listed_split,
    write_protocol,
)
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.checks import check_split
from hashbench.datasets.protocols.protocol import protocol_names, read_protocol
from hashbench.datasets.reading.decode_cache import (
    DecodedImages,
    Progress,
    decode_images,
    locked,
)
from hashbench.datasets.roots import DESCRIPTION, IMPORTED
from hashbench.datasets.sources.imported import (
    LABELS,
    NAMES,
    PIXELS,
    PROTOCOLS,
    REPORT,
    Description,
    read_description,
)

_UNPACKED = "unpacked"
Phase = Callable[[str], Progress]


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported dataset.

    Attributes:
        folder: Where it is.
        report: Lines that say what was found.
        new: False if it was there already.
    """

    folder: Path
    report: tuple[str, ...]
    new: bool


def import_images(plan: ImportPlan, root: Path, *, phase: Phase) -> Imported:
    """Import images as ``imported/NAME`` with the protocol ``NAME@1``.

    Everything is built in a folder with a temporary name and gets its name when it is whole. After
    a kill the same call goes on with what is decoded; when all is there already, it does nothing.

    Args:
        plan: What to import, and how.
        root: The data root; the folder ``imported/NAME`` is made below it.
        phase: Called with what begins; returns what is told of its progress.

    Returns:
        Where it is, and what was found.

    Raises:
        ConfigError: If the name is taken by another dataset or protocol.
        DataError: If images or labels cannot be used; nothing is left behind but decoded images.
        StoreError: If the data root cannot be written to.
    """
    source = plan.open_source()
    labelled = plan.read_labels(source.names)
    if labelled.roles is not None:
        listed_split(labelled.roles, labelled.names)  # refuse lists before the work, not after
    origin = plan.origin(source, labelled)
    folder = root / IMPORTED / plan.name
    if folder.exists():
        return _there_already(folder, origin)
    if f"{plan.name}@1" in protocol_names():
        raise ConfigError(f"name '{plan.name}': there is a protocol {plan.name}@1; take another")
    work = folder.with_name(f"{TEMPORARY_PREFIX}{plan.name}")
    try:
        work.mkdir(parents=True, exist_ok=True)
        with locked(work):
            if folder.exists():  # by another process, while this one waited
                return _there_already(folder, origin)
            report = _build(work, plan, source, labelled=labelled, origin=origin, phase=phase)
            work.replace(folder)
    except OSError as error:
        raise StoreError(
            f"cannot write {error.filename or work}: {error.strerror or error}; make room or name "
            f"another data root, then run again: what was decoded is kept"
        ) from error
    return Imported(folder, tuple(report.lines()), new=True)


def _there_already(folder: Path, origin: str) -> Imported:
    if read_description(folder).origin != origin:
        raise ConfigError(
            f"{folder}: an import of other images, labels or settings has this name; give --name "
            f"another, or remove that folder"
        )
    report = json.loads((folder / REPORT).read_bytes())
    return Imported(folder, tuple(report["summary"]), new=False)


def _build(
    work: Path,
    plan: ImportPlan,
    source: ImageSource,
    *,
    labelled: LabelledFiles,
    origin: str,
    phase: Phase,
) -> ImportReport:
    _check_room(work, len(labelled.names), side=plan.side)
    files = source.files(labelled.names, work / _UNPACKED, progress=phase("unpacking"))
    decoded = decode_images(files, side=plan.side, cache=work / PIXELS, progress=phase("decoding"))
    names = tuple(labelled.names[place] for place in decoded.kept)
    labels = np.ascontiguousarray(labelled.labels[decoded.kept])
    groups = equal_images(decoded)
    split = _split(plan, labelled, decoded, labels=labels, names=names, groups=groups)
    report = ImportReport(
        files=len(labelled.names),
        images=len(names),
        other_files=source.others,
        unlisted=labelled.unlisted,
        missing=labelled.missing,
        unreadable=decoded.unreadable,
        duplicates=tuple(tuple(names[place] for place in group) for group in groups),
        label_counts=dict(zip(labelled.classes, labels.sum(axis=0).tolist(), strict=True)),
        unlabelled=int((~labels.any(axis=1)).sum()),
        co_occurrence=label_pairs(labels, labelled.classes),
        sizes={role: len(getattr(split, role)) for role in ("train", "query", "database")},
        overlaps=shared_content(split, groups, names),
    )
    _write(work, plan, decoded, labels=labels, names=names, split=split)
    facts = {"summary": report.lines(), **report.plain()}
    write_atomically(work / REPORT, json.dumps(facts, indent=1).encode())
    description = Description(
        name=plan.name,
        classes=labelled.classes,
        several_labels=bool((labels.sum(axis=1) != 1).any()),
        images=len(names),
        pixels=decoded.path.name,
        origin=origin,
        warnings=_warnings(labelled, decoded, lists=plan.lists),
        unreadable=len(decoded.unreadable),
    )
    _tidy(work, decoded)
    write_atomically(work / DESCRIPTION, description.model_dump_json(indent=1).encode())
    return report


def _split(
    plan: ImportPlan,
    labelled: LabelledFiles,
    decoded: DecodedImages,
    *,
    labels: NDArray[np.uint8],
    names: tuple[str, ...],
    groups: list[list[int]],
) -> Split:
    if not plan.lists or labelled.roles is None:
        copies = np.zeros(len(names), dtype=np.bool_)
        copies[[place for group in groups for place in group]] = True
        return draw_split(labels, copies, rule=plan.auto)
    # From positions among the files to positions among those that could be read.
    roles = {
        role: np.flatnonzero(np.isin(decoded.kept, positions)).astype(np.int64)
        for role, positions in labelled.roles.items()
    }
    return listed_split(roles, names)


def _warnings(labelled: LabelledFiles, decoded: DecodedImages, *, lists: bool) -> tuple[str, ...]:
    """What makes these lists others than those that were published."""
    if not lists:
        return ()
    bad, gone = len(decoded.unreadable), len(labelled.missing)
    return (
        *([f"{gone} images of the lists were not there and are left out"] if gone else []),
        *([f"{bad} images of the lists could not be read and are left out"] if bad else []),
    )


def _write(
    work: Path,
    plan: ImportPlan,
    decoded: DecodedImages,
    *,
    labels: NDArray[np.uint8],
    names: tuple[str, ...],
    split: Split,
) -> None:
    np.save(work / LABELS, labels)
    # A name may have a line break in it, and would then be two.
    lines = "".join(name.replace("\n", "\\n") + "\n" for name in names)
    write_atomically(work / NAMES, lines.encode("utf-8", "backslashreplace"))
    text = ProtocolText(
        name=plan.name,
        images=len(names),
        side=plan.side,
        classes=labels.shape[1],
        image_size=plan.image_size,
        pixels=decoded.sha256,
        labels=digest_array(labels),
        notes="From the lists imported." if plan.lists else _drawn(plan),
    )
    path = write_protocol(work / PROTOCOLS, text, split)
    spec = read_protocol(path)
    check_split(spec.sampling.split(labels), spec)


def _drawn(plan: ImportPlan) -> str:
    auto = plan.auto
    return (
        f"Drawn with seed {auto.seed}: of each class {auto.query_share:g} of its images for "
        f"queries (at most {auto.most_queries} in all), {auto.train_share:g} of the others for "
        f"training (at most {auto.most_train}); all but the queries are searched. Images with a "
        f"copy are no queries."
    )


def _tidy(work: Path, decoded: DecodedImages) -> None:
    """Remove what was unpacked, and what an earlier attempt with other images decoded."""
    shutil.rmtree(work / _UNPACKED, ignore_errors=True)
    for path in (work / PIXELS).iterdir():
        if path.stem != decoded.path.stem or path.suffix not in (".npy", ".json"):
            path.unlink()


def _check_room(work: Path, images: int, *, side: int) -> None:
    needed = images * side * side * 3
    there = sum(path.stat().st_size for path in work.glob(f"{PIXELS}/*.npy"))
    free = shutil.disk_usage(work).free
    if needed - there > free:
        raise DataError(
            f"{work.parent}: {images:,} images of {side} x {side} need {needed / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; make room, or take a smaller --side"
        )
