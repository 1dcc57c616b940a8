"""What to say to whoever names a form of own images where a dataset is expected."""

from __future__ import annotations

from hashbench.datasets.roots import IMPORTED, imported_hint

_LABELS = {"folder": "folders", "list": "LIST.txt", "csv": "TABLE.csv"}


def no_dataset(name: str, error: object) -> str:
    """Why there is no dataset of a name, and how to have one.

    Args:
        name: What was asked for.
        error: What the registry said.

    Example:
        >>> no_dataset("csv", "unknown name").partition("`")[2].partition("`")[0]
        'hashbench data import DIR --labels TABLE.csv --name NAME'
    """
    if name not in _LABELS:
        return f"{error}{imported_hint(name)}"
    return (
        f"'{name}' is no dataset but a form that images of your own come in; import them once with "
        f"`hashbench data import DIR --labels {_LABELS[name]} --name NAME` and write "
        f"'{IMPORTED}/NAME' here"
    )
