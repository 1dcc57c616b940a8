"""How soon UD2H reaches a validation quality: asymmetric against symmetric.

``python tools/ud2h_speed.py matrices/digits-ud2h-speed.yaml [QUALITY ...]`` trains each of a
matrix's cells twice. Once with validation after every epoch, which says when a quality is first
reached, and once without, which says how long that takes: what is computed is the same both times,
and nothing of the validation is in the time. Cells that differ in ``asymmetric`` alone take turns,
so that a busy machine is busy for both, and are set against each other.

Time is that of this process's processor on one thread, from the pre-pass on. mAP by label on the
held-out images is the quality; a row whose seeds do not all reach it has no time.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell, Component
from hashbench.core.codes import Codes
from hashbench.core.errors import ConfigError, ExitCode, HashbenchError
from hashbench.core.registry import registry
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.subset import hold_out
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.methods.interface import EpochEvent, TrainContext, TrainView
from hashbench.training.determinism import configure
from hashbench.training.images import DeviceImages
from hashbench.worker.building import build_method

QUALITIES = (0.65, 0.7, 0.75, 0.8)
METRIC = parse_metric("map@all")
FORMS = {True: "asymmetric", False: "symmetric"}
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went.

    Attributes:
        quality: Validation mAP after each epoch.
        seconds: Processor seconds up to the end of each epoch.
    """

    quality: Sequence[float]
    seconds: Sequence[float]

    def reaches(self, quality: float) -> tuple[int, float] | None:
        """Epochs and seconds until the quality is first reached; None if it never is."""
        return next(
            (
                (epoch, seconds)
                for epoch, (found, seconds) in enumerate(
                    zip(self.quality, self.seconds, strict=True), 1
                )
                if found >= quality
            ),
            None,
        )


def measure(cell: Cell) -> Course:
    """Train a cell twice and join what was seen.

    Args:
        cell: A deep cell with a validation part, of single-label data.

    Raises:
        ConfigError: If nothing is held out of its training set.
        DataError: If the data are not what the protocol says.
    """
    if cell.train is None or cell.train.validation is None:
        raise ConfigError("train: nothing is held out. Write validation: {fraction: 0.1}")
    loaded = load_data(cell.data.name, cell.data.protocol, subset=cell.data.subset)
    labels = loaded.data.labels[loaded.split.train]
    held_out = cell.train.validation
    kept, held = hold_out(labels, held_out.fraction, seed=held_out.seed)
    view = TrainView(
        _images(cell, loaded, kept), torch.from_numpy(labels[kept]).float(), multilabel=False
    )

    def validate(queries: Codes, database: Codes) -> Mapping[str, float]:
        found = evaluate(queries, database, labels[held], labels[kept], [METRIC], order_seed=0)
        return {"quality": found[METRIC.name].value}

    seen = TrainContext(
        cell, _CPU, validation=_images(cell, loaded, held), validate=validate, validate_every=1
    )
    method, _ = build_method(cell, registry(), seen)
    quality = [float(entry["quality"]) for entry in method.fit(view, seen).history]
    return Course(quality, _seconds(view, replace(seen, validate_every=0)))


def _images(cell: Cell, loaded: LoadedData, of_train: NDArray[np.int64]) -> DeviceImages:
    positions = loaded.split.train[of_train]
    return DeviceImages(
        loaded.data.images,
        positions=positions,
        choice=cell.data,
        protocol=loaded.protocol,
        device=_CPU,
    )


def _seconds(view: TrainView, ctx: TrainContext) -> list[float]:
    """Processor seconds up to the end of each epoch."""
    ends: list[float] = []

    def note(event: EpochEvent) -> None:
        del event
        ends.append(time.process_time())

    method, _ = build_method(ctx.cell, registry(), ctx)
    began = time.process_time()
    method.fit(view, replace(ctx, on_epoch=note))
    return [end - began for end in ends]


def compare(forms: Mapping[bool, Sequence[Course]], quality: float) -> list[str]:
    """Two lines of the table: asymmetric, and symmetric with the ratio of its time to the other's.

    Args:
        forms: Courses of one or more seeds, by whether they are asymmetric.
        quality: The validation mAP to reach.
    """
    lines, times = [], {}
    for asymmetric, courses in sorted(forms.items(), reverse=True):
        found = [reached for course in courses if (reached := course.reaches(quality))]
        row = [f"{quality:g}", FORMS[asymmetric], f"{len(found)}/{len(courses)}", "", "", ""]
        if len(found) == len(courses):
            times[asymmetric] = mean(seconds for _, seconds in found)
            row[3:5] = f"{mean(epochs for epochs, _ in found):.1f}", f"{times[asymmetric]:.2f}"
        if not asymmetric and len(times) == len(FORMS):
            row[5] = f"{times[False] / times[True]:.2f}"
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _paired(cells: Iterable[Cell]) -> Iterable[list[Cell]]:
    """Cells that have all in common but the seed and ``asymmetric``; seed by seed, in turns."""
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        loss = _loss(cell)
        common = replace(loss, preset=None, params={**loss.params, "asymmetric": None})
        found[replace(cell, seed=0, loss=common).fit_id].append(cell)
    return [sorted(pair, key=lambda cell: cell.seed) for pair in found.values()]


def _loss(cell: Cell) -> Component:
    if cell.loss is None or cell.loss.name != "ud2h":
        raise ConfigError("methods: only the loss ud2h has the two forms. Leave out the others")
    return cell.loss


def report(file: Path, qualities: Sequence[float]) -> Iterable[str]:
    """The lines of the table, each pair's as soon as it is measured.

    Args:
        file: The matrix.
        qualities: Validation mAPs to reach.

    Raises:
        ConfigError: If the matrix is faulty or asks for something else than UD2H.
    """
    for pair in _paired(expand(load_matrix(file, registry()), registry()).cells):
        forms: dict[bool, list[Course]] = defaultdict(list)
        for cell in pair:
            configure(cell.determinism, threads=1)
            forms[_loss(cell).params["asymmetric"]].append(measure(cell))
        params = _loss(pair[0]).params
        best = ", ".join(
            f"{FORMS[form]} {mean(max(course.quality) for course in forms[form]):.3f}"
            for form in sorted(forms, reverse=True)
        )
        yield f"\nmode {params['mode']}, sample {params['sample']}; highest mAP: {best}"
        yield "| mAP | form | seeds | epochs | seconds | symmetric / asymmetric |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for quality in qualities:
            yield from compare(forms, quality)


def main(arguments: Sequence[str]) -> ExitCode:
    """Measure and print; the exit code."""
    try:
        file, qualities = Path(arguments[0]), [float(each) for each in arguments[1:]]
    except (IndexError, ValueError):
        print("usage: python tools/ud2h_speed.py MATRIX [QUALITY ...]", file=sys.stderr)
        return ExitCode.USAGE
    try:
        for line in report(file, qualities or QUALITIES):
            print(line, flush=True)
    except HashbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
