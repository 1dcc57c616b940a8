"""How evenly codes use their bits, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hashbench.reports.frames import code_frame
from hashbench.reports.table import Table, bits_text, records_text, span_text, text_frame
from hashbench.store.catalogue import CellResults


def code_tables(cells: Sequence[CellResults], *, trace: bool) -> list[Table]:
    """One table a protocol and device: how evenly codes use their bits, means over seeds."""
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
        tables.append(Table(title, text_frame(rows, columns), notes, name="codes"))
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
