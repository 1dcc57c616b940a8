"""Import images: decode them once, examine them, split them, and keep all or nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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

Phase = Callable[[str], Progress]


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported dataset.

    Attributes:
        folder: Its folder.
        report: Lines that summarise it.
        new: False if it had been imported before.
    """

    folder: Path
    report: tuple[str, ...]
    new: bool


def import_images(plan: ImportPlan, root: Path, *, phase: Phase) -> Imported:
    """Import images as ``imported/NAME`` with the protocol ``NAME@1``.

    Everything is written into a folder with a temporary name, which gets its final name when it is
    complete. A call after one that was killed uses the images decoded so far; a call for what was
    imported before does nothing.

    Args:
        plan: Source, labels and settings.
        root: The data root; the folder ``imported/NAME`` is made below it.
        phase: Called with the name of each phase as it begins; returns a callback that is given the
            items done and their total.

    Raises:
        ConfigError: If the name is taken by another dataset or protocol.
        DataError: If images or labels cannot be used; only decoded images are left behind.
        StoreError: If the data root cannot be written to.
    """
    source = plan.open_source()
    labelled = plan.read_labels(source.names)
    if labelled.roles is not None:
        listed_split(labelled.roles, labelled.names)  # refused before decoding, not after
    else:
        draw_split(labelled.labels, np.zeros(len(labelled.names), np.bool_), rule=plan.auto)
    origin = plan.origin(source, labelled)
    folder = root / IMPORTED / plan.name
    if folder.exists():
        return _imported_before(folder, origin)
    if f"{plan.name}@1" in protocol_names():
        raise ConfigError(f"name '{plan.name}': a protocol {plan.name}@1 exists; choose another")
    work = folder.with_name(f"{TEMPORARY_PREFIX}{plan.name}")
    try:
        work.mkdir(parents=True, exist_ok=True)
        with locked(work):
            if folder.exists():  # another process imported it meanwhile
                return _imported_before(folder, origin)
            report = _build(work, plan, source, labelled=labelled, origin=origin, phase=phase)
            work.replace(folder)
    except OSError as error:
        raise StoreError(
            f"cannot write {error.filename or work}: {error.strerror or error}; make room or name "
            f"another data root, then run again: decoded images are kept"
        ) from error
    return Imported(folder, tuple(report.lines()), new=True)


def _imported_before(folder: Path, origin: str) -> Imported:
    if read_description(folder).origin != origin:
        raise ConfigError(
            f"{folder}: other images, labels or settings were imported under this name; give "
            f"another --name, or remove that folder"
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
    files = source.files(labelled.names)
    decoded = decode_images(files, side=plan.side, cache=work / PIXELS, progress=phase("decoding"))
    readable = labelled.keep(decoded.kept)
    labels, names = readable.labels, readable.names
    groups = equal_images(decoded)
    split = _split(plan, readable, groups)
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
        notes=labelled.notes,
        overlaps=shared_content(split, groups, names),
    )
    _write(work, plan, readable, split=split, pixels=decoded.sha256)
    facts = {"summary": report.lines(), **report.plain()}
    write_atomically(work / REPORT, json.dumps(facts, indent=1).encode())
    description = Description(
        name=plan.name,
        classes=labelled.classes,
        several_labels=bool((labels.sum(axis=1) != 1).any()),
        images=len(names),
        pixels=decoded.path.name,
        origin=origin,
        warnings=_warnings(report) if plan.lists else (),
        unreadable=len(decoded.unreadable),
    )
    _tidy(work, decoded)
    write_atomically(work / DESCRIPTION, description.model_dump_json(indent=1).encode())
    return report


def _split(plan: ImportPlan, readable: LabelledFiles, groups: list[list[int]]) -> Split:
    if plan.lists and readable.roles is not None:
        return listed_split(readable.roles, readable.names)
    copies = np.zeros(len(readable.names), dtype=np.bool_)
    copies[[place for group in groups for place in group]] = True
    return draw_split(readable.labels, copies, rule=plan.auto)


def _warnings(report: ImportReport) -> tuple[str, ...]:
    """Return warnings that the lists are not complete, as their publisher had them."""
    bad, gone = len(report.unreadable), len(report.missing)
    return (
        *([f"{gone} images of the lists were missing and are left out"] if gone else []),
        *([f"{bad} images of the lists could not be read and are left out"] if bad else []),
    )


def _write(
    work: Path, plan: ImportPlan, readable: LabelledFiles, *, split: Split, pixels: str
) -> None:
    """Write labels, names and the protocol, and check the protocol as written."""
    labels, names = readable.labels, readable.names
    np.save(work / LABELS, labels)
    # A name may contain a line break, which would make it two.
    lines = "".join(name.replace("\n", "\\n") + "\n" for name in names)
    write_atomically(work / NAMES, lines.encode("utf-8", "backslashreplace"))
    text = ProtocolText(
        name=plan.name,
        images=len(names),
        side=plan.side,
        classes=labels.shape[1],
        image_size=plan.image_size,
        pixels=pixels,
        labels=digest_array(labels),
        notes="From the lists imported." if plan.lists else plan.auto.note(),
    )
    spec = read_protocol(write_protocol(work / PROTOCOLS, text, split))
    check_split(spec.sampling.split(labels), spec)


def _tidy(work: Path, decoded: DecodedImages) -> None:
    """Remove images that an earlier attempt with other files decoded."""
    for path in (work / PIXELS).iterdir():
        if path.stem != decoded.path.stem or path.suffix not in (".npy", ".json"):
            path.unlink()


def _check_room(work: Path, images: int, *, side: int) -> None:
    needed = images * side * side * 3
    written = sum(path.stat().st_size for path in work.glob(f"{PIXELS}/*.npy"))
    free = shutil.disk_usage(work).free
    if needed - written > free:
        raise DataError(
            f"{work.parent}: {images:,} images of {side} x {side} need {needed / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; make room, or choose a smaller --side"
        )
