"""Judge a claim by the records of stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hashbench.judge.claims.arms import Arm, Pair, find_pairs
from hashbench.judge.claims.controls import broken_controls
from hashbench.judge.claims.quantities import Measured, Quantity, advantage, measure, parse_quantity
from hashbench.judge.claims.schema import ClaimSpec
from hashbench.judge.compare.bootstrap import Effect, paired_bootstrap
from hashbench.judge.compare.comparison import ALPHA
from hashbench.judge.compare.holm import holm


class Verdict(StrEnum):
    """The possible verdicts on a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """The comparison of one pair of arms by one quantity.

    Attributes:
        pair: The arms.
        quantity: The metric or time.
        seeds: Seeds for which both arms have a value.
        effect: The advantage of the better arm: the difference of a metric, or the logarithm of the
            ratio of times; None where a control is broken.
        broken: Names of the broken controls.
        records: Ids of the records of both arms.
    """

    pair: Pair
    quantity: Quantity
    seeds: tuple[int, ...]
    effect: Effect | None
    broken: tuple[str, ...]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A check with its verdict."""

    check: Check
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """A claim with its verdict.

    Attributes:
        claim: The claim.
        verdict: The verdict.
        why: How many comparisons led to it, or what is missing; empty if all support the claim.
        checks: All comparisons; those with a broken control do not count.
    """

    claim: ClaimSpec
    verdict: Verdict
    why: str
    checks: tuple[Judged, ...]

    def __str__(self) -> str:
        return f"{self.verdict} ({self.why})" if self.why else self.verdict.value


def judge(claim: ClaimSpec, arms: Sequence[Arm]) -> Judgement:
    """Judge a claim.

    A check is supported if the whole 95 % interval of the advantage lies above the margin. The
    claim is supported if there is a check for each quantity and each entry of ``than``, and all are
    (which needs no correction: each must pass by itself). It is refuted if for any check the
    advantage is below the margin at 5 % after Holm's correction over all of them. Records that
    break a control neither support nor refute it.

    Raises:
        ConfigError: If a metric has no per-query values.
        DamagedStoreError: If an artifact is damaged.
    """
    quantities = [parse_quantity(name) for name in claim.quantities]
    pairs = find_pairs(claim, arms)
    checks = [check for pair in pairs for check in _checks(claim, pair, quantities)]
    judged = _judged(checks, claim.margin)
    verdict, why = _overall(claim, judged, quantities)
    return Judgement(claim, verdict, why, tuple(judged))


def _checks(claim: ClaimSpec, pair: Pair, quantities: Sequence[Quantity]) -> Iterator[Check]:
    common = [seed for seed in pair.better.seeds if seed in pair.than.seeds]
    broken = broken_controls(pair.better.cell, pair.than.cell, claim.controls.same)
    for quantity in quantities:
        one, two = ({s: _measure(quantity, arm, s) for s in common} for arm in _arms(pair))
        known = [(s, a, b) for s in common if (a := one[s]) is not None and (b := two[s])]
        if not known and common:
            continue  # neither arm was measured: there are no records, rather than too few
        seeds = ["seeds"] if len(known) < claim.controls.seeds else []
        hosts = ["host"] if quantity.kind != "metric" and _hosts(pair) > 1 else []
        faults = (*broken, *hosts, *seeds)
        effect = None
        if not faults:
            gaps = advantage(quantity, [a for _, a, _ in known], [b for *_, b in known])
            effect = paired_bootstrap(gaps, null=claim.margin)
        records = (*(a.record for _, a, _ in known), *(b.record for *_, b in known))
        yield Check(pair, quantity, tuple(s for s, *_ in known), effect, faults, records)


def _arms(pair: Pair) -> tuple[Arm, Arm]:
    return pair.better, pair.than


def _measure(quantity: Quantity, arm: Arm, seed: int) -> Measured | None:
    return measure(quantity, *arm.seeds[seed])


def _hosts(pair: Pair) -> int:
    """The number of different hosts and thread counts that the times were measured with."""
    fits = [results.fit for arm in _arms(pair) for results, _ in arm.seeds.values()]
    found = [fit.environment for fit in fits if fit is not None]
    return len(
        {(env.cpu, env.cpu_count, env.threads, env.device.name, env.processor) for env in found}
    )


def _judged(checks: Sequence[Check], margin: float) -> list[Judged]:
    corrected = iter(holm([check.effect.p for check in checks if check.effect]))
    return [
        Judged(check, _verdict(check.effect, margin, next(corrected)))
        if check.effect
        else Judged(check, Verdict.UNDECIDED)
        for check in checks
    ]


def _verdict(effect: Effect, margin: float, p: float) -> Verdict:
    if effect.low > margin:
        return Verdict.SUPPORTED
    refuted = effect.mean < margin and p < ALPHA
    return Verdict.REFUTED if refuted else Verdict.UNDECIDED


def _overall(
    claim: ClaimSpec, judged: Sequence[Judged], quantities: Sequence[Quantity]
) -> tuple[Verdict, str]:
    valid = [each for each in judged if each.check.effect]
    found = Counter(each.verdict for each in valid)
    if against := found[Verdict.REFUTED]:
        support = found[Verdict.SUPPORTED]
        why = f"{against} of {len(valid)} comparisons against it, {support} for it"
        return Verdict.REFUTED, why
    lacking = _lacking(claim, judged, quantities)
    if valid and not lacking and found[Verdict.SUPPORTED] == len(valid):
        return Verdict.SUPPORTED, ""
    open_checks = found[Verdict.UNDECIDED]
    undecided = f"{open_checks} of {len(valid)} comparisons leave it open" if open_checks else ""
    return Verdict.UNDECIDED, "; ".join(filter(None, [undecided, *lacking]))


def _lacking(
    claim: ClaimSpec, judged: Sequence[Judged], quantities: Sequence[Quantity]
) -> list[str]:
    """Describe the quantities and entries of ``than`` without a valid check."""
    broken: dict[str, None] = {}
    missing = []
    for quantity in quantities:
        for entry in range(max(1, len(claim.than))):
            own = [
                each.check
                for each in judged
                if each.check.quantity == quantity and each.check.pair.entry == entry
            ]
            if not own:
                missing.append((quantity, entry))
            elif all(check.broken for check in own):
                broken |= dict.fromkeys(name for check in own for name in check.broken)
    lines = [f"control broken: {', '.join(broken)}"] if broken else []
    return lines + _without_records(claim, missing, len(quantities))


def _without_records(
    claim: ClaimSpec, missing: Sequence[tuple[Quantity, int]], quantities: int
) -> list[str]:
    if not missing:
        return []
    if len(missing) == quantities * max(1, len(claim.than)):
        return ["no records"]
    names = [
        f"{quantity.name.partition('/')[0]}"
        + (f" against {_entry_text(claim, e)}" if claim.than else "")
        for quantity, e in missing
    ]
    return [f"no records of {', '.join(names)}"]


def _entry_text(claim: ClaimSpec, entry: int) -> str:
    spec = claim.than[entry]
    words = [" or ".join(map(str, values)) for values in spec.names().values()]
    words += [f"{key}={value}" for key, value in spec.settings.items()]
    return " ".join(words)


def ratio(effect: float) -> float:
    """The ratio of two times from its logarithm."""
    return float(np.exp(effect))
