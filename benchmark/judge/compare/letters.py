"""Letters in a table: two methods share one exactly where no difference between them was shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from string import ascii_lowercase


def compact_letters(names: Sequence[str], different: Collection[frozenset[str]]) -> dict[str, str]:
    """Give every method its letters (insert and absorb).

    Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, Journal of
    Computational and Graphical Statistics 2004.

    Example:
        >>> compact_letters(["x", "y", "z"], [frozenset({"x", "z"})])
        {'x': 'a', 'y': 'ab', 'z': 'b'}

    Args:
        names: The methods, best first: ``a`` goes to the first.
        different: The pairs whose difference was shown.

    Returns:
        Letters by name: two names share a letter exactly where their pair is not in ``different``.
    """
    groups = [frozenset(names)]
    for pair in sorted(map(sorted, different)):
        groups = _absorbed(_split(groups, frozenset(pair)))
    place = {name: index for index, name in enumerate(names)}
    ordered = sorted(groups, key=lambda group: sorted(place[name] for name in group))
    return {
        name: "".join(_letter(index) for index, group in enumerate(ordered) if name in group)
        for name in names
    }


def _split(groups: list[frozenset[str]], pair: frozenset[str]) -> list[frozenset[str]]:
    """No group may hold both: one that does becomes two, each without one of them."""
    found = []
    for group in groups:
        found += [group - {name} for name in sorted(pair)] if pair <= group else [group]
    return found


def _absorbed(groups: list[frozenset[str]]) -> list[frozenset[str]]:
    """Groups without those that lie inside another."""
    unique = list(dict.fromkeys(groups))
    return [group for group in unique if not any(group < other for other in unique)]


def _letter(index: int) -> str:
    """``a`` to ``z``, then ``(27)``: more groups than letters are rare, and still told apart."""
    return ascii_lowercase[index] if index < len(ascii_lowercase) else f"({index + 1})"
