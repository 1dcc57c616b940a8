"""Figures of quality against training time and query latency, with the Pareto front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hashbench.reports.html.canvas import INK, Drawing, draw
from hashbench.reports.html.points import Arena
from hashbench.reports.html.quality_figures import SHOWN, short, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_WORTH_A_LOGARITHM: Final = 20  # between the largest cost and the smallest


@dataclass(frozen=True, slots=True)
class Offer:
    """The cost and the quality of a method at one code length.

    Attributes:
        method: The method.
        bits: The code length as tables print it.
        cost: Training seconds or query milliseconds.
        quality: The value of the main metric.
        record: The id of the record of the cost.
    """

    method: str
    bits: str
    cost: float
    quality: float
    record: str


def pareto_front(offers: Sequence[Offer]) -> list[Offer]:
    """Return the offers that no other offer beats in both cost and quality, cheapest first.

    Example:
        >>> cheap, good, bad = (Offer("a", "", c, q, "") for c, q in ((1, 2), (3, 4), (4, 3)))
        >>> pareto_front([bad, good, cheap]) == [cheap, good]
        True
    """
    front: list[Offer] = []
    for offer in sorted(offers, key=lambda offer: (offer.cost, -offer.quality, offer.method)):
        if not front or offer.quality > front[-1].quality:
            front.append(offer)
    return front


def quality_by_training(arena: Arena, key: str) -> Drawing:
    """Draw the main metric against training time."""
    offers = [
        Offer(p.method, p.bits_label, p.seconds.mean, value.mean, p.seconds.records[0])
        for p in arena.points
        if p.seconds and p.seconds.mean > 0 and (value := p.metrics.get(arena.metric))
    ]
    title = f"{short(arena.metric)} against training time"
    if not offers:
        return Drawing("training", title, "", "", "no training time was recorded")
    svg = _scatter(arena, offers, f"{key}-training", cost="training, seconds")
    note = "Wall seconds, means over seeds; methods may have been given unequal budgets"
    return Drawing("training", title, svg, _alt(offers, "s"), f"{note}. {_front(offers)}")


def quality_by_latency(arena: Arena, key: str) -> Drawing:
    """Draw the main metric against query latency at the setting that most methods have."""
    title = f"{short(arena.metric)} against query latency"
    setting = main_setting(arena)
    offers = [
        Offer(p.method, p.bits_label, found.p50, value.mean, found.records[0])
        for p in arena.points
        if (found := p.latencies.get(setting))
        and found.p50
        and (value := p.metrics.get(arena.metric))
    ]
    if not offers:
        return Drawing("latency", title, "", "", "no query latency was measured")
    svg = _scatter(arena, offers, f"{key}-latency", cost="query, median milliseconds")
    note = f"Engine {setting}; encoding not included unless said"
    return Drawing("latency", title, svg, _alt(offers, "ms"), f"{note}. {_front(offers)}")


def main_setting(arena: Arena) -> str:
    """Return the latency setting that most points have; empty if no latency was measured."""
    counts = Counter(setting for point in arena.points for setting in point.latencies)
    return min(counts, key=lambda setting: (-counts[setting], setting), default="")


def _scatter(arena: Arena, offers: Sequence[Offer], key: str, *, cost: str) -> str:
    front = pareto_front(offers)

    def plot(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.step(
            [offer.cost for offer in front],
            [offer.quality for offer in front],
            where="post",
            color=INK,
            linewidth=1,
            linestyle=":",
        )
        methods = list(dict.fromkeys(offer.method for offer in offers))
        for method in methods:
            own = [offer for offer in offers if offer.method == method]
            line = style(arena, method)
            ranked = methods.index(method) < SHOWN
            dots = axes.scatter(
                [offer.cost for offer in own],
                [offer.quality for offer in own],
                color=line["color"] if ranked else INK,
                marker=line["marker"] if ranked else ".",
                s=44 if ranked else 24,
                label=method if ranked else None,
                zorder=3,
            )
            dots.set_urls([f"#record-{offer.record}" for offer in own])
        axes.set(xlabel=cost, ylabel=short(arena.metric))
        costs = [offer.cost for offer in offers]
        if max(costs) > _WORTH_A_LOGARITHM * min(costs):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        handles, labels = axes.get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower left", ncols=2)

    return draw(key, plot)


def _front(offers: Sequence[Offer]) -> str:
    front = pareto_front(offers)
    words = ", ".join(f"{offer.method} ({offer.bits})" for offer in front[:SHOWN])
    more = f" and {len(front) - SHOWN} more" if len(front) > SHOWN else ""
    small = "; small dots are further methods" if len({o.method for o in offers}) > SHOWN else ""
    return f"Pareto front (dotted; nothing is both cheaper and better): {words}{more}{small}."


def _alt(offers: Sequence[Offer], unit: str) -> str:
    front = pareto_front(offers)
    ends = [
        f"{offer.method} ({offer.bits}) with {offer.quality:.4f} for {offer.cost:.3g} {unit}"
        for offer in dict.fromkeys((front[0], front[-1]))
    ]
    return f"{len(offers)} points. The front runs from {' to '.join(ends)}."
