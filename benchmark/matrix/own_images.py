"""The error message for a name that is no dataset, such as a form of own images."""

from __future__ import annotations

from hashbench.datasets.roots import IMPORTED, imported_hint

_LABELS = {"folder": "folders", "list": "LIST.txt", "csv": "TABLE.csv"}


def no_dataset(name: str, error: object) -> str:
    """Explain why there is no dataset of a name, and how to import one.

    Args:
        name: The name in the matrix.
        error: The message of the registry.

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
