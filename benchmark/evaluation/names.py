"""Metric names: full names, short forms, and the one computation that each stands for.

Imports neither numpy nor torch: the matrix loader reads names before anything is computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hashbench.core.errors import ConfigError, did_you_mean

_NUMBER = re.compile(r"[0-9]{1,15}")
_SIGNED_NUMBER = re.compile(r"-[0-9]+")
_RADIUS = re.compile(r"r([0-9]{1,15})")
_ALL = "all"
_RADII = "radii"


class Family(StrEnum):
    """The families of metrics.

    ``map``: mean average precision inside a cut. Graded, by the number of shared labels:
    ``ndcg``, normalised discounted cumulative gain; ``acg``, the mean gain; ``wap``, the mean of
    ``acg`` at the relevant ranks. ``precision`` and ``recall``: inside a cut, or inside a Hamming
    radius. ``pr``: precision and recall at every Hamming radius; its value is the area under the
    curve. ``pr11``: the mean interpolated precision of that curve at recall 0, 0.1, ..., 1.
    """

    MAP = "map"
    NDCG = "ndcg"
    ACG = "acg"
    WAP = "wap"
    PRECISION = "precision"
    RECALL = "recall"
    PR = "pr"
    PR11 = "pr11"


class Div(StrEnum):
    """The denominator of average precision, plain or weighted.

    ``hits``: the relevant items inside the cut; ``min``: the smaller of K and all relevant items.
    """

    HITS = "hits"
    MIN = "min"


class Ties(StrEnum):
    """The order of items at equal distance.

    ``expected``: the mean over all orders; ``stable``: a permutation of the database fixed by a
    seed; ``best`` and ``worst``: the bounds over all orders.
    """

    EXPECTED = "expected"
    STABLE = "stable"
    BEST = "best"
    WORST = "worst"


class Empty(StrEnum):
    """The score of a query without a relevant item: ``zero``, or it is left out (``skip``)."""

    ZERO = "zero"
    SKIP = "skip"


_KEYS: Final[Mapping[str, type[StrEnum]]] = {"div": Div, "ties": Ties, "empty": Empty}
_GRADED: Final = frozenset({Family.NDCG, Family.ACG, Family.WAP})
_CURVES: Final = frozenset({Family.PR, Family.PR11})
_IN_A_BALL: Final = frozenset({Family.PRECISION, Family.RECALL})
_DIVIDED: Final = frozenset({Family.MAP, Family.WAP})
_NO_BOUNDS: Final = "bounds over ties are not computed for wap; write ties=expected or ties=stable"
_REFUSED: Final[Mapping[tuple[Family, StrEnum], str]] = {
    (Family.WAP, Ties.BEST): _NO_BOUNDS,
    (Family.WAP, Ties.WORST): _NO_BOUNDS,
    (Family.WAP, Div.MIN): "wap is divided by the hits inside the cut; write div=hits",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, every option set.

    Example:
        >>> parse_metric("map@5000").name
        'map@5000/div=hits/ties=expected/empty=zero'

    Attributes:
        family: The family of metrics.
        cutoff: K; None for the whole database, and where K has no meaning.
        radius: Hamming radius of ``precision@rR`` and ``recall@rR``, else None.
        div: Denominator of ``map`` and ``wap``; None for other families.
        ties: Order inside ties; None where no order matters.
        empty: Score of a query without a relevant item.
    """

    family: Family
    cutoff: int | None = None
    radius: int | None = None
    div: Div | None = None
    ties: Ties | None = None
    empty: Empty = Empty.ZERO

    @property
    def position(self) -> str:
        """The part of the name after the ``@``: a number, ``all``, ``rR`` or ``radii``."""
        if self.family in _CURVES:
            return _RADII
        if self.radius is not None:
            return f"r{self.radius}"
        return _ALL if self.cutoff is None else str(self.cutoff)

    @property
    def name(self) -> str:
        """The full canonical name, with every part that distinguishes the computation."""
        parts = {"div": self.div, "ties": self.ties, "empty": self.empty}
        options = (f"/{key}={value}" for key, value in parts.items() if value is not None)
        return f"{self.family}@{self.position}{''.join(options)}"

    @property
    def graded(self) -> bool:
        """Whether the metric counts shared labels, and not only whether there is one."""
        return self.family in _GRADED

    @property
    def needs_codes(self) -> bool:
        """Whether it is defined on binary codes alone (float embeddings have no Hamming radius)."""
        return self.family in _CURVES or self.radius is not None

    @property
    def reading_order(self) -> tuple[int, bool, int, str]:
        """A sort key for tables: mAP first, the whole database before any cut."""
        cut = self.radius if self.cutoff is None else self.cutoff
        return list(Family).index(self.family), self.radius is not None, cut or 0, self.name

    def __str__(self) -> str:
        return self.name


def parse_cutoff(value: int | str) -> int | None:
    """Read a cut-off K.

    Args:
        value: A whole number of at least 1, or ``all``.

    Returns:
        K, or None for ``all``.

    Raises:
        ConfigError: If it is anything else.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    if text == _ALL:
        return None
    if _NUMBER.fullmatch(text) and int(text) > 0:
        return int(text)
    if _NUMBER.fullmatch(text):
        raise ConfigError(f"K must be at least 1, got {value}; write 'all' for the whole database")
    if _SIGNED_NUMBER.fullmatch(text):
        raise ConfigError(f"K must be at least 1, got {value}")
    raise ConfigError(f"K must be a whole number of at least 1 or 'all', got {value!r}")


def parse_metric(text: str) -> Metric:
    """Read a metric's name, full or short.

    A short name is completed with ``div=hits``, ``ties=expected`` and ``empty=zero``; without an
    ``@`` it means the whole database (``pr`` always means ``pr@radii``, ``pr11`` ``pr11@radii``).

    Args:
        text: For example ``map@5000`` or ``precision@r2/empty=skip``.

    Returns:
        The metric, with every part set.

    Raises:
        ConfigError: If a family, key, word or number is not known, or a word has no meaning for the
            family; one line.
    """
    try:
        head, *options = text.split("/")
        bare = _parse_head(head)
        return _with_options(bare, options)
    except ConfigError as error:
        raise ConfigError(f"metric '{text}': {error}") from None


def _parse_head(head: str) -> Metric:
    """Read ``family@position``; ``div`` and ``ties`` are set wherever they have a meaning."""
    word, _, position = head.partition("@")
    if word not in list(Family):
        raise ConfigError(f"unknown metric '{word}'. {did_you_mean(word, list(Family))}")
    family = Family(word)
    if "@" in head and not position:
        raise ConfigError("nothing after the '@'")
    if family in _CURVES:
        if position not in ("", _RADII):
            raise ConfigError(f"{word} takes no cut-off, got '{position}'; write '{word}@radii'")
        return Metric(family)
    radius = _RADIUS.fullmatch(position)
    if radius and family in _IN_A_BALL:
        return Metric(family, radius=int(radius[1]))
    div = Div.HITS if family in _DIVIDED else None
    return Metric(family, parse_cutoff(position or _ALL), div=div, ties=Ties.EXPECTED)


def _with_options(bare: Metric, options: Iterable[str]) -> Metric:
    known = [key for key in _KEYS if getattr(bare, key) is not None]
    given: dict[str, StrEnum] = {}
    for option in options:
        key, equals, word = option.partition("=")
        if not equals:
            raise ConfigError(f"'{option}' is not of the form key=word")
        if key not in known:
            raise ConfigError(
                f"unknown key '{key}' for {bare.family}@{bare.position}. {did_you_mean(key, known)}"
            )
        if key in given:
            raise ConfigError(f"'{key}' is given twice")
        words = list(_KEYS[key])
        if word not in words:
            raise ConfigError(f"unknown word '{word}' for '{key}'. {did_you_mean(word, words)}")
        given[key] = _KEYS[key](word)
        refusal = _REFUSED.get((bare.family, given[key]))
        if refusal:
            raise ConfigError(refusal)
    return replace(bare, **given)  # type: ignore[arg-type]  # keys and types both come from _KEYS


def expand_metrics(metrics: Sequence[str], cutoffs: Sequence[int | str]) -> tuple[Metric, ...]:
    """Cross names that state no cut-off with the cut-offs; leave the others as they are.

    Args:
        metrics: Names, full or short; one with an ``@`` stands for itself.
        cutoffs: Values of K: whole numbers or ``all``.

    Returns:
        The metrics in the order given, each once.

    Raises:
        ConfigError: With one line for each name and cut-off that cannot be read.
    """
    problems: list[str] = []
    cuts: list[int | None] = []
    for value in cutoffs:
        try:
            cuts.append(parse_cutoff(value))
        except ConfigError as error:
            problems.extend(f"cut-off: {problem}" for problem in error.problems)
    found: dict[Metric, None] = {}
    for text in metrics:
        try:
            found.update(dict.fromkeys(_expand(text, cuts, any_given=bool(cutoffs))))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def _expand(text: str, cuts: Sequence[int | None], *, any_given: bool) -> list[Metric]:
    metric = parse_metric(text)
    if "@" in text.partition("/")[0] or metric.family in _CURVES:
        return [metric]
    if not any_given:
        raise ConfigError(f"metric '{text}': no cut-off given; write '{metric.family}@all'")
    return [replace(metric, cutoff=cut) for cut in cuts]
