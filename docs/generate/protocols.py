"""The table of protocols."""

from __future__ import annotations

from markdown_table import code, table

from hashbench.datasets.protocols.protocol import FOLDER, ProtocolSpec, read_protocol

HEAD = (
    *("protocol", "dataset", "classes", "train", "query", "database"),
    *("training images searched", "rule", "mAP at", "input"),
)


def page() -> str:
    """Return the table of the package's protocols, in the order of their names."""
    specs = [read_protocol(path) for path in sorted(FOLDER.glob("*@*.toml"))]
    return table(HEAD, [_row(spec) for spec in specs])


def _row(spec: ProtocolSpec) -> tuple[object, ...]:
    sizes = [f"{spec.sizes[role]:,}" if role in spec.sizes else "" for role in HEAD[3:6]]
    return (
        *(code(spec.name), code(spec.dataset), spec.classes, *sizes),
        "yes" if spec.train_in_database else "no",
        type(spec.sampling).__name__,
        spec.map_at or "all",
        f"{spec.image_size} px",
    )
