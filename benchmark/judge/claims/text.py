"""Print judgements of claims as Markdown, or prepare them for a page of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from hashbench.judge.claims.arms import Arm
from hashbench.judge.claims.judge import Check, Judged, Judgement, ratio
from hashbench.judge.claims.schema import ClaimSpec
from hashbench.reports.html.evidence import ClaimShown
from hashbench.reports.labels import method_labels

HEAD = (
    "better",
    "than",
    "on",
    "quantity",
    "advantage",
    "95 % interval",
    "n",
    "verdict",
    "records",
)
"""The columns of `check_rows`."""


def judgements_text(judgements: Sequence[Judgement]) -> str:
    """Every claim with its verdict and comparisons, then the number of each verdict."""
    return "\n\n".join([*map(_section, judgements), _total(judgements)])


def summary_text(judgements: Sequence[Judgement]) -> str:
    """A table of claims, verdicts and numbers of comparisons, then the number of each verdict."""
    rows = [
        [each.claim.name, f"{each.claim.says} ({each.claim.source})", str(each), len(each.checks)]
        for each in judgements
    ]
    head = ("claim", "what it says", "verdict", "comparisons")
    return f"{tabulate(rows, headers=head, tablefmt='github')}\n\n{_total(judgements)}"


def _total(judgements: Sequence[Judgement]) -> str:
    counts = Counter(judgement.verdict for judgement in judgements)
    total = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return f"Claims: {total}."


def _section(judgement: Judgement) -> str:
    claim = judgement.claim
    parts = [f"## {claim.name}: {judgement}", f"{claim.says} ({claim.source})"]
    parts.append(terms(claim))
    if judgement.checks:
        rows = check_rows(judgement)
        parts.append(tabulate(rows, headers=HEAD, tablefmt="github", disable_numparse=True))
    return "\n\n".join(parts)


def terms(claim: ClaimSpec) -> str:
    """The direction, margin and controls of a claim, in two sentences."""
    margin = f", margin {claim.margin:g}" if claim.margin else ""
    controls = ", ".join([*claim.controls.same, f"at least {claim.controls.seeds} seeds"])
    return f"Better is {claim.direction}{margin}. Controls: {controls}."


def check_rows(judgement: Judgement) -> list[list[str]]:
    """The comparisons behind a verdict, as text in the columns of `HEAD`."""
    pairs = [judged.check.pair for judged in judgement.checks]
    arms = list(dict.fromkeys(arm for pair in pairs for arm in (pair.better, pair.than)))
    labels = method_labels([arm.fit for arm in arms])
    return [_row(judged, labels) for judged in judgement.checks]


def _row(judged: Judged, labels: Mapping[str, str]) -> list[str]:
    check = judged.check
    pair = check.pair
    where = f"{pair.better.cell.data.label}, {_bits(check)}"
    return [
        _label(pair.better, pair.than, labels),
        _label(pair.than, pair.better, labels),
        where,
        check.quantity.name.partition("/")[0],
        *_figures(check),
        f"undecided (control broken: {', '.join(check.broken)})"
        if check.broken
        else judged.verdict.value,
        " ".join(check.records),
    ]


def _label(arm: Arm, other: Arm, labels: Mapping[str, str]) -> str:
    """The method's name, with the settings that distinguish it from the other methods."""
    name = arm.cell.method_label
    if name != other.cell.method_label:
        return labels[arm.fit.record_id]
    differing = [
        f"{key}={value}"
        for key, value in sorted(arm.settings.items())
        if other.settings.get(key) != value and not key.startswith("train.modified")
    ]
    return f"{name} ({', '.join(differing)})" if differing else name


def _bits(check: Check) -> str:
    one, other = check.pair.better.cell.bits_label, check.pair.than.cell.bits_label
    return f"{one} bits" if one == other else f"{one} against {other} bits"


def _figures(check: Check) -> list[str]:
    effect = check.effect
    if effect is None:
        return ["", "", _seeds(len(check.seeds))]
    if check.quantity.kind == "metric":
        n = f"{effect.seeds} x {effect.queries}"
        return [f"{effect.mean:+.4f}", f"[{effect.low:+.4f}, {effect.high:+.4f}]", n]
    times = [f"x {ratio(value):.2f}" for value in (effect.mean, effect.low, effect.high)]
    return [times[0], f"[{times[1]}, {times[2]}]", _seeds(effect.seeds)]


def _seeds(number: int) -> str:
    return f"{number} seed{'' if number == 1 else 's'}"


def shown_claims(judgements: Sequence[Judgement]) -> tuple[ClaimShown, ...]:
    """Prepare judgements for a page: the supported first, the undecided last."""
    order = ("supported", "refuted", "undecided")
    shown = [
        ClaimShown(
            each.claim.name,
            each.claim.says,
            each.claim.source,
            each.verdict.value,
            each.why,
            terms(each.claim),
            HEAD,
            tuple(map(tuple, check_rows(each))),
        )
        for each in judgements
    ]
    return tuple(sorted(shown, key=lambda claim: order.index(claim.verdict)))
