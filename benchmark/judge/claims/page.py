"""Claims with verdicts as a page of a report shows them."""

from __future__ import annotations

from collections.abc import Sequence

from hashbench.judge.claims.judge import Judgement
from hashbench.judge.claims.text import HEAD, check_rows, terms
from hashbench.reports.html.evidence import ClaimShown


def shown_claims(judgements: Sequence[Judgement]) -> tuple[ClaimShown, ...]:
    """Put judgements into words; the supported first, the undecided last.

    Args:
        judgements: The judgements.
    """
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
