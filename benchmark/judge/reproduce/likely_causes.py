"""What a difference between two records may mean, the most suspicious first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Suspect:
    """A kind of difference.

    Attributes:
        prefix: The fields it is about, by the start of their dotted name.
        group: What it belongs to.
        why: Why it matters.
    """

    prefix: str
    group: str
    why: str


_COMPARABLE: Final = "another task: the values cannot be compared"
_METHOD: Final = "another method: this is what is being compared"
_TRAINING: Final = "trained otherwise"
_WEIGHTS: Final = "starts from other weights"

# In order of suspicion; the first prefix that fits counts.
SUSPECTS: Final = (
    Suspect("cell.data.protocol", "settings", _COMPARABLE),
    Suspect("cell.data.subset", "settings", _COMPARABLE),
    Suspect("cell.data", "settings", "other images or another input"),
    Suspect("cell.weights", "settings", _WEIGHTS),
    Suspect("cell.backbone", "settings", _METHOD),
    Suspect("cell.head", "settings", _METHOD),
    Suspect("cell.loss", "settings", _METHOD),
    Suspect("cell.method", "settings", _METHOD),
    Suspect("cell.bits", "settings", "another code length"),
    Suspect("cell.train", "settings", _TRAINING),
    Suspect("cell.precision", "settings", "other arithmetic: other last digits at every step"),
    Suspect("cell.determinism", "settings", "fast runs differ from one another"),
    Suspect("cell.seed", "settings", "other random numbers: only the scatter over seeds"),
    Suspect("cell", "settings", _TRAINING),
    Suspect("weights_sha256", "data", _WEIGHTS),
    Suspect("data.checksums", "data", "other pixels, labels or lists behind the same names"),
    Suspect("data", "data", "other data behind the same names"),
    Suspect("sources", "code", "the code that made the codes changed"),
    Suspect("evaluation.sources", "code", "the code that computed the metrics changed"),
    Suspect("environment.dirty_sha256", "code", "changes that no commit holds"),
    Suspect("environment.commit", "code", "another commit"),
    Suspect("environment.hashbench", "code", "another release"),
    Suspect("environment.libraries.torch", "versions", "its sums come in another order"),
    Suspect("environment.libraries", "versions", "may round otherwise"),
    Suspect("environment.python", "versions", "rarely matters"),
    Suspect("environment.device", "device", "another device class rounds otherwise"),
    Suspect("environment.threads", "device", "sums come in another order"),
    Suspect("environment.cpu", "device", "may choose other kernels"),
    Suspect("environment.platform", "device", "other system libraries"),
    Suspect("status", "results", "one of them did not end well"),
    Suspect("error", "results", "one of them did not end well"),
    Suspect("metrics", "results", "the effect"),
    Suspect("artifacts.codes.sha256", "results", "the codes differ; equal here means bit-equal"),
    Suspect("history", "results", "where training parted"),
    Suspect("codes", "results", "the codes are spread otherwise"),
    Suspect("resumed_from", "cost", "one went on from a checkpoint"),
    Suspect("budget", "cost", "other work or memory"),
    Suspect("latency", "cost", "times of a machine"),
    Suspect("phases", "cost", "times of a machine"),
    Suspect("energy", "cost", "the machine drew other power"),
    Suspect("environment.load_average", "cost", "the machine was busier: times suffer"),
    Suspect("evaluation.environment", "bookkeeping", "where the metrics were computed"),
    Suspect("", "bookkeeping", "follows from the rest"),
)


def rank(field: str) -> tuple[int, Suspect]:
    """How suspicious a difference in a field is: its place, 0 the most, and what it may mean.

    Args:
        field: Dotted name.
    """
    for place, suspect in enumerate(SUSPECTS):
        if field == suspect.prefix or not suspect.prefix:
            return place, suspect
        if field.startswith(suspect.prefix) and field[len(suspect.prefix)] in "._":
            return place, suspect
    raise AssertionError("the last one fits every field")  # pragma: no cover
