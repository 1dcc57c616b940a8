"""Tables of quality: metrics by any rows and columns, convergence by epoch, and code statistics."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from hashbench.evaluation.names import parse_metric
from hashbench.reports.frames import code_frame, convergence_frame, metric_frame
from hashbench.reports.table import (
    FLOAT,
    Mark,
    Table,
    bits_text,
    mean_text,
    records_text,
    span_text,
    text_frame,
)
from hashbench.reports.view import KEYS, View
from hashbench.store.catalogue import CellResults

# Values that differ in one of these keys are never averaged. Where the wanted rows and columns do
# not separate them, the table is split by the keys of _SPLITS, or gets a further row key of _EXTRA.
_SPLITS: Final = ("protocol", "device_name", "metric")
_EXTRA: Final = ("backbone", "loss", "bits", "protocol", "device_name", "metric", "method")
_IDENTITY: Final = (*_SPLITS, "method", "bits")
_BY_NATURE: Final = {"bits", "seed", "dataset", "protocol", "metric"}  # not ordered by value
_NAMED: Final = {column: key for key, column in KEYS.items()}
_PLACES: Final = 4  # decimals shown; values that look equal rank equally
_AT_MOST: Final = 8  # epochs that fit beside each other


def metric_tables(
    cells: Sequence[CellResults],
    *,
    trace: bool,
    view: View | None = None,
    families: Sequence[str] = (),
) -> list[Table]:
    """Return the tables of metrics.

    Unless the view says otherwise there is one table for each protocol, device and metric, with
    methods in its rows and code lengths in its columns. ``families`` selects families of metrics if
    the view names no metrics.
    """
    view = view or View()
    frame = wanted_metrics(metric_frame(cells), view, families=families)
    if frame.empty:
        return []
    pivot = [KEYS[key] for key in (*view.rows, *view.columns)]
    # A dataset in a row or column separates most protocols; `_rows_apart` separates the others.
    known = {*pivot, *(["protocol"] if "dataset" in pivot else [])}
    splits = [key for key in _SPLITS if key not in known]
    groups = frame.groupby(splits, sort=True, observed=True) if splits else [((), frame)]
    return [_table(group.astype({"metric": str}), view, splits, trace=trace) for _, group in groups]


def wanted_metrics(
    frame: pd.DataFrame, view: View, *, families: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows of a frame whose metric is wanted, with metrics in reading order.

    The view's metrics are wanted; if it names none, all metrics of ``families``, or all metrics.
    """
    if frame.empty:
        return frame
    names = sorted(frame["metric"].unique(), key=lambda name: parse_metric(name).reading_order)
    if view.metrics:
        names = [name for name in names if name in view.metrics]
    elif families:
        names = [name for name in names if parse_metric(name).family in families]
    kept = frame[frame["metric"].isin(names)].copy()
    kept["metric"] = pd.Categorical(kept["metric"], categories=names, ordered=True)
    return kept


def _table(group: pd.DataFrame, view: View, splits: Sequence[str], *, trace: bool) -> Table:
    columns = [KEYS[key] for key in view.columns]
    rows = _rows_apart(group, [KEYS[key] for key in view.rows], columns)
    parts = {
        (_tuple(row), _tuple(column)): part
        for row, by_row in _groups(group, rows)
        for column, part in _groups(by_row, columns)
    }
    heads = _row_order(group, rows)
    tops = sorted({column for _, column in parts}, key=_natural)
    same = len({len(part) for part in parts.values()}) == 1
    texts: list[list[str]] = []
    places: dict[tuple[int, int], pd.DataFrame] = {}
    for at, head in enumerate(heads):
        found = [parts.get((head, top)) for top in tops]
        filled = {len(rows) + n: part for n, part in enumerate(found) if part is not None}
        places |= {(at, column): part for column, part in filled.items()}
        words = ["" if part is None else _cell(part, n=not same, trace=trace) for part in found]
        texts.append([*map(_word, rows, head), *words])
    titles = [*(_NAMED[key] for key in rows), *(_heading(columns, top) for top in tops)]
    lengths = {len(part) for part in parts.values()}
    notes = _notes(group, rows, view, n=min(lengths) if same else None)
    marks = _marks(places, view)
    shown = any(mark.letters for mark in marks.values())
    tested = view.comparisons.tested.get(group["metric"].iloc[0], 0)
    return Table(
        _title(group, splits),
        text_frame(texts, titles),
        (*notes, *([_letters_note(tested)] if shown else [])),
        marks,
        "metrics",
        frozenset(group["fit_id"]),
    )


def _rows_apart(group: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the row keys, with as many further keys as separate all different methods."""
    keys = [*rows]
    for extra in _EXTRA:
        identities = [*dict.fromkeys([*keys, *columns, *_IDENTITY])]
        separated = group[[*dict.fromkeys([*keys, *columns])]].drop_duplicates()
        if len(separated) == len(group[identities].drop_duplicates()):
            break
        if extra in (*keys, *columns):
            continue
        more = group[[*dict.fromkeys([*keys, *columns, extra])]].drop_duplicates()
        if len(more) > len(separated):
            keys.append(extra)
    return keys


def _groups(frame: pd.DataFrame, keys: Sequence[str]) -> Any:
    return frame.groupby([*keys], sort=True) if keys else [((), frame)]


def _tuple(key: Hashable) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _row_order(group: pd.DataFrame, rows: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the rows by value, the best first; others in their natural order."""
    if not rows:
        return [()]
    means = group.groupby([*rows], sort=True)["value"].mean()
    if rows[0] not in _BY_NATURE:
        means = means.sort_values(ascending=False, kind="stable")
        return [_tuple(key) for key in means.index]
    return sorted((_tuple(key) for key in means.index), key=_natural)


def _natural(key: tuple[Any, ...]) -> list[tuple[float, str]]:
    return [(0.0, part) if isinstance(part, str) else (float(part), "") for part in key]


def _word(key: str, value: Any) -> str:
    return bits_text(value) if key == "bits" else str(value)


def _heading(keys: Sequence[str], values: Sequence[Any]) -> str:
    if not keys:
        return "value"
    words = []
    for key, value in zip(keys, values, strict=True):
        word = _word(key, value)
        words.append(f"{word} bits" if key == "bits" and value != FLOAT else word)
        words[-1] = f"seed {word}" if key == "seed" else words[-1]
    return ", ".join(words)


def _cell(rows: pd.DataFrame, *, n: bool, trace: bool) -> str:
    text = mean_text(rows["value"], digits=_PLACES)
    text += f" (n = {len(rows)})" if n else ""
    return f"{text} [{records_text(rows)}]" if trace else text


def _title(group: pd.DataFrame, splits: Sequence[str]) -> str:
    first = group.iloc[0]
    what = first["metric"].partition("/")[0] if "metric" in splits else "Metrics"
    return f"{what} on {first['protocol']}" if "protocol" in splits else what


def _notes(group: pd.DataFrame, rows: Sequence[str], view: View, *, n: int | None) -> list[str]:
    names = group["metric"].drop_duplicates()
    metrics = ", ".join(f"`{name}`" for name in names)
    notes = [f"metric {metrics}{_exceeds(group)}"] if len(names) == 1 else [f"metrics {metrics}"]
    counts = "n behind each value" if n is None else f"n = {n} in every cell"
    notes.append(f"mean ± standard deviation over seeds, {counts}")
    if added := [_NAMED[key] for key in rows if _NAMED[key] not in view.rows]:
        notes.append(f"by {' and '.join(added)} too, so that nothing different is averaged")
    if empty := int(group["without_relevant"].max()):
        notes.append(f"{empty} of the queries have no relevant item")
    devices = " and ".join(sorted(group["device_name"].unique()))
    return [*notes, f"measured on {devices}", span_text(group["date"])]


def _exceeds(group: pd.DataFrame) -> str:
    sizes = group["cutoff_exceeds"].dropna()
    if sizes.empty:
        return ""
    cutoff = group["metric"].iloc[0].partition("/")[0].partition("@")[2]
    return f", K={cutoff}>N (N = {sizes.iloc[0]:.0f}: the whole database)"


def _letters_note(tested: int) -> str:
    pairs = f"{tested:,} comparison{'' if tested == 1 else 's'} by the metric"
    return (
        "methods of one protocol, device and code length that share a letter were not shown to "
        f"differ (paired bootstrap over queries and seeds, 5 %, Holm over {pairs})"
    )


def _marks(places: dict[tuple[int, int], pd.DataFrame], view: View) -> dict[tuple[int, int], Mark]:
    """Return the rank and letters of every value among those that it may be compared with."""
    peers: dict[tuple[Any, ...], dict[tuple[int, int], float]] = {}
    for place, part in places.items():
        alike = ("seed",) if "seed" in (*view.rows, *view.columns) else ()
        key = tuple(part.iloc[0][[*_SPLITS, "bits", *alike]])
        peers.setdefault(key, {})[place] = round(float(part["value"].mean()), _PLACES)
    marks = {}
    for found in peers.values():
        steps = sorted(set(found.values()), reverse=True)
        ranks = {value: rank for rank, value in enumerate(steps[:2], start=1)}
        for place, value in found.items():
            rank = ranks.get(value, 0) if len(found) > 1 else 0
            marks[place] = Mark(rank, _letters(places[place], view))
    return {place: mark for place, mark in sorted(marks.items()) if mark != Mark()}


def _letters(part: pd.DataFrame, view: View) -> str:
    known = view.comparisons.letters
    found = {known.get((row["metric"], row["record"]), "") for _, row in part.iterrows()}
    return found.pop() if len(found) == 1 else ""


def convergence_tables(cells: Sequence[CellResults], *, trace: bool, view: View) -> list[Table]:
    """Return one table for each protocol, device and metric of validation: methods by epoch."""
    frame = wanted_metrics(convergence_frame(cells), view)
    if frame.empty:
        return []
    groups = frame.groupby(["protocol", "device_name", "metric"], sort=True, observed=True)
    return [_convergence_table(group, trace=trace) for _, group in groups]


def _convergence_table(group: pd.DataFrame, *, trace: bool) -> Table:
    known = sorted(group["epoch"].unique())
    epochs = _some(known)
    rows = []
    for _, part in group.groupby(["method", "bits"], sort=True):
        by_epoch = dict(iter(part.groupby("epoch")["value"]))
        at = [mean_text(by_epoch[epoch]) if epoch in by_epoch else "" for epoch in epochs]
        head = [part["method"].iloc[0], bits_text(part["bits"].iloc[0])]
        seeds = str(part["seed"].nunique())
        rows.append([*head, seeds, *at, *([records_text(part)] if trace else [])])
    columns = ["method", "bits", "seeds", *(f"epoch {epoch}" for epoch in epochs)]
    name, protocol = str(group["metric"].iloc[0]), group["protocol"].iloc[0]
    notes = (
        f"metric `{name}` of the images held out of training, searched among those trained on; "
        "the queries play no part",
        "mean ± standard deviation over seeds",
        *([f"{len(epochs)} of {len(known)} epochs measured"] if len(epochs) < len(known) else []),
        f"measured on {group['device_name'].iloc[0]}",
        span_text(group["date"]),
    )
    frame = text_frame(rows, [*columns, *(["records"] if trace else [])])
    title = f"Convergence of {name.partition('/')[0]} on {protocol}"
    return Table(title, frame, notes, name="convergence", fits=frozenset(group["fit_id"]))


def _some(epochs: Sequence[int]) -> list[int]:
    """Return at most `_AT_MOST` epochs, evenly spread, with the first and the last."""
    if len(epochs) <= _AT_MOST:
        return list(epochs)
    return [epochs[at] for at in np.linspace(0, len(epochs) - 1, _AT_MOST).round().astype(int)]


def code_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """Return one table for each protocol and device: how evenly codes use their bits."""
    frame = code_frame(cells)
    if frame.empty:
        return []
    columns = ["method", "bits", "side", "seeds", "codes", "distinct", "constant bits"]
    columns += ["bit balance", "bit correlation", "bit entropy", "code entropy"]
    columns += ["records"] if trace else []
    tables = []
    for (protocol, device), group in frame.groupby(["protocol", "device_name"]):
        # The side in falling order: query before database.
        parts = group.groupby(["method", "bits", "side"], sort=True)
        ordered = sorted(parts, key=lambda item: (item[0][0], item[0][1], item[0][2] != "query"))
        rows = [_code_row(part, trace=trace) for _, part in ordered]
        notes = (
            "means over seeds",
            "bit balance: mean of |mean bit|, bits being -1 or +1, so 0 is balanced",
            "bit correlation: mean of |correlation| over the pairs of bits that vary",
            "entropies in bits",
            f"measured on {device}",
            span_text(group["date"]),
        )
        title = f"Codes on {protocol}"
        shown = text_frame(rows, columns)
        fits = frozenset(group["fit_id"])
        tables.append(Table(title, shown, notes, name="codes", fits=fits))
    return tables


def _code_row(part: pd.DataFrame, *, trace: bool) -> list[Any]:
    first, mean = part.iloc[0], part.mean(numeric_only=True)
    correlations = part["bit_correlation"].dropna()
    return [
        first["method"],
        bits_text(first["bits"]),
        first["side"],
        str(len(part)),
        f"{first['items']:,}",
        f"{mean['distinct']:,.1f}",
        f"{mean['constant_bits']:.1f}",
        f"{mean['bit_balance']:.4f}",
        f"{correlations.astype(float).mean():.4f}" if len(correlations) else "-",
        f"{mean['bit_entropy']:.4f}",
        f"{mean['code_entropy']:.4f}",
    ] + ([records_text(part)] if trace else [])
